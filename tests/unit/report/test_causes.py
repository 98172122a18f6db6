"""Verdicts read back from spans: what was recorded, in its order, whatever a file says."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ocr_otel import semconv
from ocr_otel.diagnosis.verdict import Evidence, Verdict
from ocr_otel.report import causes
from ocr_otel.runs import SpanEvent, SpanRecord
from ocr_otel.semconv import Bottleneck, Confidence
from tests.support.synthetic_window import bottleneck


def span(*events: dict[str, Any], attributes: dict[str, Any] | None = None) -> SpanRecord:
    held = tuple(SpanEvent(semconv.BOTTLENECK_EVENT, each) for each in events)
    return SpanRecord("fit", "1", "2", "", 0, 1, attributes or {}, events=held)


def read(*events: dict[str, Any], attributes: dict[str, Any] | None = None) -> tuple[Verdict, ...]:
    diagnosis = causes.of_span(span(*events, attributes=attributes))
    return diagnosis.causes if diagnosis is not None else ()


def test_causes_are_in_the_order_of_their_rank() -> None:
    found = read(bottleneck("logging", 0.2, rank=2), bottleneck("data", 0.5, rank=1))
    assert [(each.kind, each.share) for each in found] == [(Bottleneck.DATA, 0.5), (Bottleneck.LOGGING, 0.2)]
    assert found[0].confidence is Confidence.HIGH
    assert found[0].speedup == pytest.approx(2)


def test_a_span_without_events_has_the_verdict_of_its_attributes() -> None:
    diagnosis = causes.of_span(span(attributes=bottleneck("checkpoint", 0.1)))
    assert diagnosis is not None
    assert diagnosis.verdict.kind is Bottleneck.CHECKPOINT
    assert diagnosis.basis == "phases of 900 batches"
    assert causes.of_span(span()) is None


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence("fetch", "41 ms of 80 ms", "phases"),
        Evidence("a batch of worker 1 (of 2)", "every 41 ms (p95 60 ms)", "worker spans (12 kept batches)"),
        Evidence("file: line", "3 ms", "profiler window"),
    ],
)
def test_evidence_is_what_it_was_before_it_was_recorded(evidence: Evidence) -> None:
    attributes = bottleneck("data", 0.5) | {semconv.BOTTLENECK_EVIDENCE: [str(evidence)]}
    (found,) = read(attributes)[0].evidence
    assert str(found) == str(evidence)
    if ": " not in evidence.name:
        assert found == evidence


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("no colon", Evidence("", "no colon", "")),
        ("name: value", Evidence("name", "value", "")),
        ("name: a) (b)", Evidence("name", "a)", "b")),
        ("name: value)", Evidence("name", "value)", "")),
        ("name: ", Evidence("", "name: ", "")),
    ],
)
def test_evidence_of_another_form_is_shown_as_it_is(line: str, wanted: Evidence) -> None:
    found = read(bottleneck("data", 0.5) | {semconv.BOTTLENECK_EVIDENCE: [line]})
    assert found[0].evidence == (wanted,)


@pytest.mark.parametrize(
    "damage",
    [
        {semconv.BOTTLENECK_SHARE: math.nan},
        {semconv.BOTTLENECK_SHARE: "half"},
        {semconv.BOTTLENECK_SHARE: 12},
        {semconv.BOTTLENECK_SHARE: 10**400},
        {semconv.BOTTLENECK_EVIDENCE: "text"},
        {semconv.BOTTLENECK_EVIDENCE: [None, 3]},
        {semconv.BOTTLENECK_CONFIDENCE: ["high"]},
        {semconv.BOTTLENECK_RANK: "first"},
        {semconv.BOTTLENECK_SUMMARY: None},
    ],
)
def test_damaged_values_are_no_error(damage: dict[str, Any]) -> None:
    (found,) = read(bottleneck("data", 0.5) | damage)
    assert 0 <= found.share <= 1
    assert found.confidence in set(Confidence)


def test_a_kind_that_is_not_known_is_left_out() -> None:
    unknown = bottleneck("gremlins", 0.5)
    assert [each.kind for each in read(unknown, bottleneck("data", 0.1, rank=2))] == [Bottleneck.DATA]
