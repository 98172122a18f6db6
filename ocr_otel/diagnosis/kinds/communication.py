"""`communication`: collectives during which the device computes nothing."""

from __future__ import annotations

from ocr_otel.diagnosis import words
from ocr_otel.diagnosis.observation import WINDOW_SOURCE, Observation
from ocr_otel.diagnosis.thresholds import COMMUNICATION
from ocr_otel.diagnosis.verdict import Evidence, Verdict
from ocr_otel.profiling.profile import Communication
from ocr_otel.semconv import Bottleneck


def judge(observation: Observation) -> Verdict | None:
    """Return the verdict; None where nothing is communicated, or computation hides it."""
    window = observation.window
    if window is None:
        return None
    exposed = sum(each.seconds - each.overlapped for each in window.communication)
    if window.device is not None:
        exposed = window.device.exposed_communication
    share = observation.in_window(exposed)
    if share < COMMUNICATION:
        return None
    longest = max(window.communication, key=lambda each: each.seconds - each.overlapped, default=None)
    named = f", most of it in {longest.name}" if longest is not None else ""
    return Verdict(
        Bottleneck.COMMUNICATION,
        share,
        f"Ranks exchanged data {words.percent(share)} of the time while nothing was computed{named}.",
        "Let it overlap with the backward pass (DDP's bucket_cap_mb, gradient_as_bucket_view, static_graph), "
        "accumulate gradients over more batches, or compress them (fp16 or bf16 hooks); a rank that comes late "
        "makes all others wait here.",
        tuple(_collective(each) for each in window.communication[:3]),
        observation.measured,
    )


def _collective(each: Communication) -> Evidence:
    size = f", {words.size(each.bytes)}" if each.bytes is not None else ""
    value = (
        f"{words.count(each.calls, 'call')}{size}, {words.seconds(each.seconds)}, overlapped "
        f"{words.seconds(each.overlapped)}"
    )
    return Evidence(each.name, value, WINDOW_SOURCE)
