"""Where a run comes from: a workflow's trace in the environment, and the attempt before."""

from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from torch.distributed import TCPStore

from ocr_otel import semconv
from ocr_otel.ranks import Board
from ocr_otel.semconv import Outcome
from ocr_otel.telemetry import RunIdentity
from ocr_otel.training.identity import job_of
from ocr_otel.training.origin import Attempts, outer_trace, reason_of

TRACE = 0x4BF92F3577B34DA6A3CE929D0E0E4736
SPAN = 0x00F067AA0BA902B7
SAMPLED = f"00-{TRACE:032x}-{SPAN:016x}-01"
NOT_SAMPLED = f"00-{TRACE:032x}-{SPAN:016x}-00"


def test_rank_0_is_a_child_of_the_span_that_the_environment_names() -> None:
    origin = outer_trace(RunIdentity("run"), {"TRACEPARENT": SAMPLED, "TRACESTATE": "vendor=1"})
    assert origin.parent is not None
    parent = trace.get_current_span(origin.parent).get_span_context()
    assert (parent.trace_id, parent.span_id) == (TRACE, SPAN)
    assert parent.trace_state["vendor"] == "1"
    assert origin.links == ()


@pytest.mark.parametrize(
    ("identity", "traceparent"),
    [(RunIdentity("run", rank=1, world_size=2), SAMPLED), (RunIdentity("run"), NOT_SAMPLED)],
)
def test_other_ranks_and_what_is_not_sampled_link_to_it(identity: RunIdentity, traceparent: str) -> None:
    origin = outer_trace(identity, {"TRACEPARENT": traceparent})
    assert origin.parent is None
    assert [link.context.trace_id for link in origin.links] == [TRACE]


def test_a_span_of_the_applications_own_is_the_parent_and_links() -> None:
    with TracerProvider().get_tracer("app").start_as_current_span("pipeline"):
        origin = outer_trace(RunIdentity("run"), {"TRACEPARENT": SAMPLED})
    assert origin.parent is None
    assert [link.context.trace_id for link in origin.links] == [TRACE]


@pytest.mark.parametrize("environ", [{}, {"TRACEPARENT": ""}, {"TRACEPARENT": "nonsense"}, {"TRACESTATE": "a=1"}])
def test_without_a_valid_one_there_is_nothing(environ: dict[str, str]) -> None:
    origin = outer_trace(RunIdentity("run"), environ)
    assert (origin.parent, origin.links) == (None, ())


def test_an_attempt_is_linked_to_the_one_before_and_says_why_it_ended() -> None:
    board = Board(TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False))
    root = TracerProvider().get_tracer("ours").start_span("fit")
    for rank in range(3):
        attempts = Attempts(board, RunIdentity("first", rank=rank, world_size=3, attempt=0))
        assert attempts.before().links == ()
        attempts.begins(root)
        if rank != 1:
            attempts.ends(Outcome.FAILED, RuntimeError("Connection closed by peer"))
    origin = Attempts(board, RunIdentity("second", rank=0, world_size=2, attempt=1)).before()
    assert [link.context.span_id for link in origin.links] == [root.get_span_context().span_id]
    assert origin.attributes == {
        semconv.RESTART_REASON: "rank 1 ended without a word, as by SIGKILL; then 3 ranks, now 2"
    }
    assert Attempts(board, RunIdentity("second", rank=1, world_size=2, attempt=1)).before().links == ()
    assert Attempts(board, RunIdentity("third", rank=0, world_size=2, attempt=7)).before().links == ()


def test_the_first_that_failed_is_named() -> None:
    ends = [[20.0, "failed", "RuntimeError"], [10.0, "failed", "ValueError"], [30.0, "completed", ""]]
    assert reason_of(ends, 3) == "rank 1 ended first, by ValueError"
    assert reason_of([[1.0, "completed", ""]], 1) == "all ranks ended by themselves"
    assert reason_of([None, None], 2) == "ranks 0, 1 ended without a word, as by SIGKILL"


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, (None, None)),
        ({"TORCHELASTIC_RUN_ID": "job7", "TORCHELASTIC_RESTART_COUNT": "2"}, ("job7", 2)),
        ({"TORCHELASTIC_RUN_ID": "none", "TORCHELASTIC_RESTART_COUNT": "0"}, (None, 0)),
        ({"SLURM_JOB_ID": "4711"}, ("4711", 0)),
        ({"SLURM_JOB_ID": "4711", "SLURM_RESTART_COUNT": "x"}, ("4711", None)),
        ({"RAY_JOB_ID": "0100"}, ("0100", None)),
    ],
)
def test_job_and_attempt_are_the_launchers(environ: dict[str, str], found: tuple[str | None, int | None]) -> None:
    assert job_of(environ) == found
