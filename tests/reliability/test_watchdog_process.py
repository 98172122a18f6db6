"""Real processes with a watchdog that end in all the ways that processes end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ocr_otel import semconv, spool
from ocr_otel.watchdog.batch_ids import batch_span_id, batch_trace_id
from tests.support import watchdog_watching as watching
from tests.support.otlp_server import OtlpServer
from tests.support.watchdog_left import leave
from tests.support.watchdog_training import DONE, EPOCH, RSS, TRACE
from tests.support.watchdog_watching import attributes, named, wait_for

pytestmark = [
    pytest.mark.timeout(90),
    pytest.mark.skipif(sys.platform != "linux", reason="the watchdog needs Linux"),
]

Begin = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    directory = tmp_path / "runs" / "made-run"
    directory.mkdir(parents=True)
    return directory


@pytest.fixture
def begin(run: Path) -> Iterator[Begin]:
    """Begins processes, and ends those that a test leaves."""
    begun: list[subprocess.Popen[str]] = []

    def begin(how: str, *arguments: str, directory: Path = run) -> subprocess.Popen[str]:
        begun.append(watching.begin(directory, how, *arguments))
        return begun[-1]

    yield begin
    for process in begun:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def ended(run: Path, place: Path) -> list[dict[str, Any]]:
    """The spans of a run, once its watchdog is done and gone."""
    wait_for(lambda: not place.exists())
    wait_for(lambda: not watching.watchdog_pids(place))
    assert not (run / ".watchdog").exists()
    return watching.spans(run)


def only_line(run: Path) -> dict[str, Any]:
    (line,) = watching.lines(run / "traces.jsonl")
    return line


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT, signal.SIGQUIT])
def test_a_signal_ends_the_open_spans_with_its_name(run: Path, begin: Begin, number: signal.Signals) -> None:
    process = begin("wait")
    place = Path(watching.told(process)["place"])
    before = time.time_ns()
    process.send_signal(number)
    process.wait()
    found = ended(run, place)
    for name in (semconv.FIT, semconv.TRAIN_EPOCH, semconv.TRAIN_BATCH):
        span = named(found, name)
        told = attributes(span)
        assert told[semconv.END_CAUSE] == "signal"
        assert told[semconv.END_SIGNAL] == number.name
        assert semconv.END_EXIT_CODE not in told
        assert span["status"] == {"code": 2, "message": f"killed by {number.name}"}
        assert before <= int(span["endTimeUnixNano"]) <= time.time_ns()
        assert isinstance(span["endTimeUnixNano"], str)


def test_the_entry_says_how_far_it_came_and_the_batch_is_the_one_that_ran(run: Path, begin: Begin) -> None:
    process = begin("kill")
    place = Path(watching.told(process)["place"])
    process.wait()
    found = ended(run, place)
    told = attributes(named(found, semconv.FIT))
    assert told[semconv.OUTCOME] == "killed"
    assert told[semconv.STAGE] == "fit"
    assert (told[semconv.GLOBAL_STEP], told[semconv.EPOCH], told[semconv.BATCH_IDX]) == (207, 2, 7)
    assert told[semconv.MEMORY_RSS] == RSS
    assert told[semconv.SECTION] == "train"
    batch = named(found, semconv.TRAIN_BATCH)
    trace_id = batch_trace_id("made-run", 0, 3, 0, 7)
    assert batch["traceId"] == f"{trace_id:032x}"
    assert batch["spanId"] == f"{batch_span_id(trace_id, 0):016x}"
    assert [(each["traceId"], each["spanId"]) for each in batch["links"]] == [(TRACE, EPOCH)]
    assert attributes(batch)[semconv.KEPT] == "error"
    resource = only_line(run)["resourceSpans"][0]["resource"]
    assert attributes(resource) == {semconv.RUN_ID: "made-run"}


def test_a_span_that_is_over_and_was_not_handed_on_is_written_as_it_is(run: Path, begin: Begin) -> None:
    process = begin("kill")
    place = Path(watching.told(process)["place"])
    process.wait()
    (span,) = [each for each in ended(run, place) if each["spanId"] == DONE]
    assert "status" not in span
    assert span["endTimeUnixNano"] == span["startTimeUnixNano"]


def test_the_metrics_say_that_it_runs_no_more(run: Path, begin: Begin) -> None:
    process = begin("kill")
    place = Path(watching.told(process)["place"])
    process.wait()
    ended(run, place)
    found = watching.metrics(run)
    assert found[semconv.METRIC_RUN_ACTIVE]["gauge"]["dataPoints"][0]["asInt"] == "0"
    (point,) = found[semconv.METRIC_RUNS]["sum"]["dataPoints"]
    assert point["asInt"] == "1"
    assert attributes(point) == {semconv.OUTCOME_LABEL: "killed"}


def test_a_crash_in_native_code_is_told(run: Path, begin: Begin) -> None:
    process = begin("segv")
    place = Path(watching.told(process)["place"])
    assert process.wait() == -signal.SIGSEGV
    assert attributes(named(ended(run, place), semconv.FIT))[semconv.END_SIGNAL] == "SIGSEGV"


def test_an_exit_without_a_word_is_told_with_its_code(run: Path, begin: Begin) -> None:
    process = begin("exit")
    place = Path(watching.told(process)["place"])
    assert process.wait() == 3
    told = attributes(named(ended(run, place), semconv.FIT))
    assert (told[semconv.END_CAUSE], told[semconv.END_EXIT_CODE]) == ("exit", 3)
    assert semconv.END_SIGNAL not in told


def test_a_process_that_nobody_collects_is_told_as_well(run: Path, begin: Begin) -> None:
    process = begin("kill")
    place = Path(watching.told(process)["place"])
    assert attributes(named(ended(run, place), semconv.FIT))[semconv.END_SIGNAL] == "SIGKILL"
    assert watching.status(process.pid)["State"].startswith("Z")


def test_a_clean_end_leaves_nothing_and_says_nothing(run: Path, begin: Begin) -> None:
    process = begin("clean")
    place = Path(watching.told(process)["place"])
    assert process.wait() == 0
    assert ended(run, place) == []
    assert list(run.iterdir()) == []


def test_a_process_that_never_opened_anything_leaves_nothing(run: Path, begin: Begin) -> None:
    process = begin("kill", "--no-spans")
    place = Path(watching.told(process)["place"])
    process.wait()
    assert ended(run, place) == []
    assert not run.exists()


def test_a_forked_child_that_lives_on_does_not_hide_the_end(run: Path, begin: Begin) -> None:
    process = begin("kill", "--fork")
    place = Path(watching.told(process)["place"])
    child = watching.told(process)["child"]
    try:
        process.wait()
        assert len(ended(run, place)) == 4
        os.kill(child, 0)
    finally:
        os.kill(child, signal.SIGKILL)


def test_it_is_nobodys_child_small_and_in_a_session_of_its_own(run: Path, begin: Begin) -> None:
    process = begin("wait")
    told = watching.told(process)
    (pid,) = watching.watchdog_pids(Path(told["place"]))
    wait_for(lambda: (Path(told["place"]) / "cells").exists())
    status = watching.status(pid)
    assert int(status["PPid"]) not in (told["pid"], os.getpid())
    assert os.getsid(pid) != os.getsid(told["pid"])
    assert int(status["VmRSS"].split()[0]) < 25_000
    children = Path(f"/proc/{told['pid']}/task/{told['pid']}/children")
    if children.exists():
        assert children.read_text() == ""
    assert {os.readlink(f"/proc/{pid}/fd/{each}") for each in (0, 1, 2)} == {"/dev/null"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
def test_signals_to_everybody_do_not_end_it_before_the_training(
    run: Path, begin: Begin, number: signal.Signals
) -> None:
    process = begin("wait")
    place = Path(watching.told(process)["place"])
    (pid,) = watching.watchdog_pids(place)
    # Its first copy of the numbers is made behind its handlers.
    wait_for(lambda: (place / "cells").exists())
    os.kill(pid, number)
    process.send_signal(signal.SIGTERM)
    process.wait()
    assert attributes(named(ended(run, place), semconv.FIT))[semconv.END_SIGNAL] == "SIGTERM"


def test_a_process_that_closes_all_its_files_is_not_taken_for_dead(run: Path, begin: Begin) -> None:
    process = begin("closes")
    place = Path(watching.told(process)["place"])
    assert process.stdout is not None
    assert process.stdout.readline() == "closed\n"
    closed = time.time_ns()
    # It has seen the end of the pipe, and goes on, when it saves the numbers the next time.
    wait_for(lambda: (place / "cells").exists() and (place / "cells").stat().st_mtime_ns > closed)
    assert watching.spans(run) == []
    process.kill()
    process.wait()
    assert attributes(named(ended(run, place), semconv.FIT))[semconv.END_SIGNAL] == "SIGKILL"


def test_a_process_that_becomes_another_program_has_ended(run: Path, begin: Begin) -> None:
    process = begin("replaced")
    place = Path(watching.told(process)["place"])
    root = named(ended(run, place), semconv.FIT)
    assert process.poll() is None
    assert root["status"]["message"] == "its process replaced itself by another program"


def test_a_checkpoint_that_was_being_written_becomes_a_span(run: Path, begin: Begin) -> None:
    process = begin("kill", "--section", "checkpoint")
    place = Path(watching.told(process)["place"])
    process.wait()
    found = ended(run, place)
    (checkpoint,) = [each for each in found if each["name"] == semconv.CHECKPOINT_SAVE and each["spanId"] != DONE]
    assert (checkpoint["traceId"], checkpoint["parentSpanId"]) == (TRACE, EPOCH)
    assert checkpoint["status"]["code"] == 2
    assert semconv.TRAIN_BATCH not in [each["name"] for each in found]


def test_a_line_that_the_kill_has_cut_does_not_take_the_next_one_along(run: Path, begin: Begin) -> None:
    (run / "traces.jsonl").write_bytes(b'{"resourceSpans":[{"reso')
    process = begin("kill")
    place = Path(watching.told(process)["place"])
    process.wait()
    assert len(ended(run, place)) == 4


def test_a_span_that_was_handed_on_already_is_not_written_again(run: Path, begin: Begin) -> None:
    written = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": TRACE, "spanId": DONE, "name": "known"}]}]}]}
    (run / "traces.jsonl").write_text(json.dumps(written) + "\n")
    process = begin("kill")
    place = Path(watching.told(process)["place"])
    process.wait()
    assert [each["name"] for each in ended(run, place) if each["spanId"] == DONE] == ["known"]


def test_what_goes_to_an_endpoint_waits_in_the_spool(run: Path, begin: Begin) -> None:
    process = begin("kill", "--target", "otlp")
    place = Path(watching.told(process)["place"])
    process.wait()
    wait_for(lambda: not place.exists())
    found = watching.spans(run, "spool/traces-*.jsonl")
    assert {each["name"] for each in found} >= {semconv.FIT, semconv.TRAIN_EPOCH, semconv.TRAIN_BATCH}
    assert len(list(run.glob("spool/metrics-*.jsonl"))) == 1
    assert not (run / "traces.jsonl").exists()


def test_what_it_writes_is_for_its_owner_alone(run: Path, begin: Begin) -> None:
    process = begin("wait")
    place = Path(watching.told(process)["place"])
    wait_for(lambda: (place / "cells").exists())
    assert [path.stat().st_mode & 0o777 for path in (place.parent, place)] == [0o700, 0o700]
    assert {path.stat().st_mode & 0o777 for path in place.iterdir()} == {0o600}
    process.kill()
    process.wait()
    ended(run, place)
    assert {path.stat().st_mode & 0o777 for path in run.iterdir()} == {0o600}


def test_a_killed_watchdog_does_not_disturb_the_training(run: Path, begin: Begin) -> None:
    process = begin("wait")
    place = Path(watching.told(process)["place"])
    (pid,) = watching.watchdog_pids(place)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not watching.watchdog_pids(place))
    assert process.poll() is None
    process.kill()
    process.wait()
    assert watching.spans(run) == []
    assert (place / "journal").exists()


@pytest.fixture
def small_cgroup() -> Iterator[Path]:
    """A control group for memory, version 1 or 2, of 200 MB."""
    group = _make_cgroup(200_000_000)
    if group is None:
        pytest.skip("no control group for memory can be made on this machine")
    yield group
    wait_for(lambda: not (group / "cgroup.procs").read_text())
    group.rmdir()


def _make_cgroup(limit: int) -> Path | None:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            base, name = Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"
        elif number == "0" and not controllers:
            base, name = Path("/sys/fs/cgroup"), "memory.max"
        else:
            continue
        own = base / path.lstrip("/")
        # In version 2, a group with processes in it gives no memory to its children.
        for parent in (own, *own.parents):
            group = parent / f"ocr-otel-test-{os.getpid()}"
            try:
                group.mkdir()
            except OSError:
                continue
            try:
                (group / name).write_text(str(limit))
            except OSError:
                group.rmdir()
                continue
            return group
    return None


def test_the_kernels_kill_for_memory_is_told_with_its_limit(run: Path, begin: Begin, small_cgroup: Path) -> None:
    process = begin("eat", "--cgroup", str(small_cgroup))
    place = Path(watching.told(process)["place"])
    assert process.wait() == -signal.SIGKILL
    root = named(ended(run, place), semconv.FIT)
    assert attributes(root)[semconv.END_CAUSE] == "oom"
    assert root["status"]["message"] == (
        "killed by SIGKILL: the kernel ran out of memory in its control group (limit 200 MB)"
    )


def test_a_kill_by_hand_in_a_group_with_a_limit_is_no_lack_of_memory(
    run: Path, begin: Begin, small_cgroup: Path
) -> None:
    process = begin("kill", "--cgroup", str(small_cgroup))
    place = Path(watching.told(process)["place"])
    process.wait()
    assert attributes(named(ended(run, place), semconv.FIT))[semconv.END_CAUSE] == "signal"


def test_what_waited_for_an_endpoint_is_delivered_to_it(
    run: Path, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OtlpServer() as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.endpoint)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        process = begin("kill", "--target", "otlp")
        place = Path(watching.told(process)["place"])
        process.wait()
        wait_for(lambda: not watching.watchdog_pids(place), 60)
        assert {span.name for span in server.spans} >= {semconv.FIT, semconv.TRAIN_EPOCH, semconv.TRAIN_BATCH}
        fit = next(span for span in server.spans if span.name == semconv.FIT)
        assert (fit.status.code, fit.status.message) == (2, "killed by SIGKILL")
        assert any(request.path == "/v1/metrics" for request in server.requests)
    assert not run.exists()


def test_what_a_clean_end_could_not_deliver_is_delivered_after_it(
    run: Path, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    span = {"traceId": TRACE, "spanId": DONE, "name": "late", "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
    line = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()
    with OtlpServer() as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.endpoint)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        process = begin("wait", "--target", "otlp", "--no-spans")
        place = Path(watching.told(process)["place"])
        spool.append(run / "spool", "traces", line)
        process.kill()
        process.wait()
        wait_for(lambda: not watching.watchdog_pids(place), 60)
        assert [each.name for each in server.spans] == ["late"]
    assert not run.exists()


def test_a_new_watchdog_ends_what_an_earlier_one_could_not(run: Path, begin: Begin) -> None:
    left = leave(run.parent / "earlier")
    process = begin("wait")
    watching.told(process)
    wait_for(lambda: not left.exists())
    assert named(watching.spans(run.parent / "earlier"), semconv.FIT)["status"]["code"] == 2
    assert watching.spans(run) == []


def test_a_directory_that_is_removed_meanwhile_ends_the_watching(run: Path, begin: Begin) -> None:
    process = begin("wait")
    place = Path(watching.told(process)["place"])
    wait_for(lambda: (place / "cells").exists())
    shutil.rmtree(run)
    process.kill()
    process.wait()
    wait_for(lambda: not watching.watchdog_pids(place))
    assert not run.exists()
