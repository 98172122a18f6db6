"""The entry of this process that runs, and its end where no hook tells of it.

While Lightning tries learning rates it takes all callbacks off the Trainer, and does not put them back where a step of
that raises: none of them is told of the exception. So may a callback before ours that fails in `on_exception`.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable
from typing import Any, NamedTuple


class _Running(NamedTuple):
    trainer: Any
    end: Callable[[], None]


_running: _Running | None = None


def begins(trainer: Any, end: Callable[[], None]) -> None:
    """An entry begins.

    Args:
        trainer: Its Trainer.
        end: Ends it as failed. It does not fail.
    """
    global _running
    ended()
    _running = _Running(trainer, end)
    atexit.register(_process_ends)


def ended() -> None:
    """It has ended."""
    global _running
    _running = None
    atexit.unregister(_process_ends)


def end_where_stopped() -> None:
    """End the entry of a Trainer that has stopped, as another entry begins."""
    running = _running
    if running is not None and running.trainer.state.stopped:
        running.end()


def _process_ends() -> None:
    running = _running
    if running is not None:
        running.end()
