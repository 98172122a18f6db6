"""Loaded into Lightning's pytest, in both runs alike: a first training before the tests, and what JUnit files lack.

The threads of a process's telemetry last as long as the process, and Lightning's tests fail where a thread is new after
one: so the process trains once before the first. What a single training leaves behind they still find.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from typing import Any, Final

import pytest

from tests.lightning_suite.comparing import ENTRIES, NODE_ID, SAID

FOLDER: Final = "tests/tests_pytorch/"
"""Where Lightning's tests are in its repository; ids begin after it."""
_STARTER: Final = "ocr_otel-watchdog"
_STARTED_SECONDS: Final = 20.0


class _Said(logging.Handler):
    """Keeps what ocr_otel warns of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


_said: Final = _Said()
_before: Final = pytest.StashKey[int]()


def pytest_sessionstart() -> None:
    """Train once."""
    logging.getLogger("ocr_otel").addHandler(_said)
    from lightning.pytorch import Trainer
    from lightning.pytorch.demos.boring_classes import BoringModel

    with tempfile.TemporaryDirectory() as folder:
        Trainer(
            accelerator="cpu",
            max_steps=1,
            limit_val_batches=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=folder,
        ).fit(BoringModel())
    until = time.monotonic() + _STARTED_SECONDS
    while time.monotonic() < until and any(thread.name == _STARTER for thread in threading.enumerate()):
        time.sleep(0.05)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin to look what ocr_otel does in a test."""
    _said.texts.clear()
    recorder = _recorder()
    if recorder is not None:
        # What failed in a test before is said again.
        recorder._said.clear()
    item.stash[_before] = _entries()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Give the last report of a test, from which its JUnit properties are made, what it did."""
    if call.when == "teardown":
        if getattr(_recorder(), "busy", False):
            # No Trainer after it would be recorded, and this comparison would be one of nothing.
            _said.texts.append("an entry was left open")
        item.user_properties.append((NODE_ID, item.nodeid.removeprefix(FOLDER)))
        item.user_properties.append((ENTRIES, _entries() - item.stash.get(_before, _entries())))
        item.user_properties.append((SAID, "\n".join(_said.texts)))
    return (yield)


def _recorder() -> Any:
    return getattr(sys.modules.get("ocr_otel.recording.recorder"), "_current", None)


def _entries() -> int:
    recorder = _recorder()
    return 0 if recorder is None else recorder.entries + 1
