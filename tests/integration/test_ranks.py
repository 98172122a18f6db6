"""Several ranks, real processes, in each way in which they are started: one run, one trace a batch, the same losses."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ocr_otel import semconv
from ocr_otel.semconv import Phase
from tests.support import ranked
from tests.support.otlp import Traces
from tests.support.ranked import Run

pytestmark = pytest.mark.timeout(300)


def two_agents(folder: Path) -> Run:
    """Two elastic agents, as on two hosts, with a rank each."""
    endpoint = f"--endpoint=127.0.0.1:{ranked.free_port()}"
    arguments = ["--min-nodes=2", "--max-nodes=2", "--ranks=1", endpoint]
    return ranked.ended(folder, [ranked.begin_agent(folder, arguments, ["--devices=1"], number) for number in range(2)])


FORMS: dict[str, tuple[Callable[[Path], Run], int]] = {
    "subprocess": (ranked.run_launching, 2),
    "spawn": (lambda folder: ranked.run_launching(folder, "--strategy=ddp_spawn"), 2),
    "fork": (lambda folder: ranked.run_launching(folder, "--strategy=ddp_fork"), 2),
    "torchrun": (ranked.run_torchrun, 2),
    "two-agents": (two_agents, 2),
    "external": (ranked.run_ranks, 2),
    "external-4": (lambda folder: ranked.run_ranks(folder, number=4), 4),
}


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], list[str]]:
    """The losses of a number of ranks without us."""
    known: dict[int, list[str]] = {}

    def losses(number: int) -> list[str]:
        if number not in known:
            run = ranked.run_ranks(tmp_path_factory.mktemp("bare"), number=number, record=False)
            assert run.statuses == [0] * number, run.output
            known[number] = run.losses()
            assert len(set(known[number])) == number, "each rank has data of its own"
        return known[number]

    return losses


@pytest.mark.parametrize("form", FORMS)
def test_ranks_are_one_run(form: str, tmp_path: Path, bare: Callable[[int], list[str]]) -> None:
    start, number = FORMS[form]
    run = start(tmp_path)
    assert not any(run.statuses), run.output
    assert "ocr_otel failed" not in run.output
    assert "ocr_otel: " not in run.output
    assert run.losses() == bare(number)
    assert sorted(run.traces) == list(range(number))
    assert not ranked.twice(run.traces)
    shared = ranked.by_trace(run.traces)
    assert len(shared) == 12
    assert set(map(frozenset, shared.values())) == {frozenset(range(number))}
    for rank, traces in run.traces.items():
        resource = traces.resource
        by_hosts = form == "two-agents"
        assert resource[semconv.RANK] == rank
        assert resource[semconv.LOCAL_RANK] == (0 if by_hosts else rank)
        assert resource[semconv.NODE_RANK] == (rank if by_hosts else 0)
        assert resource[semconv.WORLD_SIZE] == number
        assert resource[semconv.STRATEGY] == "DDPStrategy"
        elastic = form in ("torchrun", "two-agents")
        assert resource.get(semconv.ATTEMPT) == (0 if elastic else None)
        assert (semconv.JOB_ID in resource) == elastic
        for batch in traces.roots(semconv.TRAIN_BATCH):
            backward = batch.child(semconv.BACKWARD)
            wait = backward.child(semconv.COMMUNICATION)
            assert backward.start <= wait.start <= wait.end <= backward.end
        assert run.metrics(rank).value(semconv.METRIC_ERRORS, cause="none") == 0
    assert run.epochs()[0].attributes[semconv.RANKS_COMPARED] == number


def test_ranks_of_fabric_are_one_run(tmp_path: Path) -> None:
    without, with_us = tmp_path / "without", tmp_path / "with"
    bare = ranked.run_ranks(without, str(without), record=False, script=ranked.FABRIC_SCRIPT)
    run = ranked.run_ranks(with_us, str(with_us), script=ranked.FABRIC_SCRIPT)
    assert run.statuses == bare.statuses == [0, 0], run.output
    assert "ocr_otel failed" not in run.output
    assert run.losses() == bare.losses()
    assert len(run.losses()) == 2
    assert not ranked.twice(run.traces)
    shared = ranked.by_trace(run.traces)
    assert len(shared) >= 3
    assert set(map(frozenset, shared.values())) == {frozenset({0, 1})}
    assert [run.traces[rank].resource[semconv.STRATEGY] for rank in (0, 1)] == ["DDPStrategy"] * 2


OTHER_LAYOUT = "from ocr_otel.ranks import board; board._LAYOUT = 'ocr_otel/0'"
NOBODY_LISTENS = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}


@pytest.mark.parametrize("off", [0, 1])
def test_a_rank_that_is_not_recorded_holds_up_nobody(
    off: int, tmp_path: Path, bare: Callable[[int], list[str]]
) -> None:
    run = ranked.run_ranks(tmp_path, of_rank={off: {"OCR_OTEL_ENABLED": "false"}})
    assert run.statuses == [0, 0], run.output
    assert "ocr_otel failed" not in run.output
    assert run.losses() == bare(2)
    (directory,) = (tmp_path / "runs").iterdir()
    (recorded,) = ranked.traces_of(directory)
    assert recorded == 1 - off
    assert len(ranked.traces_of(directory)[recorded].roots(semconv.TRAIN_BATCH)) >= 12


def test_a_rank_with_another_layout_of_notes_holds_up_nobody(tmp_path: Path, bare: Callable[[int], list[str]]) -> None:
    run = ranked.run_ranks(tmp_path, patches={1: OTHER_LAYOUT})
    assert run.statuses == [0, 0], run.output
    assert "ocr_otel failed" not in run.output
    assert run.losses() == bare(2)
    assert len(list((tmp_path / "runs").glob("*/rank-*/traces.jsonl"))) == 2


def test_a_rank_that_cannot_reach_its_collector_holds_up_nobody(
    tmp_path: Path, bare: Callable[[int], list[str]]
) -> None:
    run = ranked.run_ranks(tmp_path, of_rank={1: NOBODY_LISTENS})
    assert run.statuses == [0, 0], run.output
    assert "ocr_otel failed" not in run.output
    assert run.losses() == bare(2)
    assert run.epochs()[0].attributes[semconv.RANKS_COMPARED] == 2


def test_rank_0_names_the_run(tmp_path: Path, bare: Callable[[int], list[str]]) -> None:
    run = ranked.run_ranks(tmp_path, of_rank={0: {"OCR_OTEL_RUN_ID": "first"}, 1: {"OCR_OTEL_RUN_ID": "second"}})
    assert run.statuses == [0, 0], run.output
    assert [path.name for path in run.directories] == ["first"]
    assert sorted(run.traces) == [0, 1]
    assert run.losses() == bare(2)


LATE_IN = {"data": Phase.FETCH, "compute": Phase.FORWARD, "callback": Phase.CALLBACKS}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run with a fit for each plant."""
    plants = ["none", "random", *LATE_IN]
    run = ranked.run_ranks(tmp_path_factory.mktemp("planted"), "--batches=60", "--delay=0.04", "--plant", *plants)
    assert run.statuses == [0, 0], run.output
    assert "ocr_otel failed" not in run.output
    return run


@pytest.mark.parametrize(("fit", "phase"), list(enumerate([None, None, *LATE_IN.values()])))
def test_the_rank_that_is_late_is_named_with_its_phase(planted: Run, fit: int, phase: Phase | None) -> None:
    epoch = planted.epochs()[fit].attributes
    assert epoch[semconv.RANKS_COMPARED] == 2
    assert epoch[semconv.SYNCHRONISATIONS] == 60
    if phase is None:
        assert semconv.STRAGGLER_RANK not in epoch, epoch
        return
    assert epoch[semconv.STRAGGLER_RANK] == 1
    assert epoch[semconv.STRAGGLER_PHASE] == phase
    assert epoch[semconv.STRAGGLER_SECONDS] == pytest.approx(0.04, rel=0.5)
    assert epoch[semconv.STRAGGLER_RATIO] > 0.5


def test_only_steps_with_a_synchronisation_are_compared(tmp_path: Path) -> None:
    run = ranked.run_ranks(tmp_path, "--batches=48", "--accumulate=4", "--sync-dist", "--plant", "compute")
    assert run.statuses == [0, 0], run.output
    assert "ocr_otel failed" not in run.output
    epoch = run.epochs()[0].attributes
    assert epoch[semconv.SYNCHRONISATIONS] == 12
    assert epoch[semconv.STRAGGLER_RANK] == 1
    for batch in run.traces[0].roots(semconv.TRAIN_BATCH):
        waits = batch.child(semconv.BACKWARD).all(semconv.COMMUNICATION)
        assert len(waits) == int((batch.attributes[semconv.BATCH_IDX] + 1) % 4 == 0)


def attempts(folder: Path, end: str, **environment: str) -> Run:
    """Train under an agent that starts the ranks again, where rank 1 ends in the first attempt.

    What Lightning's handler of SIGTERM raises in the rank that is left may come while code of ours runs.
    """
    script = ["--batches=12", f"--end={end}", "--end-at=9"]
    return ranked.ended(folder, [ranked.begin_agent(folder, ["--max-restarts=1"], script, environment=environment)])


@pytest.mark.parametrize("end", ["kill", "raise"])
def test_an_attempt_knows_the_one_before(end: str, tmp_path: Path, bare: Callable[[int], list[str]]) -> None:
    run = attempts(tmp_path, end)
    assert run.statuses == [0], run.output
    assert run.losses() == bare(2)
    before, after = (ended_traces(directory) for directory in run.directories)
    assert [traces.resource[semconv.ATTEMPT] for traces in before.values()] == [0, 0]
    assert [traces.resource[semconv.ATTEMPT] for traces in after.values()] == [1, 1]
    fit = after[0].root(semconv.FIT)
    assert fit.links == [before[0].root(semconv.FIT).span_id]
    reason = fit.attributes[semconv.RESTART_REASON]
    assert "rank 1 " in reason
    assert ("ValueError" if end == "raise" else "SIGKILL") in reason
    assert all(traces.root(semconv.FIT).failed for traces in before.values())
    if end == "kill":
        assert before[1].root(semconv.FIT).attributes[semconv.END_CAUSE]


def ended_traces(directory: Path) -> dict[int, Traces]:
    """The traces of a run when each rank's has ended, which the watchdog does of one that is killed."""
    deadline = time.monotonic() + 20
    while True:
        found = ranked.traces_of(directory)
        if all(traces.roots(semconv.FIT) for traces in found.values()) or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def test_an_attempt_with_fewer_ranks_is_a_run_of_its_own_size(tmp_path: Path, bare: Callable[[int], list[str]]) -> None:
    port = ranked.free_port()
    elastic = [
        "--min-nodes=1",
        "--max-nodes=2",
        "--ranks=1",
        f"--endpoint=127.0.0.1:{port}",
        "--last-call=3",
        "--max-restarts=1",
    ]
    script = ["--devices=1", "--batches=12", "--end=host", "--end-at=9"]
    stays = ranked.begin_agent(tmp_path, elastic, script, 0)
    # The first to come keeps the store, which must not go with the agent that leaves.
    ranked.wait_for_port(port)
    leaves = ranked.begin_agent(tmp_path, elastic, script, 1)
    run = ranked.ended(tmp_path, [stays, leaves])
    assert run.statuses[0] == 0, run.output
    assert run.losses() == bare(1)
    before = ended_traces(run.directories[0])
    (path,) = tmp_path.glob("runs/*/traces.jsonl")
    after = Traces(path)
    assert {rank: traces.resource[semconv.WORLD_SIZE] for rank, traces in before.items()} == {0: 2, 1: 2}
    assert (after.resource[semconv.WORLD_SIZE], after.resource[semconv.ATTEMPT]) == (1, 1)
    fit = after.root(semconv.FIT)
    assert fit.links == [before[0].root(semconv.FIT).span_id]
    assert "then 2 ranks, now 1" in fit.attributes[semconv.RESTART_REASON]
    assert not fit.failed
    assert all(traces.root(semconv.FIT).failed for traces in before.values())


def test_attempts_under_one_name_share_no_span(tmp_path: Path) -> None:
    run = attempts(tmp_path, "raise", OCR_OTEL_RUN_ID="run")
    assert run.statuses == [0], run.output
    assert not ranked.twice(run.traces)
    assert len(ranked.by_trace(run.traces)) == 9 + 12


def test_a_workflow_engines_span_is_the_parent_of_rank_0_and_linked_by_the_others(tmp_path: Path) -> None:
    trace_id, span_id = f"{7:032x}", f"{9:016x}"
    run = ranked.run_ranks(tmp_path, environment={"TRACEPARENT": f"00-{trace_id}-{span_id}-01"})
    assert run.statuses == [0, 0], run.output
    (directory,) = run.directories
    first, second = (fit_of(directory / f"rank-{rank}") for rank in (0, 1))
    assert (first["traceId"], first["parentSpanId"]) == (trace_id, span_id)
    assert second["traceId"] != trace_id
    assert "parentSpanId" not in second
    assert [(link["traceId"], link["spanId"]) for link in second["links"]] == [(trace_id, span_id)]


def fit_of(directory: Path) -> dict[str, Any]:
    """The `fit` of a rank as it is written: its parent is nobody's of the file."""
    for line in (directory / "traces.jsonl").read_text().splitlines():
        for resource in json.loads(line)["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    if span["name"] == semconv.FIT:
                        return span
    raise AssertionError("no fit")


AHEAD = """
import socket, time
now = time.time_ns
time.time_ns = lambda: now() + 3_000_000_000
socket.gethostname = lambda: "elsewhere"
"""


def test_a_clock_that_is_ahead_is_told(tmp_path: Path, bare: Callable[[int], list[str]]) -> None:
    run = ranked.run_ranks(tmp_path, "--epochs=3", "--batches=40", patches={1: AHEAD})
    assert run.statuses == [0, 0], run.output
    assert "ocr_otel failed" not in run.output
    told = [epoch.attributes for epoch in run.epochs(1) if semconv.CLOCK_OFFSET in epoch.attributes]
    assert told
    assert told[-1][semconv.CLOCK_OFFSET] == pytest.approx(3.0, abs=0.05)
    assert told[-1][semconv.CLOCK_ERROR] < 0.05
    assert not any(semconv.CLOCK_OFFSET in epoch.attributes for epoch in run.epochs(0))


def test_two_runs_of_one_name_at_once_end_well(tmp_path: Path, bare: Callable[[int], list[str]]) -> None:
    environment = ranked.recorded(tmp_path, OCR_OTEL_RUN_ID="run")
    folders = [tmp_path / "one", tmp_path / "two"]
    processes = [ranked.begin_ranks(folder, environment=environment) for folder in folders]
    runs = [ranked.ended(folder, each) for folder, each in zip(folders, processes, strict=True)]
    for run in runs:
        assert run.statuses == [0, 0], run.output
        assert "ocr_otel failed" not in run.output
        assert run.losses() == bare(2)


def test_series_of_a_rank_are_the_same_for_any_number_of_ranks(tmp_path: Path) -> None:
    def series(number: int) -> list[int]:
        run = ranked.run_ranks(tmp_path / str(number), number=number)
        assert not any(run.statuses), run.output
        # Those of disks are there where a disk was asked for something meanwhile.
        return [
            sum(
                len(points)
                for name, points in run.metrics(rank).points.items()
                if not name.startswith("training.disk.")
            )
            for rank in range(number)
        ]

    two, four = series(2), series(4)
    # The first rank of a host reads what the host has; all the others have as many as one another, however many.
    assert two[0] == four[0]
    assert two[1] == four[1] == four[2] == four[3] < two[0]
