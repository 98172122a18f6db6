"""What was found, as it stands on a span: its `bottleneck` events by rank, or its attributes where it has none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ocr_otel import semconv
from ocr_otel.diagnosis import Diagnosis, Evidence, Observation, TimeBudget, Verdict, diagnose
from ocr_otel.runs import SpanRecord, finite
from ocr_otel.semconv import Bottleneck, Confidence


def of_span(span: SpanRecord) -> Diagnosis | None:
    """Return what was recorded; None where that is nothing."""
    events = [event.attributes for event in span.events if event.name == semconv.BOTTLENECK_EVENT]
    causes = of_events(events) or of_events([span.attributes])
    basis = next((str(each[semconv.BOTTLENECK_BASIS]) for each in events if semconv.BOTTLENECK_BASIS in each), "")
    return Diagnosis(tuple(causes), basis or span.text(semconv.BOTTLENECK_BASIS)) if causes else None


def of_events(events: Iterable[Mapping[str, Any]]) -> list[Verdict]:
    """Return the causes of `bottleneck` events by rank, from their attributes."""
    found = [(_rank(each), verdict) for each in events if (verdict := _verdict(each)) is not None]
    return [verdict for _, verdict in sorted(found, key=lambda item: item[0])]


def of_budget(budget: TimeBudget, known: Mapping[str, Any]) -> Diagnosis | None:
    """Return what the time budget allows to say, with what else is known; None where it is too early for a verdict.

    Args:
        budget: Where the wall time went.
        known: Attributes of configuration and resources.
    """
    return diagnose(Observation.of(budget, known))


def _rank(attributes: Mapping[str, Any]) -> int:
    return int(finite(attributes.get(semconv.BOTTLENECK_RANK)))


def _verdict(attributes: Mapping[str, Any]) -> Verdict | None:
    try:
        kind = Bottleneck(str(attributes.get(semconv.BOTTLENECK_KIND)))
    except ValueError:
        return None
    confidence = str(attributes.get(semconv.BOTTLENECK_CONFIDENCE))
    # A tuple before it is sent, a list in a file.
    lines = attributes.get(semconv.BOTTLENECK_EVIDENCE)
    return Verdict(
        kind=kind,
        share=min(1.0, max(0.0, finite(attributes.get(semconv.BOTTLENECK_SHARE)))),
        summary=str(attributes.get(semconv.BOTTLENECK_SUMMARY) or ""),
        advice=str(attributes.get(semconv.BOTTLENECK_ADVICE) or ""),
        evidence=tuple(_evidence(str(line)) for line in lines) if isinstance(lines, (list, tuple)) else (),
        confidence=Confidence(confidence) if confidence in set(Confidence) else Confidence.MEDIUM,
    )


def _evidence(line: str) -> Evidence:
    """Take a line apart that `Evidence` wrote: `name: value (source)`; value and source may hold parentheses too."""
    name, _, rest = line.partition(": ")
    if not rest:
        return Evidence("", line, "")
    depth = 0
    for index in range(len(rest) - 1, -1, -1):
        depth += (rest[index] == ")") - (rest[index] == "(")
        if depth <= 0:
            break
    # A line that ends in no parenthesis names no source: the search stopped at its last character.
    return (
        Evidence(name, rest[:index].rstrip(), rest[index + 1 : -1]) if rest[index] == "(" else Evidence(name, rest, "")
    )
