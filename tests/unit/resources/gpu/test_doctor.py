"""What the doctor says about GPUs is why a training reads none."""

from __future__ import annotations

import pytest

from ocr_otel.cli.checks.finding import Status
from ocr_otel.cli.checks.hardware import check_nvml
from ocr_otel.resources.gpu.library import NoNvml
from tests.support.nvml import states
from tests.support.nvml.states import a100, gpu
from tests.unit.resources.gpu.conftest import MakeMachine
from tests.unit.resources.gpu.reading import Reader

pytestmark = pytest.mark.timeout(60)


def test_what_can_be_read_is_counted(machine: MakeMachine) -> None:
    machine(states.two_a100())
    (finding,) = check_nvml()
    assert finding.status is Status.OK
    assert finding.finding == "2 readable, the first a NVIDIA A100-SXM4-80GB; driver 535.104.05"


@pytest.mark.parametrize("code", [*states.DRIVER_ERRORS.values(), 999])
def test_the_reason_is_the_sources_with_what_to_do(machine: MakeMachine, code: int) -> None:
    machine(states.machine(init=code))
    with pytest.raises(NoNvml) as raised:
        Reader().source.open()
    (finding,) = check_nvml()
    assert finding.status is Status.NOTE
    assert finding.finding == f"{raised.value}: no GPU metrics"
    assert finding.advice == raised.value.advice != ""


def test_a_driver_that_starts_and_does_not_answer_is_no_failure(machine: MakeMachine) -> None:
    machine(states.machine(a100(0) | gpu(0, lost=1)))
    (finding,) = check_nvml()
    assert finding.status is Status.NOTE
    assert "GPU is lost" in finding.finding
