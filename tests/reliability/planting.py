"""Plants an exception into every function of ours in turn, trains with it, and writes down what became of it.

Run as a program: `planting.py RESULTS PART/PARTS`. One process, because a training takes less than its imports.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import io
import json
import logging
import os
import pkgutil
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parent))

ROOMS: Final = ("training", "recording", "profiling", "resources", "telemetry", "diagnosis", "callbacks", "report.card")
"""Rooms whose code runs inside a training."""
WITHOUT: Final = ("profiling.kineto", "callbacks.pytorch_lightning")
"""Rooms in them whose code runs in another process, or not in this training."""
BARE: Final = {
    # What runs up to thirty times a batch and appends to arrays: a guard would cost more than the work. What it calls
    # now and then has one.
    "recording.contexts.FetchContext.__enter__",
    "recording.contexts.FetchContext.__exit__",
    "recording.contexts.TrainBatchContext.__enter__",
    "recording.contexts.TrainBatchContext.__exit__",
    "recording.device_times.DeviceContext.__enter__",
    "recording.device_times.DeviceContext.__exit__",
    "recording.journal.Journal.write",
    "recording.journal.NullContext.__enter__",
    "recording.journal.NullContext.__exit__",
    "recording.journal.TimedContext.__enter__",
    "recording.journal.TimedContext.__exit__",
    "training.profiler_seam.SaveContext.__enter__",
    "training.profiler_seam.SaveContext.__exit__",
    "training.profiler_seam._EndContext.__exit__",
    "training.ranges.RangeContext.__enter__",
    "training.ranges.RangeContext.__exit__",
    # Guards: an exception is planted into what they call.
    "recording.batch_path.BatchPath.attend",
    "recording.batch_path.BatchPath.close_batch",
    "recording.batch_path.BatchPath.goes_on",
    "recording.batch_path.BatchPath.interrupted",
    "training.dataloaders.DataLoaderSeam.iterator",
    "training.dataloaders.DataLoaderSeam._make",
    "training.dataloaders._TimedIterators.__call__",
    # Which loader it is: without that nobody could make its iterator.
    "training.dataloaders._TimedIterators._of",
    "telemetry.failures.attempt",
    "training.guard.guarded",
    "training.hooks.TrainingHooks._end",
    "training.profiler_seam.Contexts.__missing__",
    "training.strategy_seam.StrategySeam._load_checkpoint",
    "training.strategy_seam.StrategySeam._process_dataloader",
    "training.strategy_seam.StrategySeam._save_checkpoint",
    "training.validation_seam.ValidationSeam._run",
    "training.worker.ReportingFetcher.fetch",
    "training.worker.TimedFetcher.fetch",
    "training.worker.TimedFetcher._timed_collate",
    # It is called by the entry point, which has a guard of its own, or by the user.
    "callbacks.configured.Recording.__init__",
    "callbacks.configured.WholeRecording.__init__",
}
ERRORS: Final = (RuntimeError, MemoryError, OSError, RecursionError)


class Target:
    """A function into which an exception can be planted.

    Args:
        owner: The module or class that has it.
        name: Its name there.
        path: How it is called in the results.
    """

    def __init__(self, owner: Any, name: str, path: str) -> None:
        self.path = path
        self._owner = owner
        self._name = name
        self._original = vars(owner)[name]
        self._places: list[Any] = [owner]

    def plant(self, error: type[Exception], times: int) -> list[int]:
        """Let it raise from now on, so many times; return how often it was called, in a list of one."""
        called = [0]
        original = self._original
        function = original.__func__ if isinstance(original, (staticmethod, classmethod)) else original

        @functools.wraps(function)
        def raising(*args: Any, **kwargs: Any) -> Any:
            called[0] += 1
            if called[0] <= times:
                raise error(f"planted in {self.path}")
            return function(*args, **kwargs)

        planted: Any = type(original)(raising) if isinstance(original, (staticmethod, classmethod)) else raising
        setattr(self._owner, self._name, planted)
        if inspect.ismodule(self._owner):
            # Others have it by its name.
            for module in list(sys.modules.values()):
                if getattr(module, "__name__", "").startswith("ocr_otel") and vars(module).get(self._name) is original:
                    self._places.append(module)
                    setattr(module, self._name, planted)
        return called

    def restore(self) -> None:
        """Take it away again."""
        for place in self._places:
            setattr(place, self._name, self._original)
        self._places = [self._owner]


def targets() -> Iterator[Target]:
    """Find every function and method of the rooms, but properties, generated methods and those that are bare."""
    import ocr_otel

    for found in sorted(pkgutil.walk_packages(ocr_otel.__path__, "ocr_otel."), key=lambda each: each.name):
        name = found.name.removeprefix("ocr_otel.")
        if not name.startswith(ROOMS) or name.startswith(WITHOUT) or name.endswith("__main__"):
            continue
        module = importlib.import_module(found.name)
        for attribute, value in list(vars(module).items()):
            if getattr(value, "__module__", None) != found.name:
                continue
            if inspect.isfunction(value):
                yield from _target(module, attribute, f"{name}.{attribute}")
            elif inspect.isclass(value) and not getattr(value, "_is_protocol", False):
                for method, function in list(vars(value).items()):
                    if isinstance(function, (types.FunctionType, staticmethod, classmethod)):
                        yield from _target(value, method, f"{name}.{attribute}.{method}")


def _target(owner: Any, name: str, path: str) -> Iterator[Target]:
    inner = vars(owner)[name]
    code = getattr(getattr(inner, "__func__", inner), "__code__", None)
    generated = code is not None and "/ocr_otel/" not in code.co_filename
    # A hook is where Lightning calls us, and its guard is around it: plants go into what it calls.
    guarded = hasattr(inner, "__wrapped__") or path.startswith("training.hooks.TrainingHooks.on_")
    if (
        path not in BARE
        and not generated
        and not guarded
        and name not in ("__getstate__", "__reduce__", "__deepcopy__")
    ):
        yield Target(owner, name, path)


def train(root: Path) -> tuple[str, str]:
    """Train once; return what the user's code said, and what came out of `fit`."""
    import lightning.pytorch as pl
    from lightning.pytorch.callbacks import ModelCheckpoint
    from torch.utils.data import DataLoader
    from user_training import Images, Module, trainer

    said = io.StringIO()
    problem = ""
    with redirect_stdout(said), tempfile.TemporaryDirectory(dir=root) as folder:
        pl.seed_everything(7)
        one = trainer(
            default_root_dir=folder,
            enable_checkpointing=True,
            callbacks=[ModelCheckpoint(folder)],
            val_check_interval=0.5,
        )
        try:
            one.fit(Module(), DataLoader(Images(80), batch_size=8), DataLoader(Images(16), batch_size=8))
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
    # Ours may print its card; what the training said are its losses.
    losses = [line for line in said.getvalue().splitlines() if line.startswith(("loss", "validation"))]
    return "\n".join(losses), problem


class Said(logging.Handler):
    """Keeps what ocr_otel says."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a sentence."""
        self.lines.append(record.getMessage())


def forget() -> None:
    """Let what is said once a process be said again, and let a recording that was left begin anew."""
    from ocr_otel.recording import recorder

    if recorder._current is not None:
        recorder._current._said.clear()
        recorder._current.busy = False


def busy() -> bool:
    """Return whether a recording was left as if it went on: then none of a later training would begin."""
    from ocr_otel.recording import recorder

    return recorder._current is not None and recorder._current.busy


def plant_each(chosen: list[Target], times: int, root: Path, said: Said, clean: str) -> list[dict[str, Any]]:
    """Train with a plant in each of the targets."""
    results = []
    for number, target in enumerate(chosen):
        said.lines.clear()
        forget()
        error = ERRORS[number % len(ERRORS)]
        # A window is read by another process, which takes longer than the training.
        windowed = target.path.startswith(("profiling.", "training.windows", "training.ranges", "training.on_demand"))
        os.environ["OCR_OTEL_PROFILE_EVERY"] = "8" if windowed else "0"
        began = time.monotonic()
        called = target.plant(error, times)
        try:
            losses, problem = train(root)
        finally:
            target.restore()
        results.append(
            {
                "target": target.path,
                "error": error.__name__,
                "times": times,
                "called": called[0],
                "same": losses == clean,
                "problem": problem,
                "said": said.lines[:],
                "busy": busy(),
                "seconds": time.monotonic() - began,
            }
        )
    return results


def main(results: Path, share: str) -> None:
    """Plant, and write down what became of it.

    Args:
        results: Where to.
        share: Which of how many shares of the targets, as `0/8`.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    part, parts = map(int, share.split("/"))
    root = Path(tempfile.mkdtemp(dir=results.parent))
    os.environ["OCR_OTEL_PROFILE_EVERY"] = "8"
    enabled = os.environ.pop("OCR_OTEL_ENABLED")
    clean, problem = train(root)
    assert not problem, problem
    os.environ["OCR_OTEL_ENABLED"] = enabled
    said = Said()
    logging.getLogger("ocr_otel").addHandler(said)
    recorded, problem = train(root)
    assert (recorded, problem, said.lines) == (clean, "", []), (problem, said.lines)
    chosen = list(targets())[part::parts]
    found = [each for times in (1, 1_000_000) for each in plant_each(chosen, times, root, said, clean)]
    # After all that, a training is recorded as if nothing had been.
    said.lines.clear()
    forget()
    before: Callable[[], int] = lambda: sum(line.count('"fit"') for line in _traces())  # noqa: E731
    fits = before()
    again, problem = train(root)
    results.write_text(
        json.dumps({"found": found, "after": [again == clean, problem, said.lines, before() - fits]}, indent=1)
    )


def _traces() -> list[str]:
    return (
        (Path(os.environ["OCR_OTEL_RUNS_DIR"]) / os.environ["OCR_OTEL_RUN_ID"] / "traces.jsonl")
        .read_text()
        .splitlines()
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
