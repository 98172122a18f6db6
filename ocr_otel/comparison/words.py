"""How a comparison's numbers are written, the same in the terminal, in Markdown and on the page."""

from __future__ import annotations

from typing import Final

from ocr_otel.comparison.data import Change, Comparison, Difference, PhaseChange, Quantity, Sample
from ocr_otel.comparison.steps import FIRST
from ocr_otel.diagnosis.words import count, duration
from ocr_otel.report.quantities import quantity

CHANGE_COLUMNS: Final = ("batch time", "before", "after", "change", "bounds", "")
PHASE_COLUMNS: Final = ("phase of a batch", "before", "after", "change", "bounds", "")
QUANTITY_COLUMNS: Final = ("in numbers", "before", "after", "change")
DIFFERENCE_COLUMNS: Final = ("differs", "before", "after")
_PLAIN: Final = ("run", "resources")
"""Groups of which the names say it all."""
MIN_SHOWN: Final = 0.01
"""Change below which a number without a test is left out where there is room for little."""


def change_cells(change: Change) -> tuple[str, ...]:
    """Return the cells of a statistic of the batch time."""
    found = change.estimate
    mark = "changed" if change.changed else "within noise"
    bounds = f"{signed(found.low)} to {signed(found.high)} at {sure(change.level)}"
    shown = mark if change.judged else f"{mark}, not judged"
    return change.name, duration(found.base), duration(found.other), signed(found.change), bounds, shown


def phase_cells(phase: PhaseChange) -> tuple[str, ...]:
    """Return the cells of a phase."""
    found = phase.estimate
    bounds = f"{seconds(found.low)} to {seconds(found.high)}"
    mark = "changed" if phase.changed else "within noise"
    return phase.phase, duration(found.base), duration(found.other), seconds(found.change), bounds, mark


def quantity_cells(number: Quantity) -> tuple[str, ...]:
    """Return the cells of a number."""
    values = [quantity(each, number.unit) if each is not None else "" for each in (number.base, number.other)]
    name = number.name if number.group in _PLAIN else f"{number.group}: {number.name}"
    return name, *values, signed(number.ratio) if number.ratio is not None and number.ratio > 0 else ""


def difference_cells(found: Difference) -> tuple[str, ...]:
    """Return the cells of a text that is not the same."""
    return found.name, found.base, found.other


def moved(found: list[Quantity]) -> list[Quantity]:
    """Return the numbers that differ by more than a hundredth, or that one run does not have."""
    return [
        each for each in found if each.base != each.other and (each.ratio is None or abs(each.ratio - 1) >= MIN_SHOWN)
    ]


def signed(ratio: float) -> str:
    """Write a ratio as a change: `+15 %`, `−3.2 %`."""
    share = 100 * (ratio - 1)
    shown = f"{abs(share):.1f}" if abs(share) < 9.95 else f"{abs(share):,.0f}"
    return f"{'−' if share < 0 and float(shown) else '+'}{shown} %"


def seconds(value: float) -> str:
    """Write a difference of times: `+3.1 ms`."""
    return f"{'−' if value < 0 else '+'}{duration(abs(value))}"


def sure(level: float) -> str:
    """Write how sure bounds are: `96 %`."""
    return f"{100 * (1 - level):.3g} %"


def sample_sentence(name: str, sample: Sample) -> str:
    """Say which batches of a run were compared."""
    which = f"one in {sample.every:,}" if sample.every > 1 else "all"
    out = f"{sample.warmup:,} kept ones left out as warm-up"
    if sample.chosen:
        out += f", {sample.chosen:,} that were kept for being slow, profiled or failed"
    cut = (
        f"; {count(sample.blocks, 'block')} of {sample.length:,}, time of correlation {sample.correlation:.3g} batches"
        if sample.blocks
        else ""
    )
    return f"{name}: {count(sample.compared, 'batch')} compared, {which} by their index; {out}{cut}."


def rule(comparison: Comparison) -> str:
    """Say by which rule a change is called one."""
    among = f", divided among {len(comparison.pairs)} runs" if len(comparison.pairs) > 1 else ""
    return (
        f"A change is called one where chance alone would make it in less than {comparison.level:.3g} of cases{among}, "
        f"and it is {100 * comparison.least:.3g} % or more. Left out: the first {comparison.warmup} batches of a run "
        f"and the first {FIRST} of each epoch. A trimmed mean leaves out the fastest and the slowest tenth."
    )
