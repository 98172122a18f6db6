"""How a process ended, in a sentence and in values."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

from ocr_otel.semconv import EndCause


@dataclass(frozen=True, slots=True)
class End:
    """The end of a process.

    Attributes:
        cause: Why it is gone.
        summary: The same in a sentence, without its full stop.
        signal: Name of the signal that killed it, such as `SIGKILL`; None where none did.
        exit_code: Its exit code; None where it did not end by itself.
    """

    cause: EndCause
    summary: str
    signal: str | None = None
    exit_code: int | None = None


HOST_RESTART = End(EndCause.HOST_RESTART, "its host was started anew while it ran")
GONE = End(EndCause.UNKNOWN, "its process is gone, and nothing says why")
REPLACED = End(EndCause.EXIT, "its process replaced itself by another program")


def end_of(status: int | None, out_of_memory: str) -> End:
    """Return how a process ended.

    Args:
        status: Its status, as `os.wait` returns it; None where unknown.
        out_of_memory: What the kernel says about memory, behind `the kernel`; empty where it says nothing.
    """
    if status is None:
        if out_of_memory:
            return End(EndCause.OOM, f"killed: the kernel {out_of_memory}", "SIGKILL")
        return GONE
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return End(EndCause.EXIT, f"exited with code {code} before its telemetry was ended", exit_code=code)
    name = _name(-code)
    if -code == signal.SIGKILL and out_of_memory:
        return End(EndCause.OOM, f"killed by {name}: the kernel {out_of_memory}", name)
    return End(EndCause.SIGNAL, f"killed by {name}", name)


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
