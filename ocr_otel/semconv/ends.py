"""How a training ended that could not say it itself, and one that does not go on."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from ocr_otel.semconv.names import attribute, event, metric


class EndCause(StrEnum):
    """Values of `training.end.cause`."""

    SIGNAL = "signal"
    """A signal killed the process."""
    OOM = "oom"
    """The kernel killed it because memory ran out."""
    EXIT = "exit"
    """It ended by itself, such as by `os._exit`, without telling anybody."""
    HOST_RESTART = "host_restart"
    """Its host was started anew meanwhile."""
    UNKNOWN = "unknown"
    """It is gone, and nothing says why."""


class Section(StrEnum):
    """Values of `training.section`: what a training does now."""

    SETUP = "setup"
    """The entry has begun, and no loop."""
    TRAIN = "train"
    """Batches of a training epoch."""
    EVALUATE = "evaluate"
    """Batches of a validation, a test or a prediction."""
    CHECKPOINT = "checkpoint"
    """A checkpoint is written."""
    BETWEEN = "between"
    """Between two loops."""


_KILLED: Final = "Spans that the watchdog ended."

END_CAUSE: Final = attribute("training.end.cause", "string", "Why the process is gone.", _KILLED)
END_SIGNAL: Final = attribute(
    "training.end.signal", "string", "The signal that killed it.", f"{_KILLED} Where a signal did."
)
END_EXIT_CODE: Final = attribute(
    "process.exit.code", "int", "The exit code of the process.", f"{_KILLED} Where it ended by itself."
)
END_SUMMARY: Final = attribute("training.end.summary", "string", "How it ended, in one sentence.", _KILLED)
SECTION: Final = attribute(
    "training.section", "string", "What the training was doing.", f"`training.hang`, `training.hangs`. {_KILLED}"
)

HANG_EVENT: Final = event(
    "training.hang",
    "Nothing has gone on for far longer than this training ever took for it; the training was not touched.",
    "A log record, once for each time that nothing goes on.",
)
HANG_DURATION: Final = attribute(
    "training.hang.duration", "double", "Time in which nothing went on.", "`training.hang`.", "s"
)
HANG_BOUND: Final = attribute(
    "training.hang.bound", "double", "Time after which that is called a hang.", "`training.hang`.", "s"
)
HANG_STACKS: Final = attribute(
    "training.hang.stacks",
    "string",
    "Python stacks of the training process and of its dataloader workers, innermost call first.",
    "`training.hang`, where they could be had.",
)
HANG_LINE: Final = attribute(
    "training.hang.line", "string", "Innermost line of the thread that trains.", "`training.hang`, with stacks."
)
METRIC_HANGS: Final = metric(
    "training.hangs", "counter", "{hang}", "Times that nothing went on for far too long.", "By `training.section`."
)
