"""What the callbacks for one part show of an epoch: a line, warnings, and the part of the numbers that trackers get."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.trace import Span

from ocr_otel import semconv
from ocr_otel.callbacks.asked import Part, Plan, Thresholds, View
from ocr_otel.integrations.hydra_job import describe_job
from ocr_otel.integrations.trackers.figures import MEMORY, TIMING, resident_of
from ocr_otel.recording import EntrySummary
from ocr_otel.training.listening import EndedEpoch, Listener

logger: Final = logging.getLogger("ocr_otel")

_GIB: Final = 2**30


def left_out(plan: Plan) -> frozenset[str]:
    """Return the names of the numbers that trackers are not given: those of parts that nobody asked for."""
    names = set[str]()
    if Part.THROUGHPUT not in plan.parts or not plan.view.timing:
        names |= TIMING
    if not plan.parts & {Part.THROUGHPUT, Part.RESOURCES} or not plan.view.memory:
        names |= MEMORY
    if Part.RESOURCES not in plan.parts:
        names |= {semconv.TRACKED_GPU}
    return frozenset(names)


class Shown:
    """Stands before the trackers; see `training.listening.Listener`.

    Args:
        plan: What is shown.
        trackers: Who is told of the epochs that are shown; None where nobody is.
        first: Whether this rank is the one that prints.
    """

    def __init__(self, plan: Plan, trackers: Listener | None, first: bool) -> None:
        self._view = plan.view
        self._thresholds = plan.thresholds
        self._trackers = trackers
        self._first = first
        self._warned: set[str] = set()

    def known(self) -> Mapping[str, Any]:
        """Return which job of Hydra it is, and what trackers know."""
        return describe_job() | dict(self._trackers.known() if self._trackers is not None else {})

    def entry_begins(self, root: Span) -> None:
        """Tell the trackers."""
        if self._trackers is not None:
            self._trackers.entry_begins(root)

    def epoch_ended(self, epoch: EndedEpoch) -> None:
        """Show an epoch, where it is one that is shown; bounds are watched in each."""
        for name, text in beyond(self._thresholds, epoch.attributes):
            if name not in self._warned:
                self._warned.add(name)
                logger.warning("ocr_otel: in epoch %d %s", epoch.epoch, text)
        if (epoch.epoch + 1) % self._view.log_interval:
            return
        if self._view.verbose and self._first:
            print(line_of(epoch, self._view), file=sys.stderr)
        if self._trackers is not None:
            self._trackers.epoch_ended(epoch)

    def entry_ended(self, summary: EntrySummary) -> None:
        """Tell the trackers."""
        if self._trackers is not None:
            self._trackers.entry_ended(summary)


def line_of(epoch: EndedEpoch, view: View) -> str:
    """Return an epoch in one line."""
    summary, attributes = epoch.summary, epoch.attributes
    parts = []
    if view.timing:
        parts.append(f"{attributes.get(semconv.THROUGHPUT, 0.0):.1f} samples/s")
        times = (summary.mean, summary.p50, summary.p95, summary.p99)
        parts.append("batch {:.1f} ms (p50 {:.1f}, p95 {:.1f}, p99 {:.1f})".format(*(each * 1e3 for each in times)))
        parts.append(f"waiting for data {attributes.get(semconv.DATA_WAIT_RATIO, 0.0):.0%}")
        if summary.validation:
            parts.append(f"validation {summary.validation:.2f} s")
    if view.memory:
        for name, value in (
            ("memory", resident_of(attributes)),
            ("device memory", attributes.get(semconv.MEMORY_PEAK)),
        ):
            if value is not None:
                parts.append(f"{name} {value / _GIB:.2f} GiB")
    return f"ocr_otel epoch {epoch.epoch}: {', '.join(parts)}"


def beyond(thresholds: Thresholds, attributes: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return each bound that an epoch is beyond, by name, and that in words; what was not read is beyond none."""
    used, held_down, waited = (
        attributes.get(name) for name in (semconv.GPU_USED_MEAN, semconv.GPU_HELD_DOWN, semconv.PRESSURE_IO)
    )
    found = []
    bound = thresholds.gpu_utilization_min
    if bound is not None and used is not None and used < bound:
        found.append(("gpu_utilization_min", f"the GPUs ran kernels {used:.0%} of the time, less than {bound:.0%}"))
    bound = thresholds.gpu_throttled_max
    if bound is not None and held_down is not None and held_down > bound:
        found.append(
            ("gpu_throttled_max", f"the clock of a GPU was held down {held_down:.0%} of the time, over {bound:.0%}")
        )
    bound = thresholds.io_pressure_max
    if bound is not None and waited is not None and waited > bound:
        found.append(("io_pressure_max", f"some task waited for I/O {waited:.0%} of the time, over {bound:.0%}"))
    return found
