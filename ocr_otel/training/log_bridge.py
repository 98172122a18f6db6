"""What the program logs, sent under the batch in which it was logged."""

from __future__ import annotations

import logging

from ocr_otel.recording import Recorder
from ocr_otel.recording.place import place_of
from ocr_otel.settings import OFF, Settings
from ocr_otel.telemetry.log_bridge import LogBridge, required_handler


def check_logs(settings: Settings) -> None:
    """Make sure that what the setting asks for can be done.

    Raises:
        SettingsError: A package is missing.
    """
    if settings.logs != OFF:
        required_handler(settings.logs)


def bridge_logs(recorder: Recorder, settings: Settings) -> None:
    """Send what the program logs from now on, to the end of the process; once for a process."""
    session = recorder.session
    if settings.logs == OFF or session.logs is not None:
        return
    level = logging.getLevelNamesMapping()[settings.logs.upper()]
    handler = required_handler(settings.logs)(logger_provider=session.events.provider(), log_code_attributes=True)
    session.logs = LogBridge(handler, level, lambda: place_of(recorder), recorder.failed_beside)
    session.logs.install()
