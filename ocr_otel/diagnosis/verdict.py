"""What diagnosis finds: verdicts with their evidence, by rank."""

from __future__ import annotations

from dataclasses import dataclass

from ocr_otel.semconv import Bottleneck, Confidence


@dataclass(frozen=True, slots=True)
class Evidence:
    """One number behind a verdict.

    Attributes:
        name: What was measured, in words.
        value: The number with its unit, as people write it.
        source: Where it came from: a span's attribute, a metric or the profiler's window.
    """

    name: str
    value: str
    source: str

    def __str__(self) -> str:
        """Return it as it stands on a span."""
        return f"{self.name}: {self.value} ({self.source})"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What limits a training.

    Attributes:
        kind: The bottleneck, `none` when no part stands out.
        share: Share of the wall time at stake, 0 to 1.
        summary: One sentence with the number behind it.
        advice: What to try, in this run's own terms; empty for `none`.
        evidence: The numbers behind it.
        confidence: How sure it is.
    """

    kind: Bottleneck
    share: float
    summary: str
    advice: str
    evidence: tuple[Evidence, ...] = ()
    confidence: Confidence = Confidence.MEDIUM

    @property
    def speedup(self) -> float:
        """How many times faster the training would be without all of it (Amdahl's law): an upper bound."""
        return 1 / max(1 - self.share, 0.01)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found.

    Attributes:
        causes: Verdicts by rank, the first is the verdict; at least one, which may be `none`.
        basis: What it rests on, for people, such as `phases and a profiler window of 3 batches`.
    """

    causes: tuple[Verdict, ...]
    basis: str

    @property
    def verdict(self) -> Verdict:
        """The first cause."""
        return self.causes[0]
