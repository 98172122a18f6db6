"""The pytest plugin: a test that trains fails where the training does not keep to a baseline.

    @pytest.mark.ocr_otel_baseline("baseline.json")
    def test_training_is_as_fast_as_before():
        train()

pytest loads this module in every project of an environment: what is heavy is imported where a test has the marker.
"""

from __future__ import annotations

import atexit
import os
import secrets
import time
from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest

from ocr_otel.environment import changed_environment

MARKER: Final = "ocr_otel_baseline"
UPDATE: Final = "--ocr-otel-update-baseline"
_RUN: Final = pytest.StashKey[Path]()
_BEGAN: Final = pytest.StashKey[int]()
_ELSEWHERE: Final = ("OTEL_EXPORTER_", "OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER")
"""Variables that would send the run somewhere else than into its directory."""
_OFF: Final = ("OTEL_SDK_DISABLED",)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that saves baselines anew."""
    parser.getgroup("ocr_otel").addoption(
        UPDATE,
        action="store_true",
        help=f"Write the files of tests with the marker {MARKER} from what they measure, and do not check.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Say what the marker is."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(path): record the Lightning trainings of this test, and fail it where the run does not keep to the "
        "baseline file, a path from the test's file.",
    )


@pytest.fixture
def ocr_otel_run(request: pytest.FixtureRequest) -> Path:
    """The run directory of a test with the marker; it is there once a Trainer has begun."""
    if _RUN not in request.node.stash:
        raise pytest.UsageError(f"ocr_otel_run is for tests with the marker {MARKER}")
    return Path(request.node.stash[_RUN])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Record the trainings of a test with the marker, those in its fixtures too."""
    if item.get_closest_marker(MARKER) is None:
        return (yield)
    run = _run(item.config)
    item.stash[_RUN], item.stash[_BEGAN] = run, time.time_ns()
    recorded = {"OCR_OTEL_ENABLED": "true", "OCR_OTEL_RUNS_DIR": str(run.parent), "OCR_OTEL_RUN_ID": run.name}
    out = [name for name in os.environ if name.startswith(_ELSEWHERE) or name in _OFF]
    with changed_environment(recorded, out):
        return (yield)


def _run(config: pytest.Config) -> Path:
    # All trainings of a process are entries of one run: its providers are set up once. A test's are those that begin
    # while it runs.
    if _RUN not in config.stash:
        import shutil
        import tempfile

        folder = Path(tempfile.mkdtemp(prefix="ocr-otel-"))
        # Registered before the SDK's own functions for the exit, and so called after them.
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        config.stash[_RUN] = folder / f"test-{secrets.token_hex(6)}"
    return config.stash[_RUN]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Check what a test with the marker recorded, once it has passed by itself."""
    marker = item.get_closest_marker(MARKER)
    result = yield
    if marker is not None:
        _check(item, marker)
    return result


def _check(item: pytest.Item, marker: pytest.Mark) -> None:
    from ocr_otel.baseline.file import BaselineError
    from ocr_otel.baseline.guard import NothingRecorded, check_run, save_run
    from ocr_otel.baseline.results import as_text
    from ocr_otel.runs import RunError

    if len(marker.args) != 1 or marker.kwargs:
        pytest.fail(f"@pytest.mark.{MARKER} takes one argument: the path of the baseline file", pytrace=False)
    baseline, run = item.path.parent / str(marker.args[0]), item.stash[_RUN]
    nothing = f"nothing was recorded: a test with the marker {MARKER} trains with a Lightning Trainer"
    if not run.exists():
        pytest.fail(nothing, pytrace=False)
    try:
        if item.config.getoption(UPDATE):
            held = save_run(run, baseline, since=item.stash[_BEGAN])
            item.add_report_section("call", "ocr_otel", f"{baseline}: {', '.join(held)}")
            return
        name, results = check_run(run, baseline, item.stash[_BEGAN])
    except NothingRecorded:
        pytest.fail(nothing, pytrace=False)
    except (BaselineError, RunError) as error:
        pytest.fail(str(error), pytrace=False)
    except OSError as error:
        pytest.fail(f"{baseline} cannot be written: {error.strerror or error}", pytrace=False)
    for each in results:
        if each.value is not None:
            item.user_properties.append((each.name, each.value))
    if any(each.failed for each in results):
        pytest.fail(as_text(name, results), pytrace=False)
