"""Lets windows of the profiler be asked for from outside, by a command and by a signal, while an entry runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ocr_otel.profiling.control.server import ControlServer
from ocr_otel.profiling.control.signals import RequestSignal
from ocr_otel.profiling.requests import Windows
from ocr_otel.telemetry import Session


class OnDemand:
    """What an entry listens on.

    Args:
        windows: Opens the windows.
        session: This process's telemetry, which knows the run.
        trainer: The Trainer.
        failed: Takes a failure with its cause.
    """

    def __init__(
        self, windows: Windows, session: Session, trainer: Any, failed: Callable[[str, Exception], None]
    ) -> None:
        identity = session.identity
        self._trainer = trainer
        self._server = ControlServer(windows, identity.run_id, identity.rank, session.directory, failed)
        self._signal = RequestSignal(windows, failed)

    def start(self) -> None:
        """Begin to listen for `ocr-otel profile`."""
        self._server.start()

    def take_signal(self) -> None:
        """Take `SIGUSR2` if it is free; to be called when a loop begins.

        Not before: by then Lightning has taken what it needs for SLURM, and has remembered the handlers of before the
        entry, which it puts back in the end.
        """
        self._signal.install(requeue_signal(self._trainer))

    def stop(self) -> None:
        """Tell who still waits that the entry is over, and leave nothing behind."""
        self._signal.remove()
        self._server.stop()


def requeue_signal(trainer: Any) -> int | None:
    """Return the signal with which SLURM tells this training to save and requeue itself; None without SLURM."""
    environment = trainer._accelerator_connector.cluster_environment
    found = getattr(environment, "requeue_signal", None)
    return int(found) if found is not None else None
