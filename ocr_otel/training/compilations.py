"""What `torch.compile` compiled, and what of it again."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Compiled:
    """Compilations of some time.

    Attributes:
        seconds: How long they took.
        again: How many of them were of code that had been compiled before.
        again_seconds: How long those took.
    """

    seconds: float
    again: int
    again_seconds: float


class Compilations:
    """Reads the metrics that PyTorch keeps of its last 64 compilations; with more of them it tells too little."""

    def __init__(self) -> None:
        self._latest_us = 0
        self._code: set[tuple[Any, ...]] = set()

    def take(self) -> Compiled:
        """Return what was compiled since the last call; nothing where nothing is compiled in this process."""
        utils = sys.modules.get("torch._dynamo.utils")
        read = getattr(utils, "get_compilation_metrics", None)
        if read is None:
            return Compiled(0.0, 0, 0.0)
        seconds = again_seconds = 0.0
        again = 0
        since = self._latest_us
        for each in read():
            ended = getattr(each, "end_time_us", None) or 0
            if ended <= since:
                continue
            self._latest_us = max(self._latest_us, ended)
            took = (getattr(each, "duration_us", None) or 0) / 1e6
            seconds += took
            # Backward graphs and autotuning have no code of their own: they belong to the forward before them.
            if getattr(each, "co_name", None) is None:
                continue
            code = (each.co_filename, each.co_firstlineno, each.co_name)
            if code in self._code:
                again += 1
                again_seconds += took
            self._code.add(code)
        return Compiled(seconds, again, again_seconds)
