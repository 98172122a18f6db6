"""Reads a run directory into a `Run`, at once or again and again while it grows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from ocr_otel import semconv
from ocr_otel.runs import otlp
from ocr_otel.runs.lines import LineReader
from ocr_otel.runs.locate import DESCRIPTION, METRICS, TRACES, WHAT_A_RUN_IS, RunError, check, rank_directories
from ocr_otel.runs.model import Batch, Entry, Epoch, MetricPoint, Run, SpanRecord, Value, Window

FORMAT: Final = 1
"""Form of a run directory that is read here; a newer one is an error and not a guess."""

_ENTRIES: Final = (semconv.FIT, semconv.VALIDATE, semconv.TEST, semconv.PREDICT)
_BATCHES: Final = frozenset(semconv.BATCH_SPAN_BY_STAGE.values())
_OTHERS: Final = (
    semconv.SANITY_CHECK,
    semconv.VALIDATION,
    semconv.CHECKPOINT_SAVE,
    semconv.CHECKPOINT_LOAD,
    semconv.TRAIN_EPOCH_PROGRESS,
)


def load(directory: Path) -> Run:
    """Read a run directory; a run that goes on or was killed is read as far as it came.

    Raises:
        RunError: It is not there, is not a run directory, or holds nothing that could be read.
    """
    run = RunReader(directory).read(final=True)
    if not run.spans and not run.points:
        damaged = f" but {run.damaged_lines} damaged lines" if run.damaged_lines else ""
        raise RunError(f"{directory} is empty: it holds no span and no metric{damaged}; {WHAT_A_RUN_IS}.")
    return run


class RunReader:
    """Reads a run directory; called again it reads what was appended, and folders of ranks that have come since.

    Args:
        directory: A run directory, also of a run that goes on.

    Raises:
        RunError: It is not a run directory, or one of a newer form.
    """

    def __init__(self, directory: Path) -> None:
        check(directory)
        self._directory = directory
        self._description = _description(directory)
        self._ranks: dict[Path, _Rank] = {}

    def read(self, final: bool = False) -> Run:
        """Return the run as it is now.

        Args:
            final: Whether a last line without an end is to be read too, because nobody writes any more.
        """
        for part in rank_directories(self._directory):
            rank = self._ranks.setdefault(part, _Rank(part, first=not self._ranks))
            rank.read(final)
        ranks = list(self._ranks.values())
        first = ranks[0]
        batches = [Batch(span, rank.number) for rank in ranks for span in rank.batches]
        batches.sort(key=lambda batch: batch.span.start)
        entries, others = _arrange(first.spans.values())
        windows = [window for rank in ranks for window in rank.windows()]
        windows.sort(key=lambda window: window.span.start)
        run_id = self._description.get("run_id")
        return Run(
            run_id=run_id if isinstance(run_id, str) and run_id else self._directory.resolve().name,
            directory=str(self._directory),
            resource=first.resource,
            ranks=len(ranks),
            entries=entries,
            batches=batches,
            others=others,
            windows=windows,
            points=[point for rank in ranks for point in rank.all_points()],
            damaged=[where for rank in ranks for where in rank.damaged(self._directory)],
            left_out=sum(rank.left_out for rank in ranks),
            spans=sum(rank.read_spans for rank in ranks),
        )


class _Rank:
    """The files of one rank, as far as they have been read."""

    def __init__(self, part: Path, first: bool) -> None:
        number = part.name.removeprefix("rank-")
        self.number = int(number) if number.isdecimal() else 0
        self.first = first
        self.resource: dict[str, Value] = {}
        self.spans: dict[str, SpanRecord] = {}
        self.batches: list[SpanRecord] = []
        self.read_spans = 0
        self.left_out = 0
        self._profiles: list[SpanRecord] = []
        self._part = part
        self._children: dict[str, list[SpanRecord]] = {}
        self._traces, self._metrics = LineReader(part / TRACES), LineReader(part / METRICS)
        self._points: list[MetricPoint] = []
        self._last: dict[tuple[str, str], MetricPoint] = {}
        self._attributes: dict[str, dict[str, Value]] = {}

    def read(self, final: bool) -> None:
        """Read what has come."""
        for _, request in self._traces.read(final):
            for resource, raws in otlp.resources(request, "Spans"):
                self.resource = self.resource or resource
                for raw in raws:
                    self._take(otlp.span(raw, self._children))
        for _, request in self._metrics.read(final):
            for _, metrics in otlp.resources(request, "Metrics"):
                for metric in metrics:
                    self._take_points(metric)

    def _take(self, span: SpanRecord | None) -> None:
        # Every span has one parent and every id one span, so that what hangs below a root is a tree, whatever a file
        # says. The same span twice is a delivery that was repeated.
        if span is None or span.span_id in self.spans:
            self.left_out += span is None
            return
        self.read_spans += 1
        self.spans[span.span_id] = span
        if span.name == semconv.PROFILE:
            self._profiles.append(span)
        if span.parent_id:
            siblings = self._children.setdefault(span.parent_id, [])
            siblings.append(span)
            if len(siblings) > 1 and siblings[-2].start > span.start:
                siblings.sort(key=lambda child: child.start)
        elif span.name in _BATCHES:
            self.batches.append(span)

    def _take_points(self, metric: dict[str, Any]) -> None:
        # Of the first rank the whole course is kept, of the others what they came to: their number times the exports of
        # a long run would not fit into memory, and nothing shows the course of each.
        for point in otlp.points(metric, self.number):
            if self.first:
                # The points of a series share their attributes: a long run has a hundred series and thousands of each.
                shared = self._attributes.setdefault(str(point.attributes), point.attributes)
                self._points.append(MetricPoint(point.name, point.time, shared, point.value, point.count, point.rank))
            else:
                self._last[point.name, str(point.attributes)] = point

    def windows(self) -> list[Window]:
        """Return the profiler's windows; the epoch is that of the span they were in, where they do not say it."""
        found = []
        for span in self._profiles:
            parent = self.spans.get(span.parent_id)
            around = int(parent.number(semconv.EPOCH, -1)) if parent is not None else -1
            epoch = int(span.number(semconv.EPOCH, around))
            found.append(Window(span, self.number, epoch, str(self._part)))
        return found

    def all_points(self) -> list[MetricPoint]:
        """Return the points in order of time."""
        self._points.sort(key=lambda point: point.time)
        return self._points if self.first else list(self._last.values())

    def damaged(self, directory: Path) -> list[str]:
        """Return the damaged lines as `file:line`."""
        files = (self._traces, self._metrics)
        return [f"{file.path.relative_to(directory)}:{line}" for file in files for line in file.damaged]


def _arrange(spans: Any) -> tuple[list[Entry], list[SpanRecord]]:
    wanted = [span for span in spans if span.name not in _BATCHES and _of_a_run_trace(span.name)]
    wanted.sort(key=lambda span: span.start)
    by_id = {span.span_id: span for span in wanted}
    entries: list[Entry] = []
    others: list[SpanRecord] = []
    for span in wanted:
        if span.name.endswith(semconv.START_SUFFIX):
            root = by_id.get(span.parent_id)
            root = root if root is not None and root.name in _ENTRIES else None
            entries.append(Entry(span.name.removesuffix(semconv.START_SUFFIX), span.start, root, span.attributes))
    told = {entry.root.span_id for entry in entries if entry.root is not None}
    # The line with an entry's start span may be a damaged one.
    entries += [Entry(s.name, s.start, s, {}) for s in wanted if s.name in _ENTRIES and s.span_id not in told]
    entries.sort(key=lambda entry: entry.start)
    epochs = {span.span_id for span in wanted if span.name == semconv.TRAIN_EPOCH}
    for span in wanted:
        if span.name == semconv.TRAIN_EPOCH:
            entry = next((each for each in reversed(entries) if each.start <= span.start), None)
            if entry is not None:
                validations = [child for child in span.children if child.name == semconv.VALIDATION]
                saved = [*span.children, *(child for each in validations for child in each.children)]
                checkpoints = [child for child in saved if child.name == semconv.CHECKPOINT_SAVE]
                entry.epochs.append(Epoch(span, validations, checkpoints))
        elif span.name in _OTHERS and not _inside(span, epochs, by_id):
            others.append(span)
    return entries, others


def _of_a_run_trace(name: str) -> bool:
    return name in _ENTRIES or name == semconv.TRAIN_EPOCH or name in _OTHERS or name.removesuffix(
        semconv.START_SUFFIX
    ) in _ENTRIES  # fmt: skip


def _inside(span: SpanRecord, epochs: set[str], by_id: dict[str, SpanRecord]) -> bool:
    parent = by_id.get(span.parent_id)
    return span.parent_id in epochs or (parent is not None and parent.parent_id in epochs)


def _description(directory: Path) -> dict[str, Any]:
    for file in (directory / DESCRIPTION, *(part / DESCRIPTION for part in rank_directories(directory))):
        try:
            found = json.loads(file.read_bytes())
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            form = found.get("format", FORMAT)
            if isinstance(form, int) and form > FORMAT:
                raise RunError(
                    f"{directory} was written in format {form}, and this version of ocr_otel reads {FORMAT}: upgrade."
                )
            return found
    return {}
