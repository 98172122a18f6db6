"""`trainer.profiler` as our clock: Lightning brackets everything it calls with it, about thirty times a batch.

Lightning's default profiler does nothing, at the price of a generator, two method calls and a string each time. The
seam hands back contexts that were built once, so that being measured costs less than not being measured did. A
profiler that the user chose keeps its class and its work: only its `start` and `stop` are wrapped.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from time import perf_counter_ns
from types import TracebackType
from typing import Any, Final

from ocr_otel.recording import BatchPath, Recorder, journal
from ocr_otel.recording.contexts import FetchContext, TrainBatchContext
from ocr_otel.recording.device_times import PHASES, DeviceContext
from ocr_otel.recording.journal import NullContext, TimedContext
from ocr_otel.training.ranges import RangeContext, ranged
from ocr_otel.training.train_batch import TrainBatch
from ocr_otel.training.wrapping import is_own, replace

Failed = Callable[[str, Exception], None]

_NULL: Final = NullContext()
_STEPS: Final = frozenset({"training_step", "validation_step", "test_step", "predict_step"})
_NESTED: Final = frozenset({"on_after_batch_transfer", "on_before_zero_grad", "on_before_optimizer_step"})
"""Hooks that Lightning calls inside the transfer or the optimiser's step, and that belong to it."""
_METHODS: Final = ("profile", "start", "stop")
OWN_CALLBACK: Final = "OTelCallback"
"""Begins the state key of our own callback."""
_ACTION: Final = re.compile(r"^\[(?P<kind>\w+)\](?P<owner>.*)\.(?P<hook>\w+)$")
_FETCH: Final = re.compile(r"^\[\w+Loop\]\.\w+_next$")
"""What a loop calls its wait for data; an action of the application may end alike."""


class SaveContext(TimedContext):
    """Saving a checkpoint, from gathering the state on.

    Attributes:
        since: When it was entered, monotonic nanoseconds; 0 while nothing is saved.
    """

    __slots__ = ("since",)

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(recorder.path.journal, journal.CHECKPOINT, "save_checkpoint")
        self.since: int = 0

    def __enter__(self) -> None:
        super().__enter__()
        self.since = perf_counter_ns()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self.since = 0


class _EndContext(NullContext):
    """An action whose end closes the batch that runs."""

    __slots__ = ("_path",)

    def __init__(self, path: BatchPath) -> None:
        self._path = path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # With an exception the batch stays open, for `on_exception` to close it as failed.
        if kind is None or kind is StopIteration:
            self._path.close_batch(perf_counter_ns())


class Contexts(dict[str, AbstractContextManager[None]]):
    """The context of each of Lightning's actions; a name is parsed once and the answer kept.

    A dictionary, so that `contexts[action]` runs no code of ours but the first time.

    Args:
        recorder: Where the times go.
        module: The LightningModule; hooks that it does not override are not measured apart.
        batch: The training batch that runs.
        failed: Called with what fails on our side.
    """

    def __init__(self, recorder: Recorder, module: object, batch: TrainBatch, failed: Failed) -> None:
        self._path = recorder.path
        self._module_class = type(module)
        self._batch = batch
        self._failed = failed
        self._ranged = False
        self.optimizer: AbstractContextManager[None] = self._timed(journal.OPTIMIZER)
        self.backward: AbstractContextManager[None] = self._timed(journal.BACKWARD)
        self.synchronisation: AbstractContextManager[None] = self._timed(journal.COMMUNICATION)
        self._plain: dict[str, AbstractContextManager[None]] = {}
        self.save_checkpoint: SaveContext = SaveContext(recorder)

    def __missing__(self, action: str) -> AbstractContextManager[None]:
        """Make the context of an action that was not seen before."""
        try:
            context = self._make(action)
        except Exception as error:
            self._failed("context", error)
            context = _NULL
        if self._ranged:
            self._plain[action] = context
            context = ranged(context, self._path.journal)
        self[action] = context
        return context

    def ranges(self, on: bool) -> None:
        """Let the parts of batches be ranges in the profiler's trace, or no longer."""
        if on == self._ranged:
            return
        self._ranged = on
        known = self._path.journal
        if on:
            self._plain = dict(self)
            self._plain_direct = (self.optimizer, self.backward)
            self.update((action, ranged(context, known)) for action, context in self._plain.items())
            self.optimizer, self.backward = (ranged(context, known) for context in self._plain_direct)
        else:
            for context in (*self.values(), self.optimizer, self.backward):
                if isinstance(context, RangeContext):
                    context.end_range()
            self.update(self._plain)
            self.optimizer, self.backward = self._plain_direct

    def measure(self, name: str) -> None:
        """Make the context of something that is no action of Lightning's, and is measured as a callback is."""
        self[name] = self._timed(journal.CALLBACKS, name)

    def communication(self, name: str) -> TimedContext:
        """Return a new context of something in which ranks exchange values; no span, for it may be often."""
        return TimedContext(self._path.journal, journal.COMMUNICATION, name)

    def _timed(self, part: int, name: str = "") -> TimedContext:
        marks = self._path.marks
        if marks is not None and part in PHASES:
            return DeviceContext(self._path.journal, part, name, marks)
        return TimedContext(self._path.journal, part, name)

    def _make(self, action: str) -> AbstractContextManager[None]:
        if _FETCH.match(action):
            return FetchContext(self._path)
        if action == "run_training_epoch":
            return _EndContext(self._path)
        if action == "optimizer_step":
            return self.optimizer
        if action == "save_checkpoint":
            return self.save_checkpoint
        parsed = _ACTION.match(action)
        if parsed is None:
            return _NULL
        kind, owner, hook = parsed["kind"], parsed["owner"], parsed["hook"]
        match kind:
            case "Strategy":
                return self._strategy(hook)
            case "LightningModule":
                return self._module(hook, owner)
            case "Callback" if owner.startswith(OWN_CALLBACK):
                # What we cost is told elsewhere, and is nothing that the training does.
                return _NULL
            case "Callback":
                return self._timed(journal.CALLBACKS, callback_name(owner))
        return _NULL

    def _overrides(self, hook: str) -> bool:
        # Most hooks are Lightning's own and empty: what they take is the loop's.
        defined = next((base for base in self._module_class.__mro__ if hook in vars(base)), None)
        return defined is not None and not defined.__module__.startswith(("lightning.", "pytorch_lightning."))

    def _strategy(self, hook: str) -> AbstractContextManager[None]:
        if hook in _STEPS:
            return self._timed(journal.FORWARD)
        if hook == "backward":
            return self.backward
        if hook == "batch_to_device":
            return self._timed(journal.TRANSFER)
        return _NULL

    def _module(self, hook: str, owner: str) -> AbstractContextManager[None]:
        if hook == "optimizer_step":
            return self._timed(journal.OPTIMIZER)
        if hook in _NESTED:
            return _NULL
        if hook == "on_train_batch_start":
            own = self._timed(journal.CALLBACKS, f"{owner}.{hook}") if self._overrides(hook) else _NULL
            return TrainBatchContext(self._path, self._batch.index, self._batch.samples, own, self._failed)
        if hook == "on_before_batch_transfer" and self._overrides(hook):
            return self._timed(journal.TRANSFER, hook)
        if hook == "lr_scheduler_step" or (hook.startswith("on_") and self._overrides(hook)):
            return self._timed(journal.CALLBACKS, f"{owner}.{hook}")
        return _NULL


def callback_name(state_key: str) -> str:
    """Return a callback's class from its state key, which may hold its arguments too."""
    return state_key.partition("{")[0] or state_key


class ProfilerSeam:
    """Puts the contexts behind a Trainer's profiler, and takes them away again.

    Args:
        profiler: The Trainer's profiler.
        contexts: The contexts of the actions.
    """

    def __init__(self, profiler: Any, contexts: Contexts) -> None:
        def start(action_name: str) -> None:
            contexts[action_name].__enter__()

        def stop(action_name: str) -> None:
            # An action that began before the seam was there, such as the hook that installs it, must not end in it.
            context = contexts.get(action_name)
            if context is not None:
                context.__exit__(None, None, None)

        replacements: dict[str, Callable[..., Any]]
        # A method may have been replaced on this one profiler before: it is called, and put back.
        if type(profiler).__name__ == "PassThroughProfiler" and not any(is_own(profiler, name) for name in _METHODS):
            replacements = {"profile": contexts.__getitem__, "start": start, "stop": stop}
        else:
            replacements = {"start": _both(profiler.start, start), "stop": _both(profiler.stop, stop)}
        self._undo = [replace(profiler, name, replacement) for name, replacement in replacements.items()]

    def remove(self) -> None:
        """Leave the profiler as it was."""
        for undo in self._undo:
            undo()


def _both(theirs: Callable[[str], Any], ours: Callable[[str], None]) -> Callable[[str], None]:
    def call(action_name: str) -> None:
        theirs(action_name)
        ours(action_name)

    return call
