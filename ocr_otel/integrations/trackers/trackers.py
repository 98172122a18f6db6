"""The experiment trackers of one Trainer entry."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from opentelemetry.trace import Span

from ocr_otel import semconv
from ocr_otel.integrations.trackers.figures import figures_of, over_ranks, verdict_of
from ocr_otel.integrations.trackers.links import links_of
from ocr_otel.integrations.trackers.loggers import Tracker, trackers_of
from ocr_otel.integrations.trackers.outlet import Outlet
from ocr_otel.integrations.trackers.report import REPORT_SECONDS, NoReportError, make_report
from ocr_otel.ranks import EpochFigures, board_of_process_group
from ocr_otel.recording import EntrySummary, Recorder
from ocr_otel.semconv import Outcome
from ocr_otel.settings import Settings
from ocr_otel.training.guard import Parts
from ocr_otel.training.listening import EndedEpoch

_PART = "trackers"


class Trackers:
    """Tells the loggers of a Trainer; see `training.listening.Listener`.

    Ranks other than 0 only leave their numbers for rank 0.

    Args:
        trackers: The loggers; none on other ranks than 0.
        together: Brings the numbers of ranks together; None where there is one alone.
        recorder: Records the entry.
        entry: Its name.
        settings: What they are told.
        parts: Guards them.
        left_out: Names of numbers that they are not told.
    """

    def __init__(
        self,
        trackers: list[Tracker],
        together: EpochFigures | None,
        recorder: Recorder,
        entry: str,
        settings: Settings,
        parts: Parts,
        left_out: frozenset[str],
    ) -> None:
        self._outlets = [Outlet(tracker, parts) for tracker in trackers]
        self._together = together
        self._recorder = recorder
        self._entry = entry
        self._settings = settings
        self._parts = parts
        self._left_out = left_out

    def known(self) -> Mapping[str, Any]:
        """Return the run's id in each tracker, as attributes."""
        found: dict[str, Any] = {}
        if "links" not in self._settings.trackers:
            return found
        for outlet in self._outlets:
            self._call(outlet, functools.partial(_ask_id, found))
        return found

    def entry_begins(self, root: Span) -> None:
        """Tell by which ids and addresses the entry is found."""
        if "links" not in self._settings.trackers:
            return
        run_id = self._recorder.session.identity.run_id
        links = links_of(root, self._entry, run_id, self._settings)
        for outlet in self._outlets:
            self._call(outlet, lambda tracker: tracker.tell(links))

    def epoch_ended(self, epoch: EndedEpoch) -> None:
        """Tell the numbers of an epoch, of all ranks together."""
        if "summaries" not in self._settings.trackers:
            return
        began = perf_counter_ns()
        found = figures_of(epoch.summary, epoch.attributes)
        figures = {name: value for name, value in found.items() if name not in self._left_out}
        if self._together is not None:
            number = (self._recorder.entries, epoch.epoch)
            all_ranks = self._together.bring_together(number, figures)
            figures = over_ranks(all_ranks) | {semconv.TRACKED_RANKS: float(len(all_ranks))}
        self._recorder.trackers_ns += perf_counter_ns() - began
        # Under `epoch` as Lightning gives it beside what a module has logged.
        numbers = figures | verdict_of(epoch.attributes) | {"epoch": float(epoch.epoch)}
        for outlet in self._outlets:
            self._call(outlet, lambda tracker: tracker.log(numbers, epoch.step))

    def entry_ended(self, summary: EntrySummary) -> None:
        """Tell the verdict, and hand over the report where it is asked for and the entry was not interrupted."""
        verdict = next(iter(summary.causes), {}).get(semconv.BOTTLENECK_SUMMARY)
        if verdict and "summaries" in self._settings.trackers:
            texts = {semconv.TRACKED_VERDICT: str(verdict)}
            for outlet in self._outlets:
                self._call(outlet, lambda tracker: tracker.conclude(texts))
        if "report" in self._settings.trackers and summary.outcome != Outcome.INTERRUPTED:
            self._parts.attempt(_PART, lambda: self._report(summary))

    def _report(self, summary: EntrySummary) -> None:
        outlets = [outlet for outlet in self._outlets if outlet.tracker.takes_files]
        if not outlets:
            return
        if not summary.directory:
            raise NoReportError("there is no run directory to make a report of, for telemetry goes to an endpoint")
        with tempfile.TemporaryDirectory(prefix="ocr_otel-") as folder:
            path = make_report(Path(summary.directory), Path(folder))
            for outlet in outlets:
                self._call(outlet, lambda tracker: tracker.keep(path), REPORT_SECONDS)

    def _call(self, outlet: Outlet, action: Callable[[Tracker], None], *seconds: float) -> None:
        began = perf_counter_ns()
        outlet.call(action, *seconds)
        self._recorder.trackers_ns += perf_counter_ns() - began


def _ask_id(found: dict[str, Any], tracker: Tracker) -> None:
    name = f"{semconv.TRACKER_ID_PREFIX}{tracker.kind}.run.id"
    # Two loggers of a kind are rare, and not to be told apart by an attribute's name.
    found[name] = ", ".join(filter(None, (found.get(name), tracker.run_id())))


def trackers_for(
    trainer: Any,
    recorder: Recorder,
    entry: str,
    settings: Settings,
    parts: Parts,
    left_out: frozenset[str] = frozenset(),
) -> Trackers | None:
    """Return the trackers of a Trainer's entry; None where there is nobody to tell.

    Args:
        trainer: The Trainer.
        recorder: Records the entry.
        entry: Its name.
        settings: What they are told.
        parts: Guards them.
        left_out: Names of numbers that they are not told.
    """
    trackers = trackers_of(trainer.loggers) if settings.trackers else []
    if not trackers:
        return None
    identity = recorder.session.identity
    several = identity.world_size > 1
    board = board_of_process_group() if several else None
    together = EpochFigures(board, identity.rank, identity.world_size) if board is not None else None
    return Trackers(trackers if identity.rank == 0 else [], together, recorder, entry, settings, parts, left_out)
