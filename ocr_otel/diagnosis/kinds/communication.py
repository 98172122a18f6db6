"""`communication`: ranks wait for one another or exchange data, and nothing is computed beside it."""

from __future__ import annotations

from typing import Final

from ocr_otel import semconv
from ocr_otel.diagnosis import words
from ocr_otel.diagnosis.known import Straggler
from ocr_otel.diagnosis.observation import WINDOW_SOURCE, Observation
from ocr_otel.diagnosis.thresholds import COMMUNICATION
from ocr_otel.diagnosis.verdict import Evidence, Verdict
from ocr_otel.profiling.profile import Communication
from ocr_otel.semconv import Bottleneck, Phase

WAITED_FOR: Final = 0.5
"""Share of the communication from which on the late rank, and not the exchange, is what to change."""
JUDGED: Final = 0
"""Rank whose phases are judged where a straggler is known: it alone compares the ranks."""
_HIDE: Final = (
    "Let the exchange overlap with the backward pass (DDP's bucket_cap_mb, gradient_as_bucket_view, static_graph), "
    "accumulate gradients over more batches, or compress them (fp16 or bf16 hooks)"
)
_ADVICE: Final = {
    Phase.FETCH: "its shard (larger samples, more small files), its disk, and its dataloader workers and their CPUs",
    Phase.TRANSFER: "what else moves over its host's memory and PCIe, and pin_memory",
    Phase.FORWARD: "a GPU whose clock is held down by heat or power, another job on it, or larger samples in its shard",
    Phase.CALLBACKS: "callbacks, loggers and checkpoints that run on this rank alone",
    Phase.LOOP: "values that are logged and written on this rank alone",
}
_ON_CPU: Final = "what else keeps its host's CPUs busy, a slower host, or larger samples in its shard"
_AS: Final = {Phase.BACKWARD: Phase.FORWARD, Phase.OPTIMIZER: Phase.FORWARD}
"""Phases that are late for the same reasons as another."""


def judge(observation: Observation) -> Verdict | None:
    """Return the verdict; None where hardly anything is waited for, or computation hides it."""
    phase = 0.0 if observation.window_only else observation.budget.share(Phase.COMMUNICATION)
    exposed = _exposed(observation)
    if max(phase, exposed) < COMMUNICATION:
        return None
    # All batches rather than those of a window; but the host of a GPU does not wait in this phase: its device does.
    return _from_window(observation, exposed) if exposed > phase else _from_phases(observation, phase)


def _exposed(observation: Observation) -> float:
    """Return the share of the window in which data was exchanged and nothing computed; 0 without one."""
    window = observation.window
    if window is None:
        return 0.0
    if window.device is not None:
        return observation.in_window(window.device.exposed_communication)
    return observation.in_window(sum(each.seconds - each.overlapped for each in window.communication))


def _from_window(observation: Observation, share: float) -> Verdict:
    collectives = observation.window.communication if observation.window is not None else ()
    longest = max(collectives, key=lambda each: each.seconds - each.overlapped, default=None)
    named = f", most of it in {longest.name}" if longest is not None else ""
    late = observation.known.straggler
    look = _late(observation, late) if late is not None else "a rank that comes late makes all others wait here"
    return Verdict(
        Bottleneck.COMMUNICATION,
        share,
        f"Ranks exchanged data {words.percent(share)} of the time while nothing was computed{named}.",
        f"{_HIDE}; {look}.",
        (*map(_collective, collectives[:3]), *_of(late)),
        observation.measured,
    )


def _from_phases(observation: Observation, share: float) -> Verdict:
    late = observation.known.straggler
    batch = observation.by_batch(observation.budget.seconds(Phase.COMMUNICATION))
    found = f"The training waited for other ranks and their gradients {words.percent(share)} of the time"
    evidence = [
        observation.phase(Phase.COMMUNICATION),
        Evidence("by batch", words.seconds(batch), semconv.phase_seconds(Phase.COMMUNICATION)),
        *_of(late),
    ]
    if observation.window is not None:
        evidence += map(_collective, observation.window.communication[:3])
    if late is not None and late.rank != JUDGED and late.delay >= WAITED_FOR * batch:
        summary = f"{found}: rank {late.rank} arrives {words.seconds(late.delay)} after the others{_where(late)}."
        advice = f"{_late(observation, late, 'On')}."
    else:
        apart = "; no rank stands out" if late is None and observation.known.machine.compared else ""
        summary = f"{found}{apart}."
        advice = f"{_HIDE}; and even out what the ranks do: batches of like sizes, on like machines."
    return Verdict(Bottleneck.COMMUNICATION, share, summary, advice, tuple(evidence), observation.measured)


def _where(late: Straggler) -> str:
    return f"; it spends more in {late.phase}" if late.phase else ""


def _late(observation: Observation, late: Straggler, on: str = "on") -> str:
    """Return where to look on the rank that is waited for."""
    phase = Phase(late.phase) if late.phase in set(Phase) else None
    look = _ADVICE.get(_AS.get(phase, phase)) if phase is not None else None
    if look is None:
        return f"{on} rank {late.rank} look for what its host does beside, and compare its phases with the others'"
    if look == _ADVICE[Phase.FORWARD] and observation.known.machine.accelerator is False:
        look = _ON_CPU
    usual = ", as is usual of rank 0" if late.rank == 0 and phase in (Phase.CALLBACKS, Phase.LOOP) else ""
    return f"{on} rank {late.rank} look at {look}{usual}"


def _of(late: Straggler | None) -> tuple[Evidence, ...]:
    if late is None:
        return ()
    return (
        Evidence(
            f"rank {late.rank} arrives last", f"at {words.percent(late.ratio)} of the steps", semconv.STRAGGLER_RATIO
        ),
        Evidence(
            f"rank {late.rank} after the others",
            f"{words.seconds(late.delay)} in three of four steps at least",
            semconv.STRAGGLER_SECONDS,
        ),
    )


def _collective(each: Communication) -> Evidence:
    size = f", {words.size(each.bytes)}" if each.bytes is not None else ""
    value = (
        f"{words.count(each.calls, 'call')}{size}, {words.seconds(each.seconds)}, overlapped "
        f"{words.seconds(each.overlapped)}"
    )
    return Evidence(each.name, value, WINDOW_SOURCE)
