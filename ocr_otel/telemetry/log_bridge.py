"""Python's `logging` and warnings as OpenTelemetry logs, without a change of what the program prints."""

from __future__ import annotations

import functools
import logging
import os
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final, TextIO

from opentelemetry.context import Context, attach, detach
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.semconv.attributes.exception_attributes import (
    EXCEPTION_MESSAGE,
    EXCEPTION_STACKTRACE,
    EXCEPTION_TYPE,
)

from ocr_otel import semconv
from ocr_otel.errors import SettingsError
from ocr_otel.redaction import MAX_MESSAGE, safe_exception, safe_message
from ocr_otel.telemetry.allowance import Allowance
from ocr_otel.telemetry.failures import MAX_FAILURES, Failed, say_part_off

logger: Final = logging.getLogger("ocr_otel")

BURST: Final = 200
"""Records that may come at once, such as while a Trainer sets up."""
PER_SECOND: Final = 20.0
"""Records a second that may come all the time: at 0.3 ms each, below a warning and from it on, some 1 % of a CPU."""
OWN: Final = ("ocr_otel", "opentelemetry")
"""Loggers of ours and of OpenTelemetry: what they say of an export that fails would be exported."""
WARNINGS: Final = "py.warnings"
"""The logger that `logging.captureWarnings` gives warnings to."""

Place = Callable[[], tuple[Context | None, Mapping[str, Any]]]
"""Says where the training is: the context of a record, None for the current one, and its attributes."""


def required_handler(setting: str) -> type[Any]:
    """Return OpenTelemetry's handler of log records, which is a package of its own.

    Args:
        setting: What asks for it.

    Raises:
        SettingsError: It is not installed.
    """
    try:
        from opentelemetry.instrumentation.logging.handler import LoggingHandler
    except ImportError:
        raise SettingsError(
            f"OCR_OTEL_LOGS={setting!r} needs opentelemetry-instrumentation-logging: pip install 'ocr_otel[logs]'."
        ) from None
    return LoggingHandler


class Rate:
    """Lets so many things through a second, and more at once after a quiet time; what it did not is counted.

    Args:
        burst: How many at once.
        per_second: How many all the time.
        now: Returns the time in seconds.

    Attributes:
        left_out: What was not let through.
    """

    def __init__(self, burst: int, per_second: float, now: Callable[[], float] = time.monotonic) -> None:
        self._allowance = Allowance(burst, 1 / per_second)
        self._now = now
        self._lock = threading.Lock()
        self.left_out: int = 0

    def admits(self) -> bool:
        """Return whether one more may pass."""
        with self._lock:
            if self._allowance.take(self._now()):
                return True
            self.left_out += 1
            return False

    def take_left_out(self) -> int:
        """Return what was not let through since this was asked."""
        with self._lock:
            found, self.left_out = self.left_out, 0
            return found


class LogBridge:
    """Passes what is logged to a handler, as it may leave.

    A handler of the root logger would change what the program prints: `logging.basicConfig` does nothing where there is
    one, warnings of a program without handlers would not be printed any more, `dictConfig` would take it away again,
    and Lightning's loggers do not pass their records to the root. So `logging.Logger.callHandlers` is wrapped, which
    all loggers call, and `warnings.showwarning`, which is made to be replaced.

    Args:
        handler: OpenTelemetry's, which makes a log record of each and sends it.
        level: Records below it are not sent. A logger's own level holds as well.
        place: Says where the training is.
        failed: Takes a failure of ours with its cause.
    """

    def __init__(self, handler: logging.Handler, level: int, place: Place, failed: Failed) -> None:
        self._handler = handler
        self._level = level
        self._place = place
        self._failed = failed
        self._failures = 0
        self._pid = os.getpid()
        # Apart, so that what matters is not left out for what does not.
        self._rates = {severe: Rate(BURST, PER_SECOND) for severe in (False, True)}
        self._local = threading.local()
        self._active = False
        self._call_handlers: Any = None
        self._show_warning: Any = None
        self._originals: tuple[Any, Any] = (logging.Logger.callHandlers, warnings.showwarning)

    def install(self) -> None:
        """Begin, unless another handler of OpenTelemetry sends the program's records already."""
        if any(_of_opentelemetry(each) for each in logging.getLogger().handlers):
            logger.warning(
                "ocr_otel: OCR_OTEL_LOGS has no effect, because another handler of OpenTelemetry sends what is logged."
            )
            return
        self._active = True
        self._originals = (logging.Logger.callHandlers, warnings.showwarning)
        self._wrap_logger(self._originals[0])
        self._wrap_warnings(self._originals[1])

    def remove(self) -> None:
        """End; what somebody has wrapped around ours stays, and passes through."""
        self.tell_left_out()
        self._active = False
        if self._call_handlers is None:
            return
        if logging.Logger.callHandlers is self._call_handlers:
            logging.Logger.callHandlers = self._originals[0]  # type: ignore[method-assign]
        if warnings.showwarning is self._show_warning:
            warnings.showwarning = self._originals[1]

    def tell_left_out(self) -> None:
        """Say how many records were not sent, where there are some."""
        left_out = sum(rate.take_left_out() for rate in self._rates.values())
        if left_out and self._active and os.getpid() == self._pid:
            text = f"{left_out:,} log records are left out: more came than {PER_SECOND:.0f} a second."
            record = logging.LogRecord("ocr_otel", logging.WARNING, "", 0, text, None, None)
            self._send(record, {semconv.LOGS_LEFT_OUT: left_out})

    def _wrap_logger(self, original: Callable[[logging.Logger, logging.LogRecord], None]) -> None:
        @functools.wraps(original)
        def call_handlers(log: logging.Logger, record: logging.LogRecord) -> None:
            try:
                original(log, record)
            finally:
                self._see(record)

        self._call_handlers = call_handlers
        logging.Logger.callHandlers = call_handlers  # type: ignore[method-assign, assignment]

    def _wrap_warnings(self, original: Callable[..., None]) -> None:
        @functools.wraps(original)
        def showwarning(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            seen = self._warnings_seen()
            try:
                original(message, category, filename, lineno, file, line)
            finally:
                # Where warnings are captured, the logger has told it already.
                if self._warnings_seen() == seen:
                    text = f"{category.__name__}: {message}"
                    self._see(logging.LogRecord(WARNINGS, logging.WARNING, filename, lineno, text, None, None))

        self._show_warning = showwarning
        warnings.showwarning = showwarning

    def _warnings_seen(self) -> int:
        return getattr(self._local, "warnings", 0)

    def _see(self, record: logging.LogRecord) -> None:
        """Send a record, unless it is one of ours or comes while another is sent."""
        if record.name == WARNINGS:
            self._local.warnings = self._warnings_seen() + 1
        if not self._active or record.levelno < self._level or os.getpid() != self._pid or _is_own(record.name):
            return
        if getattr(self._local, "sending", False) or not is_instrumentation_enabled():
            return
        if not self._rates[record.levelno >= logging.WARNING].admits():
            return
        self._send(record, {})

    def _send(self, record: logging.LogRecord, more: Mapping[str, Any]) -> None:
        self._local.sending = True
        try:
            context, attributes = self._place()
            token = attach(context) if context is not None else None
            try:
                self._handler.emit(_safe(record, {**attributes, **more}))
            finally:
                if token is not None:
                    detach(token)
        except Exception as error:
            self._fail(error)
        finally:
            self._local.sending = False

    def _fail(self, error: Exception) -> None:
        self._failures += 1
        self._failed("logs", error)
        if self._failures == MAX_FAILURES:
            self._active = False
            say_part_off("logs", error)


def _is_own(name: str) -> bool:
    return name.partition(".")[0] in OWN


def _of_opentelemetry(handler: logging.Handler) -> bool:
    kind = type(handler)
    return any(
        each.__name__ == "LoggingHandler" and each.__module__.startswith("opentelemetry.") for each in kind.__mro__
    )


def _safe(record: logging.LogRecord, attributes: Mapping[str, Any]) -> logging.LogRecord:
    """Return what may leave of a record: nothing of what was given as `extra`, and file names for paths."""
    found: dict[str, Any] = {
        "name": record.name,
        "levelno": record.levelno,
        "levelname": record.levelname,
        "msg": safe_message(_text(record).strip(), MAX_MESSAGE),
        "args": None,
        "created": record.created,
        "pathname": os.path.basename(record.pathname),
        "lineno": record.lineno,
        "funcName": record.funcName or "",
        **attributes,
    }
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        found[EXCEPTION_TYPE], found[EXCEPTION_MESSAGE], found[EXCEPTION_STACKTRACE] = safe_exception(error)
    return logging.makeLogRecord(found)


def _text(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:
        # The program's own mistake, which its own handlers tell.
        return str(record.msg)
