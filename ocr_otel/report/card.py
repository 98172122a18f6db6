"""The card in the terminal when a run ends: verdict, why, next step, where the step time went; twelve lines at most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TextIO

from rich.console import Console
from rich.text import Text

from ocr_otel.diagnosis import TimeBudget, Verdict
from ocr_otel.semconv import Bottleneck, Phase

BAR_WIDTH: Final = 24
MAX_ROWS: Final = 5
"""Rows of the time tree; smaller parts are added up in its last."""

_CAUSE: Final = {
    Bottleneck.DATA: ("fetch",),
    Bottleneck.TRANSFER: ("transfer",),
    Bottleneck.OPTIMIZER: ("optimizer",),
    Bottleneck.LOGGING: ("callbacks", "loop"),
    Bottleneck.CHECKPOINT: ("checkpoint",),
    Bottleneck.VALIDATION: ("validation",),
    Bottleneck.COMPUTE: ("forward", "backward"),
}


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What the card says beside the budget; times in seconds.

    Attributes:
        entry: `fit`, `validate`, `test` or `predict`.
        outcome: How it ended.
        seconds: Wall time.
        batches: Batches done.
        samples: Samples done.
        slow_batches: Batches found slow.
        batch_p50: Median batch time.
        batch_p95: 95th percentile of it.
        goodput: Share of the wall time that trained; None where that has no meaning.
        time_to_first_batch: Seconds until the first training batch; None without one.
        mfu: Model FLOPs utilisation; None where unknown.
        amp_skipped_steps: Steps that a gradient scaler skipped.
        spans_lost: Spans made and not delivered.
        destination: Where telemetry went.
        report_command: Command that makes the report; empty where there is no run directory.
    """

    entry: str
    outcome: str
    seconds: float
    batches: int
    samples: int
    slow_batches: int
    batch_p50: float
    batch_p95: float
    goodput: float | None
    time_to_first_batch: float | None
    mfu: float | None
    amp_skipped_steps: int
    spans_lost: int
    destination: str
    report_command: str


def duration(seconds: float) -> str:
    """Write a time as people read it: `1.2 ms`, `4.5 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    if seconds < 3600:
        return f"{int(seconds) // 60} min {int(seconds) % 60} s"
    return f"{int(seconds) // 3600} h {int(seconds) % 3600 // 60:02d} min"


def printable(text: str) -> str:
    """Return the text without what could steer a terminal: names in a run may come from anywhere."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def parts_of(budget: TimeBudget) -> list[tuple[str, float]]:
    """Return the parts of the wall time that took any, largest first; they add up to the wall time."""
    parts = [(str(phase), budget.phases.get(phase, 0.0)) for phase in Phase]
    parts += [("validation", budget.validation), ("checkpoint", budget.checkpoint), ("other", budget.other)]
    return sorted(((name, seconds) for name, seconds in parts if seconds > 0), key=lambda part: -part[1])


def cause_of(verdict: Verdict | None) -> tuple[str, ...]:
    """Return the parts that a verdict is about."""
    return _CAUSE.get(verdict.kind, ()) if verdict is not None else ()


def render_card(budget: TimeBudget, verdict: Verdict | None, facts: CardFacts, file: TextIO | None = None) -> None:
    """Print the card.

    Args:
        budget: Where the wall time went.
        verdict: What limits the training; None where it is too early for one.
        facts: The rest.
        file: Where to; standard error by default, so that a script's own output stays clean.
    """
    console = Console(file=file, stderr=file is None, highlight=False, soft_wrap=True)
    colour = {"completed": "green", "interrupted": "yellow"}.get(facts.outcome, "red")
    console.print(
        Text.assemble(
            ("ocr_otel ", "bold"),
            f"{facts.entry} ",
            (facts.outcome, f"bold {colour}"),
            f" in {duration(facts.seconds)}: {facts.batches:,} batches, {facts.samples:,} samples",
        )
    )
    if verdict is not None:
        limited = verdict.kind not in (Bottleneck.NONE, Bottleneck.COMPUTE)
        console.print(
            Text.assemble(("  Verdict  ", "bold"), (printable(verdict.summary), "bold yellow" if limited else ""))
        )
        if verdict.advice:
            console.print(Text.assemble(("  Try      ", "bold"), verdict.advice))
    _tree(console, budget, cause_of(verdict))
    console.print(Text.assemble(("  Batches  ", "bold"), _batches(facts)))
    if lost := _lost(facts):
        console.print(Text(f"  {lost}", "red"))
    where = facts.report_command or f"traces and metrics at {facts.destination}"
    console.print(Text.assemble(("  Report   " if facts.report_command else "  Sent     ", "bold"), where))


def _tree(console: Console, budget: TimeBudget, cause: tuple[str, ...]) -> None:
    if not budget.batches or budget.wall <= 0:
        return
    parts = parts_of(budget)
    shown = parts[:MAX_ROWS] if len(parts) <= MAX_ROWS else parts[: MAX_ROWS - 1]
    rest = parts[len(shown) :]
    if rest:
        shown = [*shown, (", ".join(name for name, _ in rest), sum(seconds for _, seconds in rest))]
    for index, (name, seconds) in enumerate(shown):
        share = seconds / budget.wall
        marked = name in cause
        console.print(
            Text.assemble(
                "  └─ " if index == len(shown) - 1 else "  ├─ ",
                ("█" * max(1, round(share * BAR_WIDTH)), "yellow" if marked else "cyan"),
                f" {share:4.0%} {duration(seconds)} {name}",
                (" ← the cause" if marked else "", "bold yellow"),
            )
        )


def _batches(facts: CardFacts) -> str:
    parts = []
    if facts.batch_p50:
        parts.append(f"{duration(facts.batch_p50)} median, {duration(facts.batch_p95)} p95")
    parts.append(f"{facts.slow_batches} slow")
    if facts.time_to_first_batch is not None:
        parts.append(f"first after {duration(facts.time_to_first_batch)}")
    if facts.goodput is not None:
        parts.append(f"goodput {facts.goodput:.0%}")
    if facts.mfu is not None:
        parts.append(f"MFU {facts.mfu:.1%}")
    if facts.amp_skipped_steps:
        parts.append(f"{facts.amp_skipped_steps} steps skipped by the gradient scaler")
    return ", ".join(parts)


def _lost(facts: CardFacts) -> str:
    return f"Lost: {facts.spans_lost} spans could not be delivered." if facts.spans_lost else ""
