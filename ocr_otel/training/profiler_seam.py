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

from ocr_otel.recording import Recorder, clock
from ocr_otel.recording.clock import HookContext, NullContext, PhaseContext

_NULL: Final = NullContext()
_STEPS: Final = frozenset({"training_step", "validation_step", "test_step", "predict_step"})
_NESTED: Final = frozenset({"on_after_batch_transfer", "on_before_zero_grad", "on_before_optimizer_step"})
"""Hooks that Lightning calls inside the transfer or the optimiser's step, and that belong to it."""
_BOUNDARY: Final = "on_validation_model_zero_grad"
"""The first thing Lightning calls when a validation interrupts the training."""
_ACTION: Final = re.compile(r"^\[(?P<kind>\w+)\](?P<owner>.*)\.(?P<hook>\w+)$")


class _FetchContext(PhaseContext):
    """Waiting for data, which is also where one batch ends and the next begins."""

    __slots__ = ("_path",)

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(recorder.path.clock, clock.FETCH)
        self._path = recorder.path

    def __enter__(self) -> None:
        self._path.fetch_begins(perf_counter_ns())
        super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._path.fetch_ends()


class _EndContext(NullContext):
    """An action whose beginning (or end) closes the batch that runs."""

    __slots__ = ("_at_enter", "_path")

    def __init__(self, recorder: Recorder, at_enter: bool) -> None:
        self._path = recorder.path
        self._at_enter = at_enter

    def __enter__(self) -> None:
        if self._at_enter:
            self._path.interrupted(perf_counter_ns())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # With an exception the batch stays open, for `on_exception` to close it as failed.
        if not self._at_enter and (kind is None or kind is StopIteration):
            self._path.close_batch(perf_counter_ns())


class Contexts:
    """Parses each action name of Lightning's once and keeps the answer."""

    def __init__(self, recorder: Recorder, module: object) -> None:
        self._recorder = recorder
        self._module_class = type(module)
        self._by_action: dict[str, AbstractContextManager[None]] = {}
        self.optimizer = PhaseContext(recorder.path.clock, clock.OPTIMIZER)
        self.backward = PhaseContext(recorder.path.clock, clock.BACKWARD)

    def get(self, action: str) -> AbstractContextManager[None]:
        """Return the context of an action."""
        try:
            return self._by_action[action]
        except KeyError:
            context = self._by_action[action] = self._make(action)
            return context

    def _make(self, action: str) -> AbstractContextManager[None]:
        recorder = self._recorder
        if action.endswith("_next"):
            return _FetchContext(recorder)
        if action == "run_training_epoch":
            return _EndContext(recorder, at_enter=False)
        if action == "optimizer_step":
            return self.optimizer
        if action == "save_checkpoint":
            return HookContext(recorder.path.clock, clock.CHECKPOINT, action)
        parsed = _ACTION.match(action)
        if parsed is None:
            return _NULL
        kind, owner, hook = parsed["kind"], parsed["owner"], parsed["hook"]
        match kind:
            case "Strategy":
                return self._strategy(hook)
            case "LightningModule":
                return self._module(hook, owner)
            case "Callback":
                return recorder.hook_context(clock.CALLBACKS, callback_name(owner))
        return _NULL

    def _overrides(self, hook: str) -> bool:
        # Most hooks are Lightning's own and empty: what they take is the loop's.
        defined = next((base for base in self._module_class.__mro__ if hook in vars(base)), None)
        return defined is not None and not defined.__module__.startswith(("lightning.", "pytorch_lightning."))

    def _strategy(self, hook: str) -> AbstractContextManager[None]:
        if hook in _STEPS:
            return PhaseContext(self._recorder.path.clock, clock.FORWARD)
        if hook == "backward":
            return self.backward
        if hook == "batch_to_device":
            return PhaseContext(self._recorder.path.clock, clock.TRANSFER)
        return _NULL

    def _module(self, hook: str, owner: str) -> AbstractContextManager[None]:
        if hook == "optimizer_step":
            return PhaseContext(self._recorder.path.clock, clock.OPTIMIZER)
        if hook == _BOUNDARY:
            return _EndContext(self._recorder, at_enter=True)
        if hook in _NESTED:
            return _NULL
        if hook == "on_before_batch_transfer" and self._overrides(hook):
            return HookContext(self._recorder.path.clock, clock.TRANSFER, hook)
        if hook == "lr_scheduler_step" or (hook.startswith("on_") and self._overrides(hook)):
            return self._recorder.hook_context(clock.CALLBACKS, f"{owner}.{hook}")
        return _NULL


def callback_name(state_key: str) -> str:
    """Return a callback's class from its state key, which may hold its arguments too."""
    return state_key.partition("{")[0] or state_key


class ProfilerSeam:
    """Puts the contexts behind a Trainer's profiler, and takes them away again.

    Args:
        profiler: The Trainer's profiler.
        recorder: Where the times go.
        module: The LightningModule; hooks that it does not override are not measured apart.
    """

    def __init__(self, profiler: Any, recorder: Recorder, module: object) -> None:
        self.contexts = Contexts(recorder, module)
        self._profiler = profiler
        # Actions that began before the seam was there, such as the hook that installs it, must not end in it.
        self._begun: set[str] = set()
        if type(profiler).__name__ == "PassThroughProfiler":
            profiler.profile = self.contexts.get
            profiler.start = self._start
            profiler.stop = self._stop
        else:
            profiler.start = _both(profiler.start, self._start)
            profiler.stop = _both(profiler.stop, self._stop)

    def _start(self, action_name: str) -> None:
        self._begun.add(action_name)
        self.contexts.get(action_name).__enter__()

    def _stop(self, action_name: str) -> None:
        if action_name in self._begun:
            self.contexts.get(action_name).__exit__(None, None, None)

    def remove(self) -> None:
        """Leave the profiler as it was."""
        for name in ("profile", "start", "stop"):
            vars(self._profiler).pop(name, None)


def _both(theirs: Callable[[str], Any], ours: Callable[[str], None]) -> Callable[[str], None]:
    def call(action_name: str) -> None:
        theirs(action_name)
        ours(action_name)

    return call
