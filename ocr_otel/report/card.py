"""The card in the terminal when a run ends: verdict, why, next step, where the step time went; twelve lines at most."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TextIO

from ocr_otel.diagnosis import TimeBudget, Verdict
from ocr_otel.diagnosis.words import duration
from ocr_otel.semconv import Bottleneck, Phase

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

BAR_WIDTH: Final = 24
MAX_LINES: Final = 12
MAX_ROWS: Final = 5
"""Rows of the time tree; smaller parts are added up in its last."""
MIN_ROWS: Final = 2
MAX_VERDICT: Final = 5
"""Lines of the verdict, why, and what to try."""
MAX_WRAPPED: Final = 2
"""Lines of one sentence; the report and the span have the rest."""
WHY: Final = "Why"
TRY: Final = "Try"
RANKS: Final = "Ranks"
MIN_SPEEDUP: Final = 1.005
"""Below that the number would read "1.00 times"."""
INDENT: Final = 11
"""Columns of a line's title, under which its text goes on."""
WIDEST: Final = 110
"""Columns beyond which a sentence is hard to read, however wide the terminal."""
_ASCII: Final = str.maketrans({"█": "#", "├": "|", "└": "`", "─": "-", "←": "<", "…": "~", "µ": "u"})

_CAUSE: Final = {
    Bottleneck.DATA: ("fetch",),
    Bottleneck.TRANSFER: ("transfer",),
    Bottleneck.OPTIMIZER: ("optimizer",),
    Bottleneck.LOGGING: ("callbacks", "loop"),
    Bottleneck.CHECKPOINT: ("checkpoint",),
    Bottleneck.VALIDATION: ("validation",),
    Bottleneck.COMPUTE: ("forward", "backward"),
    Bottleneck.COMMUNICATION: ("communication",),
}
"""The parts of the wall time that a verdict is about as a whole."""
_PLACE: Final = {
    Bottleneck.LAUNCH: ("forward", "backward"),
    Bottleneck.MEMORY_BANDWIDTH: ("forward", "backward"),
    Bottleneck.SYNCHRONIZATION: ("forward", "backward"),
    Bottleneck.COMPILE: ("forward", "backward"),
}
"""The parts in which the time of a verdict lies beside other time."""
_BY_DEVICE: Final = ("backward",)
"""Where ranks exchange gradients on a device: its host asks for it in the backward pass and does not wait there."""
BY_HOST: Final = 0.5
"""Share of a verdict on communication that its phase must hold to be what the verdict is about."""
THE_CAUSE: Final = "the cause"
IN_HERE: Final = "in here"


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
        straggler: The rank that all others wait for, in one sentence; empty where there is none.
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
    straggler: str = ""


def printable(text: str) -> str:
    """Return the text without what could steer a terminal: names in a run may come from anywhere."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def parts_of(budget: TimeBudget) -> list[tuple[str, float]]:
    """Return the parts of the wall time that took any, largest first; they add up to the wall time."""
    parts = [(str(phase), budget.phases.get(phase, 0.0)) for phase in Phase]
    parts += [("validation", budget.validation), ("checkpoint", budget.checkpoint), ("other", budget.other)]
    return sorted(((name, seconds) for name, seconds in parts if seconds > 0), key=lambda part: -part[1])


def cause_of(verdict: Verdict | None, budget: TimeBudget | None = None) -> tuple[str, ...]:
    """Return the parts that a verdict is about, or in which its time lies; of a budget, where there is one."""
    if verdict is None:
        return ()
    return _BY_DEVICE if _on_device(verdict, budget) else (_CAUSE | _PLACE).get(verdict.kind, ())


def mark_of(verdict: Verdict | None, budget: TimeBudget | None = None) -> str:
    """Return what is written beside those parts."""
    inside = verdict is not None and (verdict.kind in _PLACE or _on_device(verdict, budget))
    return IN_HERE if inside else THE_CAUSE


def _on_device(verdict: Verdict, budget: TimeBudget | None) -> bool:
    return (
        verdict.kind is Bottleneck.COMMUNICATION
        and budget is not None
        and budget.share(Phase.COMMUNICATION) < BY_HOST * verdict.share
    )


def bound_of(verdict: Verdict) -> str:
    """Return how much it could bring, such as `at most 1.25 times as fast`; empty where that is nothing."""
    factor = verdict.speedup
    if verdict.kind in (Bottleneck.NONE, Bottleneck.COMPUTE) or factor < MIN_SPEEDUP:
        return ""
    return f"at most {factor:.{2 if factor < 2 else 1 if factor < 10 else 0}f} times as fast"


def without_it(verdict: Verdict) -> str:
    """Return that as a sentence; empty where it could bring nothing."""
    bound = bound_of(verdict)
    return f"Without it this would be {bound}: an upper bound." if bound else ""


def render_card(budget: TimeBudget, verdict: Verdict | None, facts: CardFacts, file: TextIO | None = None) -> None:
    """Print the card.

    Args:
        budget: Where the wall time went.
        verdict: What limits the training; None where it is too early for one.
        facts: The rest.
        file: Where to; standard error by default, so that a script's own output stays clean.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(file=file, stderr=file is None, highlight=False, soft_wrap=True)
    above, below = _sentences(verdict, facts)
    width = min(console.width, WIDEST) if console.is_terminal else None
    wrapped = [[_wrapped(title, text, width, 1 if title == RANKS else MAX_WRAPPED) for title, text, _ in part]
               for part in (above, below)]  # fmt: skip
    room = min(MAX_VERDICT, MAX_LINES - 1 - MIN_ROWS - sum(map(len, wrapped[1])))
    for short in ((WHY,), (WHY, TRY)):
        if sum(map(len, wrapped[0])) > room:
            # What was found counts most, then what to try; the report has all of it.
            wrapped[0] = [
                _wrapped(title, text, width, 1 if title in short else MAX_WRAPPED) for title, text, _ in above
            ]
    taken = 1 + sum(len(lines) for part in wrapped for lines in part)
    colour = {"completed": "green", "interrupted": "yellow"}.get(facts.outcome, "red")
    counts = ", ".join(
        f"{number:,} {name}" for number, name in ((facts.batches, "batches"), (facts.samples, "samples")) if number
    )
    outcome = (printable(facts.outcome), f"bold {colour}")
    end = f" in {duration(facts.seconds)}{': ' if counts else ''}{counts}"
    _line(console, Text.assemble(("ocr_otel ", "bold"), f"{printable(facts.entry)} ", outcome, end))
    for (_, _, style), lines in zip(above, wrapped[0], strict=True):
        _titled(console, lines, style)
    _tree(console, budget, verdict, max(MIN_ROWS, min(MAX_ROWS, MAX_LINES - taken)), width)
    for (_, _, style), lines in zip(below, wrapped[1], strict=True):
        _titled(console, lines, style)


Sentences = list[tuple[str, str, str]]
"""Title, text, and style of the text."""


def _sentences(verdict: Verdict | None, facts: CardFacts) -> tuple[Sentences, Sentences]:
    above: Sentences = []
    if verdict is not None:
        limited = verdict.kind not in (Bottleneck.NONE, Bottleneck.COMPUTE)
        above.append(("Verdict", verdict.summary, "bold yellow" if limited else ""))
        if why := _why(verdict):
            above.append((WHY, why, ""))
        if verdict.advice:
            above.append((TRY, verdict.advice, ""))
    below: Sentences = []
    if facts.straggler:
        below.append((RANKS, facts.straggler, "bold yellow"))
    if batches := _batches(facts):
        below.append(("Batches", batches, ""))
    if facts.spans_lost:
        below.append(("Lost", f"{facts.spans_lost:,} spans could not be delivered.", "red"))
    if facts.report_command:
        below.append(("Report", facts.report_command, ""))
    else:
        below.append(("Sent", f"traces and metrics at {facts.destination}", ""))
    return above, below


def _why(verdict: Verdict) -> str:
    parts = [f"{each.name}: {each.value}".removeprefix(": ") for each in verdict.evidence[:1]]
    if bound := bound_of(verdict):
        parts.append(f"{bound} without it")
    return "; ".join(parts)


def _wrapped(title: str, text: str, width: int | None, most: int = MAX_WRAPPED) -> list[str]:
    start = f"  {title}".ljust(INDENT)
    text = printable(text)
    # A command is copied as a whole: it is never broken into lines.
    if width is None or width <= 2 * INDENT or title == "Report":
        return [start + text]
    return textwrap.wrap(
        text, width, initial_indent=start, subsequent_indent=" " * INDENT, break_on_hyphens=False,
        max_lines=most, placeholder=" …",
    ) or [start]  # fmt: skip


def _titled(console: Console, lines: list[str], style: str) -> None:
    from rich.text import Text

    for index, line in enumerate(lines):
        _line(console, Text.assemble((line[:INDENT], "bold" if index == 0 else ""), (line[INDENT:], style)))


def _tree(console: Console, budget: TimeBudget, verdict: Verdict | None, rows: int, width: int | None) -> None:
    from rich.text import Text

    cause, mark = cause_of(verdict, budget), mark_of(verdict, budget)

    if not budget.batches or budget.wall <= 0:
        return
    # What the verdict is about is shown, however small; the sort is stable, so both groups stay largest first.
    parts = sorted(parts_of(budget), key=lambda part: part[0] not in cause)
    shown = parts if len(parts) <= rows else sorted(parts[: rows - 1], key=lambda part: -part[1])
    rest = parts[len(shown) :]
    if rest:
        shown = [*shown, (", ".join(name for name, _ in rest), sum(seconds for _, seconds in rest))]
    else:
        shown = sorted(shown, key=lambda part: -part[1])
    for index, (name, seconds) in enumerate(shown):
        share = seconds / budget.wall
        marked = name in cause
        row = Text.assemble(
            "  └─ " if index == len(shown) - 1 else "  ├─ ",
            ("█" * max(1, round(share * BAR_WIDTH)), "yellow" if marked else "cyan"),
            f" {share:4.0%} {duration(seconds)} {name}",
            (f" ← {mark}" if marked else "", "bold yellow"),
        )
        if width is not None:
            row.truncate(width, overflow="ellipsis")
        _line(console, row)


def _line(console: Console, text: Text) -> None:
    # A terminal of the C locale takes ASCII alone; a card must not end in an error for its bars.
    try:
        text.plain.encode(getattr(console.file, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        text.plain = text.plain.translate(_ASCII).encode("ascii", "replace").decode("ascii")
    console.print(text)


def _batches(facts: CardFacts) -> str:
    parts = []
    if facts.batch_p50:
        parts.append(f"{duration(facts.batch_p50)} median, {duration(facts.batch_p95)} p95")
    if facts.batches:
        parts.append(f"{facts.slow_batches:,} slow")
    if facts.time_to_first_batch is not None:
        parts.append(f"first after {duration(facts.time_to_first_batch)}")
    if facts.goodput is not None:
        parts.append(f"goodput {facts.goodput:.0%}")
    if facts.mfu is not None:
        parts.append(f"MFU {facts.mfu:.1%}")
    if facts.amp_skipped_steps:
        parts.append(f"{facts.amp_skipped_steps:,} steps skipped by the gradient scaler")
    return ", ".join(parts)
