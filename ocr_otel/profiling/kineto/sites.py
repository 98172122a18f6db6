"""The line of the training's own code behind an event, where Python functions were recorded."""

from __future__ import annotations

import re
import sys
from typing import Final

from ocr_otel.profiling.kineto.nesting import NONE, Integers
from ocr_otel.profiling.kineto.window import Window

_FUNCTION: Final = re.compile(r"^(?P<file>[^<].*)\((?P<line>\d+)\): (?P<function>.+)$")
_LIBRARIES: Final = frozenset(
    {
        "torch", "lightning", "pytorch_lightning", "lightning_fabric", "torchvision", "torchaudio", "torchmetrics",
        "numpy", "PIL", "tqdm", "rich", "accelerate", "transformers", "timm", "opentelemetry", "hydra",
        "lightning_utilities", "site-packages", "dist-packages",
    }
)  # fmt: skip
"""First directories of what Python's profiler hook cuts down to a path below `sys.path`, and is nobody's own code."""
_MAX_FRAMES: Final = 200


class Sites:
    """Finds call sites; one line is looked for once.

    Args:
        window: The window.
    """

    def __init__(self, window: Window) -> None:
        self._window = window
        self._python = window.python
        self._threads = window.columns.thread
        self._known: dict[int, str] = {}

    def of(self, events: Integers) -> list[str]:
        """Return the call site of each of some events in `host`; empty where no Python function was around it."""
        if not len(self._python):
            return [""] * len(events)
        window = self._window
        found = self._python.innermost(window.host_threads[events], window.host.start[events])
        calls = window.trace.calls.of(self._python.places)
        sites: list[str] = []
        for frame in found.tolist():
            if frame not in self._known:
                self._known[frame] = self._climb(frame, calls)
            sites.append(self._known[frame])
        return sites

    def most(self, events: Integers) -> str:
        """Return the call site at which some events in `host` took most of their time."""
        times: dict[str, int] = {}
        spent = (self._window.host.end - self._window.host.start)[events]
        for site, length in zip(self.of(events), spent.tolist(), strict=True):
            if site:
                times[site] = times.get(site, 0) + length
        return max(times, key=times.__getitem__) if times else ""

    def _climb(self, frame: int, calls: Integers) -> str:
        """Return the innermost line of own code around a Python function."""
        window = self._window
        for _ in range(_MAX_FRAMES):
            if frame == NONE:
                return ""
            function = _FUNCTION.match(window.name(window.columns.name[self._python.places[frame]]))
            if function is not None and not is_library(function["file"]):
                return f"{_short(function['file'])}:{function['line']} in {function['function']}"
            # Newer PyTorch records which line made the call, older only where the function begins.
            if calls[frame] >= 0:
                file, _, line = window.trace.texts[calls[frame]].rpartition(":")
                if not is_library(file):
                    return f"{_short(file)}:{line}{self._within(int(self._python.parent[frame]))}"
            frame = int(self._python.parent[frame])
        return ""

    def _within(self, frame: int) -> str:
        if frame == NONE:
            return ""
        function = _FUNCTION.match(self._window.name(self._window.columns.name[self._python.places[frame]]))
        return f" in {function['function']}" if function is not None else ""


def is_library(file: str) -> bool:
    """Return whether a file belongs to Python or to a library, not to the training itself."""
    parts = file.replace("\\", "/").split("/")
    first = parts[0]
    return (
        first.startswith("<")
        # The demonstration stands for a training of the user's.
        or (first == "ocr_otel" and parts[1:2] != ["demo"])
        or not _LIBRARIES.isdisjoint(parts)
        or first.removesuffix(".py") in sys.stdlib_module_names
        or any(part.startswith("python3.") for part in parts)
    )


def _short(file: str) -> str:
    """Return a file's name: the folders that it lies in are the machine's, and stay there."""
    return file.replace("\\", "/").rpartition("/")[2]
