"""One window of `torch.profiler`, from warming up to the trace, and other profilers that must not meet it.

A range (`record_function`) that is entered under one profiler and left under the next one writes into memory that
went with the first: PyTorch keeps a pointer there, and asks only whether any profiler runs. No range may therefore be
open when a window ends. Ours are ended by their contexts; those of others by `end_ranges`, where another profiler
follows at once.
"""

from __future__ import annotations

import gc
import threading
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final

import torch

# The functions through which every profiler of torch starts, and which raise where one runs already.
_STARTERS: Final = ("_prepare_profiler", "_enable_profiler")


def other_profiler_runs() -> bool:
    """Return whether a profiler of torch runs in this thread, whoever started it."""
    from torch.autograd import profiler

    return bool(getattr(profiler, "_is_profiler_enabled", False) or torch._C._autograd._profiler_enabled())


class TorchWindow:
    """Records batches with `torch.profiler.profile`; all methods are called by the training thread.

    Args:
        warmup: Batches in which it warms up.
        batches: Batches that it records.
        details: What is recorded beside times: `shapes`, `stack`, `memory`, `flops`.
        give_way: Called before another profiler starts in this thread while the window is open; it must end the window.
    """

    def __init__(self, warmup: int, batches: int, details: tuple[str, ...], give_way: Callable[[], None]) -> None:
        from torch.profiler import profile, schedule

        self._give_way = give_way
        self._thread = threading.get_ident()
        self._ours = False
        self._originals: dict[str, Any] = {}
        with warnings.catch_warnings():
            # That there is no warm-up is on purpose where the first batches are what is asked about.
            warnings.simplefilter("ignore")
            steps = schedule(wait=0, warmup=warmup, active=batches, repeat=1)
        self._profile = profile(
            schedule=steps,
            record_shapes="shapes" in details,
            with_stack="stack" in details,
            profile_memory="memory" in details,
            with_flops="flops" in details,
        )

    def start(self) -> None:
        """Begin to warm up, or to record."""
        self._watch_others()
        with self._by_us():
            self._profile.start()

    def step(self) -> None:
        """A batch is over."""
        with self._by_us():
            self._profile.step()

    def stop(self) -> None:
        """End; recording what there is."""
        try:
            with self._by_us():
                self._profile.stop()
        except Exception:
            _switch_off()
            raise
        finally:
            self._leave_others()

    def save(self, path: Path) -> None:
        """Write the trace, in any thread.

        Raises:
            RuntimeError: There is none.
            OSError: It cannot be written.
        """
        self._profile.export_chrome_trace(str(path))
        if not path.exists():
            # Kineto logs what it cannot write, and raises nothing.
            raise OSError(f"{path.name} could not be written")

    @contextmanager
    def _by_us(self) -> Any:
        self._ours = True
        try:
            yield
        finally:
            self._ours = False

    def _watch_others(self) -> None:
        from torch.autograd import profiler

        for name in _STARTERS:
            original = getattr(profiler, name, None)
            if original is not None:
                self._originals[name] = original
                setattr(profiler, name, self._warned(original))

    def _warned(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def start(*args: Any, **kwargs: Any) -> Any:
            if not self._ours and threading.get_ident() == self._thread:
                self._give_way()
            return original(*args, **kwargs)

        return start

    def _leave_others(self) -> None:
        from torch.autograd import profiler

        for name, original in self._originals.items():
            setattr(profiler, name, original)
        self._originals.clear()


def _switch_off() -> None:
    """Switch a profiler off that failed in stopping: left on, it would record until the process ends."""
    from torch.autograd import profiler

    if torch._C._autograd._profiler_enabled():
        torch._C._autograd._disable_profiler()
    if hasattr(profiler, "_run_on_profiler_stop"):
        profiler._run_on_profiler_stop()


def end_ranges() -> None:
    """End every range that is open, whoever opened it; that its owner ends it again later does nothing.

    They are looked for among all objects, which takes tens of milliseconds: to note each as it opens would cost every
    range something, for what happens once in a training if ever.
    """
    for found in gc.get_objects():
        if type(found) is torch.profiler.record_function and getattr(found, "record", None) is not None:
            found.__exit__(None, None, None)


def named_range(name: str) -> AbstractContextManager[Any]:
    """Return a context that shows in the trace under a name."""
    return torch.profiler.record_function(name)
