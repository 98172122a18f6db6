"""From runs to what a comparison shows."""

from __future__ import annotations

import math
from typing import Final

from ocr_otel.comparison import statistics
from ocr_otel.comparison.data import Change, Comparison, Measured, Outcome, Pair, PhaseChange, Sample
from ocr_otel.comparison.quantities import differences, quantities
from ocr_otel.comparison.statistics import MIN_STEPS, Blocks, Floats, blocks, correlation_time, thinned
from ocr_otel.comparison.steps import WARMUP, Steps
from ocr_otel.comparison.words import signed, sure
from ocr_otel.diagnosis.words import count, duration

LEVEL: Final = 0.05
"""Probability of a false alarm."""
LEAST: Final = 0.02
"""Least change of the batch time that matters: two starts of the same training on one machine differ by about that."""
TYPICAL: Final = "typical batch (trimmed mean)"
TAIL: Final = "slow batches (95th percentile)"
MEAN: Final = "mean"
_SHARES: Final = {TYPICAL: 0.8, TAIL: 0.2}
"""How the level is divided between what is judged: most of it where most changes are seen."""
_TIMES: Final = 2.0
"""Ratio from which it is said in times, and no longer in per cent."""
_RHYTHM: Final = 0.05
"""Distance of the sample's mean from that of all batches above which a sample is called a bad one."""
_OTHER_WORK: Final = 0.01
"""Difference in samples a batch above which batches are called different work."""


def compare(
    base: Measured, others: list[Measured], level: float = LEVEL, least: float = LEAST, warmup: int = WARMUP
) -> Comparison:
    """Compare runs with the first of them.

    Args:
        base: The first run.
        others: The others.
        level: Probability of at least one false alarm; with several others it is divided among them.
        least: Least change of the batch time that matters, as a share.
        warmup: What was left out of each; for the reader.
    """
    pairs = [_pair(base, other, level / max(1, len(others)), least) for other in others]
    return Comparison(base, pairs, level, least, warmup)


def changes(base: Floats, other: Floats, level: float, least: float) -> list[Change]:
    """Compare two series of step times, of at least `MIN_STEPS` each.

    Args:
        base: Seconds, in the order of the training.
        other: Those of the other run.
        level: Probability of a false alarm.
        least: Least change that matters, as a share.
    """
    correlation = _correlation(base, other)
    return _changes(blocks(thinned(base), correlation), blocks(thinned(other), correlation), level, least)


def outcome(found: list[Change]) -> Outcome:
    """Return what is said of the batch time."""
    moved = [change for change in found if change.judged and change.changed]
    if not found:
        return Outcome.UNKNOWN
    if not moved:
        return Outcome.SAME
    # Where the typical batch became faster and the tail slower, the batch that there are most of has the word.
    return Outcome.SLOWER if moved[0].estimate.change > 1 else Outcome.FASTER


def _changes(base: Blocks, other: Blocks, level: float, least: float) -> list[Change]:
    found = []
    for name, statistic in (
        (TYPICAL, statistics.trimmed_mean),
        (TAIL, statistics.p95),
        (MEAN, statistics.mean),
    ):
        share = _SHARES.get(name)
        part = level * (share if share is not None else 1.0)
        estimate = statistics.ratio(base, other, statistic, part)
        beyond = estimate.p < part and abs(math.log(estimate.change)) >= math.log1p(least)
        found.append(Change(name, estimate, part, share is not None, beyond))
    return found


def _pair(base: Measured, other: Measured, level: float, least: float) -> Pair:
    times = base.steps.seconds, other.steps.seconds
    enough = min(map(len, times)) >= MIN_STEPS
    found = changes(*times, level, least) if enough else []
    correlation = _correlation(*times) if enough else 0.0
    said = outcome(found)
    return Pair(
        run=other,
        outcome=said,
        sentence=_sentence(said, found, base, other),
        base=_sample(base.steps, correlation),
        other=_sample(other.steps, correlation),
        changes=found,
        phases=_phases(base.steps, other.steps, correlation, level) if enough else [],
        quantities=quantities(base, other),
        differences=differences(base.data, other.data),
        notes=_notes(base, other),
    )


def _correlation(base: Floats, other: Floats) -> float:
    return max(correlation_time(thinned(base)), correlation_time(thinned(other)))


def _sample(found: Steps, correlation: float) -> Sample:
    cut = blocks(thinned(found.seconds), correlation) if correlation else None
    return Sample(
        compared=len(found),
        every=found.every,
        warmup=found.warmup,
        chosen=found.chosen,
        correlation=correlation,
        blocks=cut.count if cut is not None else 0,
        length=cut.length if cut is not None else 0,
        mean_of_all=found.mean,
    )


def _phases(base: Steps, other: Steps, correlation: float, level: float) -> list[PhaseChange]:
    names = [*base.phases, *(phase for phase in other.phases if phase not in base.phases)]
    found = []
    for phase in names:
        times = [thinned(each.phases.get(phase, 0 * each.seconds)) for each in (base, other)]
        cut = [blocks(each, correlation) for each in times]
        part = level / len(names)
        estimate = statistics.difference(cut[0], cut[1], statistics.mean, part)
        found.append(PhaseChange(str(phase), estimate, estimate.p < part))
    return sorted(found, key=lambda each: -abs(each.estimate.change))


def _sentence(said: Outcome, found: list[Change], base: Measured, other: Measured) -> str:
    if said is Outcome.UNKNOWN:
        numbers = f"{len(base.steps):,} and {len(other.steps):,}"
        return (
            f"Too few batches to compare: {numbers} that were kept by their index after the warm-up, "
            f"of at least {MIN_STEPS}."
        )
    change = next((each for each in found if each.judged and each.changed), found[0])
    if change.changed and change.estimate.change >= _TIMES:
        amount = f"{change.estimate.change:.3g} times as long"
    else:
        amount = (
            f"{abs(100 * (change.estimate.change - 1)):.3g} % {'longer' if change.estimate.change > 1 else 'less time'}"
        )
    estimate = change.estimate
    bounds = f"{signed(estimate.low)} to {signed(estimate.high)} at {sure(change.level)} confidence"
    times = f"{duration(estimate.base)} to {duration(estimate.other)}"
    what = "A batch" if change.name == TYPICAL else "The slowest batches (95th percentile)"
    if said is Outcome.SAME:
        return f"No change of the batch time found: {times}, {signed(estimate.change)} ({bounds})."
    verb = "takes" if change.name == TYPICAL else "take"
    return f"{what} {verb} {amount}: {times} ({bounds})."


def _notes(base: Measured, other: Measured) -> list[str]:
    found = []
    work = [each.data.samples / each.data.batches if each.data.batches else 0.0 for each in (base, other)]
    if all(work) and abs(work[1] / work[0] - 1) > _OTHER_WORK:
        found.append(
            f"Batches hold {work[0]:.3g} and {work[1]:.3g} samples: their times are of different work. "
            "Compare the throughput."
        )
    for each in (base, other):
        sample, name = each.steps, each.data.run_id
        if sample.mean is not None and len(sample) >= MIN_STEPS and sample.every > 1:
            away = float(sample.seconds.mean()) / sample.mean - 1
            if abs(away) > _RHYTHM:
                found.append(
                    f"{name}: the compared batches, one in {sample.every}, are {abs(away):.0%} "
                    f"{'slower' if away > 0 else 'faster'} than all batches: their distance may fall in with a rhythm "
                    "of the training, such as accumulated gradients. Trust the throughput rather than the batch time."
                )
        if each.data.damaged:
            found.append(f"{name}: {count(len(each.data.damaged), 'damaged line')} left out.")
        if each.data.outcome != "completed":
            found.append(
                f"{name}: {each.data.entry or 'run'} {each.data.outcome}; what it recorded so far is compared."
            )
    hosts = [each.data.environment.get("host.name", "") for each in (base, other)]
    if all(hosts) and hosts[0] != hosts[1]:
        found.append("The runs were on different hosts: a change may be the machine's.")
    return found
