"""What is read of which GPU, by the real nvidia-ml-py from a library whose machines are recorded."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ocr_otel import semconv
from ocr_otel.resources.gpu import faults
from ocr_otel.resources.gpu.faults import KNOWN_XIDS
from ocr_otel.resources.gpu.library import NoNvml
from ocr_otel.resources.sampler import Sampler
from ocr_otel.resources.timeline import Timeline
from tests.support.nvml import states
from tests.support.nvml.library import Machine, environment
from tests.support.nvml.states import GPU_UUID, MIB, MIG_UUID, UNSIGNED_INT, UNSIGNED_LONG_LONG, a100, field, gpu
from tests.unit.resources.gpu.conftest import MakeMachine
from tests.unit.resources.gpu.reading import Reader, opened

pytestmark = pytest.mark.timeout(60)

OF_A100 = {
    (semconv.GPU_UTILIZATION, "general"): 0.93,
    (semconv.GPU_UTILIZATION, "encoder"): 0,
    (semconv.GPU_UTILIZATION, "decoder"): 0,
    (semconv.GPU_MEMORY_CONTROLLER_UTILIZATION, ""): 0.41,
    (semconv.GPU_MEMORY_USAGE, ""): (81920 - 646 - 20000) * MIB,
    (semconv.GPU_MEMORY_LIMIT, ""): 81920 * MIB,
    (semconv.GPU_MEMORY_FREE, ""): 20000 * MIB,
    (semconv.GPU_MEMORY_RESERVED, ""): 646 * MIB,
    (semconv.GPU_POWER, ""): 312.45,
    (semconv.GPU_POWER_LIMIT, ""): 400,
    (semconv.GPU_ENERGY, ""): 123456789.012,
    (semconv.GPU_TEMPERATURE, "gpu"): 61,
    (semconv.GPU_TEMPERATURE, "memory"): 58,
    (semconv.GPU_CLOCK, "sm"): 1_410_000_000,
    (semconv.GPU_CLOCK, "memory"): 1_593_000_000,
    (semconv.GPU_THROTTLED, "sw_power_cap"): 1,
    **{
        (semconv.GPU_THROTTLED, reason): 0
        for reason in (
            "applications_clocks_setting",
            "hw_slowdown",
            "sync_boost",
            "sw_thermal_slowdown",
            "hw_thermal_slowdown",
            "hw_power_brake_slowdown",
            "display_clock_setting",
        )
    },
    (semconv.GPU_IO, "transmit"): 0,
    (semconv.GPU_IO, "receive"): 0,
    (semconv.GPU_NVLINK_IO, "transmit"): 0,
    (semconv.GPU_NVLINK_IO, "receive"): 0,
    (semconv.GPU_ERRORS, "ecc_corrected"): 2,
    (semconv.GPU_ERRORS, "ecc_uncorrected"): 0,
    (semconv.GPU_ERRORS, "lost"): 0,
    (semconv.GPU_ERRORS, "xid_other"): 0,
    **{(semconv.GPU_ERRORS, f"xid_{number}"): 0 for number in KNOWN_XIDS},
}
"""All that an A100 is read of, but its processes."""


def without_processes(found: dict[tuple[str, str, str], float]) -> dict[tuple[str, str, str], float]:
    return {key: value for key, value in found.items() if key[0] != semconv.GPU_PROCESS_MEMORY}


def test_everything_is_read_of_each_gpu(machine: MakeMachine) -> None:
    machine(states.two_a100())
    with opened() as reader:
        found = reader.read()
    expected = {(metric, name, rest): value for name in ("gpu0", "gpu1") for (metric, rest), value in OF_A100.items()}
    assert without_processes(found) == pytest.approx(expected, rel=1e-12)


def test_every_metric_and_attribute_is_documented(machine: MakeMachine) -> None:
    machine(states.machine(a100(0), states.divided_a100(1)))
    with opened() as reader:
        series = [each for each, _ in reader.source.read()]
    assert {each.metric for each in series} <= set(semconv.RESOURCE_METRICS)
    for each in series:
        assert list(each.attributes) == sorted(each.attributes)
        assert not any(value == str(os.getpid()) for _, value in each.attributes)


def test_a_series_says_which_device_it_is_of(machine: MakeMachine) -> None:
    machine(states.machine(a100(0)))
    with opened() as reader:
        power = next(series for series, _ in reader.source.read() if series.metric == semconv.GPU_POWER)
    assert dict(power.attributes) == {
        "hw.id": GPU_UUID.format(0),
        "hw.model": "NVIDIA A100-SXM4-80GB",
        "hw.name": "gpu0",
        "hw.type": "gpu",
        "hw.vendor": "NVIDIA",
    }


def test_each_sample_of_compute_utilization_is_handed_over(machine: MakeMachine) -> None:
    made = machine(states.machine(a100(0)))
    with opened() as reader:
        reader.read()
        made.change(gpu(0, util_gpu=7))
        reader.read()
    assert [value for value, _ in reader.samples] == [0.93, 0.07]
    assert reader.samples[0][1]["hw.gpu.task"] == "general"


def test_what_a_card_does_not_have_has_no_series(machine: MakeMachine) -> None:
    machine(states.machine(states.k80()))
    with opened() as reader:
        found = reader.read()
    expected = {
        (semconv.GPU_UTILIZATION, "general"): 0.12,
        (semconv.GPU_MEMORY_CONTROLLER_UTILIZATION, ""): 0.03,
        (semconv.GPU_MEMORY_LIMIT, ""): 11441 * MIB,
        (semconv.GPU_TEMPERATURE, "gpu"): 44,
        (semconv.GPU_CLOCK, "sm"): 562e6,
        (semconv.GPU_CLOCK, "memory"): 2505e6,
        (semconv.GPU_ERRORS, "lost"): 0,
    }
    for (metric, rest), value in expected.items():
        assert found.pop((metric, "gpu0", rest)) == value
    assert {metric for metric, _, _ in found} == {
        semconv.GPU_MEMORY_USAGE,
        semconv.GPU_MEMORY_FREE,
        semconv.GPU_MEMORY_RESERVED,
    }


@pytest.mark.parametrize("code", [2, 3, 4, 13, 25, 26])
def test_what_is_not_there_is_asked_once(machine: MakeMachine, code: int) -> None:
    made = machine(states.machine(a100(0), gpu(0, error__nvmlDeviceGetPowerUsage=code)))
    with opened() as reader:
        first = reader.read()
        made.remove("0.error.nvmlDeviceGetPowerUsage")
        second = reader.read()
    assert (semconv.GPU_POWER, "gpu0", "") not in first | second
    assert (semconv.GPU_POWER_LIMIT, "gpu0", "") in second


@pytest.mark.parametrize("code", [10, 999])
def test_what_fails_for_once_comes_back(machine: MakeMachine, code: int) -> None:
    made = machine(states.machine(a100(0), gpu(0, error__nvmlDeviceGetPowerUsage=code)))
    with opened() as reader:
        first = reader.read()
        made.remove("0.error.nvmlDeviceGetPowerUsage")
        second = reader.read()
    assert (semconv.GPU_POWER, "gpu0", "") not in first
    assert second[semconv.GPU_POWER, "gpu0", ""] == 312.45


def test_a_field_that_is_not_there_leaves_the_others(machine: MakeMachine) -> None:
    made = machine(states.machine(a100(0), {f"0.{states.MEMORY_TEMPERATURE}": "-3:0"}))
    with opened() as reader:
        reader.read()
        made.change({f"0.{states.MEMORY_TEMPERATURE}": field(UNSIGNED_INT, 58)})
        found = reader.read()
    assert (semconv.GPU_TEMPERATURE, "gpu0", "memory") not in found
    assert (semconv.GPU_NVLINK_IO, "gpu0", "receive") in found


def test_traffic_is_counted_from_the_first_reading_and_over_the_end_of_a_counter(machine: MakeMachine) -> None:
    made = machine(states.machine(a100(0)))
    with opened() as reader:
        reader.read()
        made.change(
            {
                f"0.{states.PCIE_TX}": field(UNSIGNED_INT, 100),
                f"0.{states.PCIE_RX}": field(UNSIGNED_INT, 1_500_000),
                f"0.{states.NVLINK_TX}": field(UNSIGNED_LONG_LONG, 987_654_331),
                f"0.{states.NVLINK_RX}": field(UNSIGNED_LONG_LONG, 7),
            }
        )
        found = reader.read()
    assert found[semconv.GPU_IO, "gpu0", "transmit"] == 2**32 - 4_000_000_000 + 100
    assert found[semconv.GPU_IO, "gpu0", "receive"] == 500_000
    assert found[semconv.GPU_NVLINK_IO, "gpu0", "transmit"] == 10 * 1024
    # A wide counter does not end: it was set back.
    assert found[semconv.GPU_NVLINK_IO, "gpu0", "receive"] == 7 * 1024


def test_ecc_errors_grow(machine: MakeMachine) -> None:
    made = machine(states.machine(a100(0)))
    with opened() as reader:
        reader.read()
        made.change(gpu(0, ecc_uncorrected=3))
        found = reader.read()
    assert found[semconv.GPU_ERRORS, "gpu0", "ecc_uncorrected"] == 3


def test_an_xid_error_is_counted_and_told_once_and_older_ones_are_not(machine: MakeMachine) -> None:
    made = machine(states.machine(a100(0) | gpu(0, xids="31"), a100(1)))
    with opened() as reader:
        before = reader.read()
        made.change(gpu(0, xids="31,79,4242"))
        reader.read()
        after = reader.read()
    changed = {key: value for key, value in after.items() if value != before[key]}
    assert changed == {(semconv.GPU_ERRORS, "gpu0", "xid_79"): 1, (semconv.GPU_ERRORS, "gpu0", "xid_other"): 1}
    identity = {"hw.id": GPU_UUID.format(0)}
    assert reader.events == [
        (semconv.GPU_ERROR, {**identity, "error.type": "xid_79", "training.gpu.xid": 79}),
        (semconv.GPU_ERROR, {**identity, "error.type": "xid_other", "training.gpu.xid": 4242}),
    ]
    assert semconv.GPU_ERROR in semconv.EVENTS


def test_a_storm_of_xid_errors_is_taken_in_parts(machine: MakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "MAX_EVENTS", 5)
    made = machine(states.machine(a100(0)))
    with opened() as reader:
        made.change(gpu(0, xids="9,9,9,9,9,9,9"))
        counts = [reader.read()[semconv.GPU_ERRORS, "gpu0", "xid_other"] for _ in range(3)]
    assert counts == [5, 7, 7]
    assert len(reader.events) == 7


def test_a_lost_gpu_is_told_once_its_series_end_and_the_others_go_on(
    machine: MakeMachine, caplog: pytest.LogCaptureFixture
) -> None:
    made = machine(states.two_a100())
    with opened() as reader, caplog.at_level(logging.WARNING, "ocr_otel"):
        assert reader.read()[semconv.GPU_ERRORS, "gpu1", "lost"] == 0
        made.change(gpu(1, lost=1, xids="79"))
        last = reader.read()
        after = [reader.read() for _ in range(2)]
    gone = {key: value for key, value in last.items() if key[1] == "gpu1"}
    assert gone[semconv.GPU_ERRORS, "gpu1", "lost"] == 1
    assert gone[semconv.GPU_ERRORS, "gpu1", "xid_79"] == 1
    assert {metric for metric, _, _ in gone} == {semconv.GPU_ERRORS}
    for each in after:
        assert {name for _, name, _ in each} == {"gpu0"}
        assert len(without_processes(each)) == len(OF_A100)
    assert [attributes["error.type"] for _, attributes in reader.events] == ["xid_79", "lost"]
    assert len(caplog.records) == 1
    assert GPU_UUID.format(1) in caplog.text


def test_a_gpu_lost_before_the_start_is_not_read(machine: MakeMachine) -> None:
    machine(states.machine(a100(0) | gpu(0, lost=1), a100(1)))
    with opened() as reader:
        assert {name for _, name, _ in reader.read()} == {"gpu1"}


def test_each_instance_has_its_memory_and_its_gpu_the_rest(machine: MakeMachine) -> None:
    machine(states.machine(states.divided_a100()))
    with opened() as reader:
        readings = list(reader.source.read())
        found = reader.read()
    by_name = {name: {metric for metric, each, _ in found if each == name} for _, name, _ in found}
    whole = {metric for metric, _ in OF_A100} - {semconv.GPU_UTILIZATION, semconv.GPU_MEMORY_CONTROLLER_UTILIZATION}
    memory = {
        semconv.GPU_MEMORY_USAGE,
        semconv.GPU_MEMORY_LIMIT,
        semconv.GPU_MEMORY_FREE,
        semconv.GPU_MEMORY_RESERVED,
    }
    assert set(by_name) == {"gpu0", "gpu0.mig7.0", "gpu0.mig9.0"}
    assert by_name["gpu0"] == whole - memory
    assert by_name["gpu0.mig9.0"] - {semconv.GPU_PROCESS_MEMORY} == memory
    assert found[semconv.GPU_MEMORY_USAGE, "gpu0.mig9.0", ""] == 3 * 1024 * MIB
    parents = {dict(series.attributes)["hw.id"]: dict(series.attributes).get("hw.parent") for series, _ in readings}
    assert parents[MIG_UUID.format(2)] == GPU_UUID.format(0)
    assert parents[GPU_UUID.format(0)] is None


def test_the_instances_of_a_lost_gpu_end_with_it(machine: MakeMachine) -> None:
    made = machine(states.machine(states.divided_a100()))
    with opened() as reader:
        reader.read()
        made.change(gpu(0, lost=1))
        reader.read()
        assert reader.read() == {}
    assert [attributes["error.type"] for _, attributes in reader.events] == ["lost"]


def test_when_another_user_ends_nvml_the_source_fails(machine: MakeMachine) -> None:
    import pynvml

    machine(states.machine(a100(0)))
    with opened() as reader:
        pynvml.nvmlShutdown()
        with pytest.raises(pynvml.NVMLError_Uninitialized):
            reader.read()
        pynvml.nvmlInit()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("library not found", "no NVIDIA driver"),
        ("driver not loaded", "not loaded"),
        ("version mismatch", "different versions"),
        ("no permission", "may not use"),
    ],
)
def test_without_a_driver_nothing_is_read_and_the_reason_is_said(machine: MakeMachine, said: str, words: str) -> None:
    machine(states.machine(init=states.DRIVER_ERRORS[said]))
    reader = Reader()
    with pytest.raises(NoNvml, match=words) as raised:
        reader.source.open()
    reader.source.close()
    assert "\n" not in str(raised.value)
    assert raised.value.advice


def test_a_driver_without_gpus_has_nothing_to_read(machine: MakeMachine) -> None:
    machine(states.machine())
    with pytest.raises(NoNvml, match="has no GPU"):
        Reader().source.open()


READ_ONCE = """
import json
from ocr_otel.resources.readings import Unavailable
from tests.unit.resources.gpu.reading import opened
try:
    with opened() as reader:
        reader.read()
        print(json.dumps([[*key, value] for key, value in reader.read().items()]))
except Unavailable as error:
    print(json.dumps(str(error)))
"""


def run(script: str, environ: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_old_driver_without_newer_functions_tells_the_rest(old_library: Path, tmp_path: Path) -> None:
    made = Machine(tmp_path / "machine", states.machine(a100(0)))
    found = {tuple(each[:3]): each[3] for each in json.loads(run(READ_ONCE, environment(old_library, made.path)))}
    missing = {
        semconv.GPU_MEMORY_RESERVED,
        semconv.GPU_ENERGY,
        semconv.GPU_IO,
        semconv.GPU_NVLINK_IO,
    }
    assert {metric for metric, _, _ in found} == {metric for metric, _ in OF_A100} - missing
    # What a newer function tells better is told by the older one: reserved memory is in use then.
    assert found[semconv.GPU_MEMORY_USAGE, "gpu0", ""] == 61920 * MIB
    assert found[semconv.GPU_THROTTLED, "gpu0", "sw_power_cap"] == 1
    # Without the function that waits for events no Xid can be counted.
    assert {rest for metric, _, rest in found if metric == semconv.GPU_ERRORS} == {
        "ecc_corrected",
        "ecc_uncorrected",
        "lost",
    }


def test_without_the_library_the_reason_is_said(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    if Path("/dev/nvidiactl").exists():
        pytest.skip("there is a real library on this machine")
    assert "libnvidia-ml.so.1 is not found" in json.loads(run(READ_ONCE, environ))


def test_importing_and_making_the_source_loads_no_nvml() -> None:
    script = (
        "import sys; from ocr_otel.resources.gpu import gpu_sources; "
        "gpu_sources('all', print, print); print('pynvml' in sys.modules)"
    )
    assert run(script, dict(os.environ)).strip() == "False"


HANG = """
import json, sys, time
from ocr_otel import semconv
from ocr_otel.resources.sampler import Sampler
from ocr_otel.resources.timeline import Timeline
from tests.unit.resources.gpu.reading import Reader
timeline, failed = Timeline(), []
sampler = Sampler("gpu", [Reader().source], 0.1, timeline, lambda name, error: failed.append(name))
sampler.start()
time.sleep(1.0)
began = time.monotonic()
sampler.stop()
took = time.monotonic() - began
read = [each for name in semconv.RESOURCE_METRICS for each in timeline.latest(name, since=0)]
print(json.dumps([took, len(read)]))
"""


def test_a_driver_that_hangs_holds_up_neither_the_end_of_the_run_nor_the_process(library: Path, tmp_path: Path) -> None:
    made = Machine(tmp_path / "machine", states.machine(a100(0) | gpu(0, sleep__nvmlDeviceGetPowerUsage=60)))
    began = time.monotonic()
    took, last = json.loads(run(HANG, environment(library, made.path)))
    assert took < 2
    assert last == 0, "the reading came back: nothing hung"
    assert time.monotonic() - began < 40


def test_a_sampler_reads_into_the_timeline_until_a_gpu_vanishes(machine: MakeMachine) -> None:
    made = machine(states.two_a100())
    timeline, failures = Timeline(), []
    reader = Reader()
    sampler = Sampler("gpu", [reader.source], 0.02, timeline, lambda name, error: failures.append(error))

    def devices(since: int) -> set[object]:
        return {dict(series.attributes)["hw.name"] for series, _ in timeline.latest(semconv.GPU_POWER, since)}

    sampler.start()
    try:
        _wait(lambda: devices(0) == {"gpu0", "gpu1"})
        made.change(gpu(0, lost=1))
        _wait(lambda: bool(reader.events))
        since = time.perf_counter_ns()
        _wait(lambda: devices(since) == {"gpu1"})
    finally:
        sampler.stop()
    lost = [value for series, value in timeline.latest(semconv.GPU_ERRORS, 0) if ("error.type", "lost") in series[1]]
    assert sorted(lost) == [0, 1]
    assert failures == []


def _wait(condition: object) -> None:
    assert callable(condition)
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until, "did not come to pass"
        time.sleep(0.01)


def test_eight_gpus_cost_little(machine: MakeMachine) -> None:
    machine(states.machine(*(a100(index) | gpu(index, processes=f"{os.getpid()}:5,1:7") for index in range(8))))
    times = []
    with opened() as reader:
        reader.source.read()
        for _ in range(30):
            began = time.thread_time()
            readings = list(reader.source.read())
            times.append(time.thread_time() - began)
    assert len({dict(series.attributes)["hw.id"] for series, _ in readings}) == 8
    assert min(times) < 0.005
