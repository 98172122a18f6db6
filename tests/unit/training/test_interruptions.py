"""What holds a training up beside its batches is measured where it happens, and nothing of ours stays behind."""

from __future__ import annotations

import copy
import gc
import pickle
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger

from ocr_otel import semconv
from ocr_otel.training.compilations import Compilations
from ocr_otel.training.cpu_delay import CpuDelay
from ocr_otel.training.garbage import GarbageCollections
from ocr_otel.training.logging_seam import LoggingSeam


def test_collections_are_timed_until_they_are_no_longer_watched() -> None:
    before = list(gc.callbacks)
    watch = GarbageCollections()
    kept = [[index] for index in range(200_000)]
    gc.collect()
    seconds, full = watch.take()
    assert full >= 1
    assert 0 < seconds < 60
    assert watch.take()[1] == 0
    watch.remove()
    assert gc.callbacks == before
    gc.collect()
    assert watch.take() == (0.0, 0)
    assert len(kept) == 200_000


def test_compiling_the_same_code_again_is_told_from_the_first_time() -> None:
    def double(x: torch.Tensor) -> torch.Tensor:
        return x * 2

    watch = Compilations()
    watch.take()
    torch.compile(double, backend="eager")(torch.ones(3))
    first = watch.take()
    assert first.seconds > 0
    assert (first.again, first.again_seconds) == (0, 0)
    torch._dynamo.reset()
    torch.compile(double, backend="eager")(torch.ones(3))
    second = watch.take()
    assert second.again == 1
    assert 0 < second.again_seconds == second.seconds
    assert watch.take().seconds == 0


def test_a_process_that_compiles_nothing_has_nothing_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch._dynamo.utils", SimpleNamespace())
    assert Compilations().take().seconds == 0


def schedule(tasks: Path, **threads: tuple[float, float]) -> None:
    for name, (ran, delayed) in threads.items():
        folder = tasks / name.removeprefix("t")
        folder.mkdir(exist_ok=True)
        (folder / "schedstat").write_text(f"{int(ran * 1e9)} {int(delayed * 1e9)} 5\n")


def test_the_most_delayed_of_the_busy_threads_tells(tmp_path: Path) -> None:
    schedule(tmp_path, t1=(10, 1), t2=(8, 1), t3=(0, 0))
    watch = CpuDelay(tmp_path, thread=1)
    watch.take()
    # The third hardly does anything: nobody waits for it.
    schedule(tmp_path, t1=(13, 2), t2=(10, 4.5), t3=(0.1, 90), t4=(50, 50))
    found = watch.take()
    assert found.ran == pytest.approx(3)
    assert found.delay == pytest.approx(3.5)


def test_a_kernel_that_does_not_count_gives_zeros(tmp_path: Path) -> None:
    watch = CpuDelay(tmp_path / "missing")
    assert watch.take() == watch.take() == (0.0, 0.0)


def test_this_threads_own_time_is_counted() -> None:
    watch = CpuDelay()
    watch.take()
    until = time.thread_time() + 0.05
    while time.thread_time() < until:
        pass
    if not Path("/proc/self/schedstat").exists():
        pytest.skip("this kernel does not count it")
    assert watch.take().ran >= 0.04


class Counted(dict[str, Any]):
    """Contexts that count how often they were entered."""

    def __init__(self) -> None:
        self.entered: dict[str, int] = {}

    def measure(self, name: str) -> None:
        """Make one."""
        counted = self

        class Context:
            def __enter__(self) -> None:
                counted.entered[name] = counted.entered.get(name, 0) + 1

            def __exit__(self, *_: object) -> None:
                return None

        self[name] = Context()


class Module(pl.LightningModule):
    """Logs without a Trainer, which Lightning says no to."""


def test_self_log_and_loggers_are_timed_for_an_entry_alone(tmp_path: Path) -> None:
    before = pl.LightningModule.log, CSVLogger.log_metrics
    module, logger, contexts = Module(), CSVLogger(tmp_path), Counted()
    seam = LoggingSeam(module, [logger, CSVLogger(tmp_path)], contexts)
    # Without a Trainer Lightning warns, and logs nothing.
    with pytest.warns(UserWarning, match="trainer"):
        module.log("loss", 1.0)
    logger.log_metrics({"loss": 1.0}, 1)
    assert contexts.entered == {semconv.LOG_CALLBACK: 1, "CSVLogger.log_metrics": 1}
    copies = [copy.deepcopy(module), pickle.loads(pickle.dumps(module))]
    seam.remove()
    assert (pl.LightningModule.log, CSVLogger.log_metrics) == before
    for each in copies:
        with pytest.warns(UserWarning, match="trainer"):
            each.log("loss", 1.0)
    assert contexts.entered[semconv.LOG_CALLBACK] == 1


class CallableMethod:
    """What a decorator may make of a method: it is not bound to the instance."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __call__(self, *arguments: Any) -> None:
        self.calls.append(arguments)


@pytest.mark.parametrize("wrapped", [lambda method: method, staticmethod], ids=["callable", "static"])
def test_a_logger_whose_method_is_no_plain_function_is_called_as_ever(wrapped: Any) -> None:
    method = CallableMethod()

    class Logger:
        log_metrics = wrapped(method)

    before = vars(Logger)["log_metrics"]
    seam = LoggingSeam(Module(), [Logger()], Counted())
    Logger().log_metrics({"loss": 1.0}, 1)
    seam.remove()
    assert method.calls == [({"loss": 1.0}, 1)]
    assert vars(Logger)["log_metrics"] is before


def test_what_is_compiled_holds_no_clock() -> None:
    contexts = Counted()
    seam = LoggingSeam(Module(), [], contexts)
    try:
        module = Module()
        module.log = lambda *_: None  # type: ignore[method-assign]

        def step(x: torch.Tensor) -> torch.Tensor:
            module.log("loss", 1.0)
            return x + 1

        assert torch.compile(step, backend="eager")(torch.ones(2)).tolist() == [2, 2]
    finally:
        seam.remove()
    assert contexts.entered == {}
