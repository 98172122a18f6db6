"""What a trace of the profiler shows, as GitHub-flavoured Markdown for an issue or a pull request."""

from __future__ import annotations

from ocr_otel.diagnosis.verdict import Diagnosis, Verdict
from ocr_otel.profiling.profile import WindowProfile
from ocr_otel.profiling.span_events import events_of
from ocr_otel.report import gfm
from ocr_otel.report.card import without_it
from ocr_otel.report.markdown import evidence, listed
from ocr_otel.report.tables import tables
from ocr_otel.report.window_text import summary


def render(profile: WindowProfile, diagnosis: Diagnosis | None, title: str) -> str:
    """Return what a trace shows.

    Args:
        profile: What it shows.
        diagnosis: What limits the training; None where it holds too little for that.
        title: What the trace is called.
    """
    parts = [f"### {gfm.text(title)}", gfm.text(summary(profile))]
    if diagnosis is None:
        parts.append("There is too little in it for a verdict.")
    else:
        for place, verdict in enumerate(diagnosis.causes, start=1):
            parts += _verdict(place, verdict)
        parts.append(f"Judged by {gfm.text(diagnosis.basis)}.")
    parts += [f"- {gfm.text(note)}" for note in profile.notes]
    parts += [gfm.folded(found.title, listed(found)) for found in tables(events_of(profile))]
    return "\n\n".join(parts) + "\n"


def _verdict(place: int, verdict: Verdict) -> list[str]:
    sentences = (f"**{place}. {gfm.text(verdict.summary)}**", gfm.text(verdict.advice), without_it(verdict))
    found = [" ".join(each for each in sentences if each)]
    return [*found, evidence(verdict)] if place == 1 and verdict.evidence else found
