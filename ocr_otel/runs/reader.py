"""Reads a run directory into a `Run`, at once or again and again while it grows."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from ocr_otel import semconv
from ocr_otel.runs import otlp
from ocr_otel.runs.limits import Limits
from ocr_otel.runs.lines import LineReader
from ocr_otel.runs.locate import (
    DESCRIPTION,
    LOGS,
    METRICS,
    TRACES,
    WHAT_A_RUN_IS,
    RunError,
    check,
    inside,
    rank_directories,
)
from ocr_otel.runs.model import (
    Batch,
    Entry,
    Epoch,
    LogEvent,
    LogLine,
    MetricPoint,
    RankRecord,
    Run,
    SpanRecord,
    Value,
    Window,
)

FORMAT: Final = 1
"""Form of a run directory that is read here; a newer one is an error and not a guess."""

MAX_LOG_LINES: Final = 5_000
"""Log records that are kept of each rank: so many from warnings on, and so many below."""
WARNING: Final = 13
"""OpenTelemetry's lowest number of a warning."""

_LARGEST_DESCRIPTION: Final = 1_000_000
"""Bytes of `run.json` that are read."""
_ENTRIES: Final = (semconv.FIT, semconv.VALIDATE, semconv.TEST, semconv.PREDICT)
_NOT_WHOLE_YET: Final = 500
"""Spans that came last: those of a batch come before its own, which makes them whole."""
_BATCHES: Final = frozenset(semconv.BATCH_SPAN_BY_STAGE.values())
_OTHERS: Final = (
    semconv.SANITY_CHECK,
    semconv.VALIDATION,
    semconv.CHECKPOINT_SAVE,
    semconv.CHECKPOINT_LOAD,
    semconv.TRAIN_EPOCH_PROGRESS,
)


def load(directory: Path, progress: Callable[[int, int], None] | None = None) -> Run:
    """Read a run directory; a run that goes on or was killed is read as far as it came.

    Args:
        directory: The run directory.
        progress: Called with the bytes that were read and those that there are, after each line.

    Raises:
        RunError: It is not there, is not a run directory, or holds nothing that could be read.
    """
    run = RunReader(directory, progress=progress).read(final=True)
    if not run.spans and not run.points:
        damaged = f" but {run.damaged_lines} damaged lines" if run.damaged_lines else ""
        raise RunError(f"{directory} is empty: it holds no span and no metric{damaged}; {WHAT_A_RUN_IS}.")
    return run


class RunReader:
    """Reads a run directory; called again it reads what was appended, and folders of ranks that have come since.

    Args:
        directory: A run directory, also of a run that goes on.
        limits: What is read of long files, and kept; None reads and keeps everything.
        progress: Called with the bytes that were read and those that there are, after each line.

    Raises:
        RunError: It is not a run directory, or one of a newer form.
    """

    def __init__(
        self,
        directory: Path,
        limits: Limits | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        check(directory)
        self._progress = progress
        self._read_bytes = self._bytes = 0
        self._limits = limits
        self._directory = directory
        self._description = _description(directory)
        self._ranks: dict[Path, _Rank] = {}

    def read(self, final: bool = False) -> Run:
        """Return the run as it is now.

        Args:
            final: Whether a last line without an end is to be read too, because nobody writes any more.
        """
        parts = rank_directories(self._directory)
        if self._progress is not None:
            self._bytes = sum(path.stat().st_size for part in parts for path in _files(part) if path.is_file())
        for part in parts:
            told = self._tell if self._progress is not None else None
            rank = self._ranks.setdefault(part, _Rank(part, not self._ranks, self._limits, told))
            rank.read(final)
        ranks = list(self._ranks.values())
        first = ranks[0]
        batches = [Batch(span, rank.number) for rank in ranks for span in rank.batches]
        batches.sort(key=lambda batch: batch.span.start)
        entries, others = _arrange(first.spans.values(), first.resources)
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
            events=sorted((event for rank in ranks for event in rank.events), key=lambda event: event.time),
            log_lines=sorted((line for rank in ranks for line in rank.log_lines()), key=lambda line: line.time),
            logged_in_all=dict(sum((rank.logged for rank in ranks), Counter[str]())),
            by_rank=[RankRecord(rank.number, rank.resource, rank.epochs) for rank in ranks],
            sampled=any(rank.sampled for rank in ranks),
        )

    def _tell(self, size: int) -> None:
        self._read_bytes += size
        if self._progress is not None:
            self._progress(self._read_bytes, self._bytes)


class _Rank:
    """The files of one rank, as far as they have been read."""

    def __init__(self, part: Path, first: bool, limits: Limits | None, told: Callable[[int], None] | None) -> None:
        number = part.name.removeprefix("rank-")
        self.number = int(number) if number.isdecimal() else 0
        self.first = first
        self.resource: dict[str, Value] = {}
        self.resources: dict[str, dict[str, Value]] = {}
        self.epochs: list[SpanRecord] = []
        self.spans: dict[str, SpanRecord] = {}
        self.batches: list[SpanRecord] = []
        self.events: list[LogEvent] = []
        self.logged: Counter[str] = Counter()
        self.read_spans = 0
        self.left_out = 0
        self._profiles: list[SpanRecord] = []
        self._part = part
        self._children: dict[str, list[SpanRecord]] = {}
        # Apart, so that what matters is not forgotten for what does not.
        self._lines: dict[bool, deque[LogLine]] = {severe: deque(maxlen=MAX_LOG_LINES) for severe in (False, True)}
        self._traces, self._metrics, self._logs = (LineReader(path, limits, told) for path in _files(part))
        self._limits = limits
        self._points: list[MetricPoint] = []
        self._exports = 0
        self._last: dict[tuple[str, str], MetricPoint] = {}
        self._attributes: dict[str, dict[str, Value]] = {}

    def read(self, final: bool) -> None:
        """Read what has come."""
        for _, request in self._traces.read(final):
            for resource, raws in otlp.resources(request, "Spans"):
                self.resource = self.resource or resource
                for raw in raws:
                    self._take(otlp.span(raw, self._children), resource)
            self._let_go_of_spans()
        for _, request in self._metrics.read(final):
            for _, metrics in otlp.resources(request, "Metrics"):
                for metric in metrics:
                    self._take_points(metric)
            self._let_go_of_points()
        for _, request in self._logs.read(final):
            self.events += otlp.events(request, self.number)
            for line in otlp.log_lines(request, self.number):
                self.logged[line.level] += 1
                self._lines[line.severity >= WARNING].append(line)
            if self._limits is not None:
                del self.events[: -self._limits.events]

    @property
    def sampled(self) -> bool:
        """Whether a file was too long to be read whole."""
        return any(file.sampled for file in (self._traces, self._metrics, self._logs))

    def _let_go_of_spans(self) -> None:
        if self._limits is None or len(self.spans) <= self._limits.spans:
            return
        self.batches = thinned(self.batches, self._limits.batches)
        kept = {each.span_id for batch in self.batches for each in _below(batch)}
        light = [span.span_id for span in self.spans.values() if _light(span)]
        # The last ones may belong to a batch whose own span has not come yet.
        kept.update(light[-self._limits.spans // 3 :], list(self.spans)[-_NOT_WHOLE_YET:])
        self.spans = {name: span for name, span in self.spans.items() if name in kept}
        self._children = {name: span.children for name, span in self.spans.items()} | {
            span.parent_id: self._children[span.parent_id]
            for span in self.spans.values()
            if span.parent_id in self._children
        }
        self.epochs = [span for span in self.epochs if span.span_id in kept]
        self._profiles = [span for span in self._profiles if span.span_id in kept]

    def _let_go_of_points(self) -> None:
        if self._limits is None:
            return
        self._exports += 1
        if self._exports > self._limits.exports:
            times = sorted({point.time for point in self._points})
            older = set(times[1 : -self._limits.exports // 4 : 2])
            self._points = [point for point in self._points if point.time not in older]
            self._exports = len(times) - len(older)

    def _take(self, span: SpanRecord | None, resource: dict[str, Value]) -> None:
        # Every span has one parent and every id one span, so that what hangs below a root is a tree, whatever a file
        # says. The same span twice is a delivery that was repeated.
        if span is None or span.span_id in self.spans:
            self.left_out += span is None
            return
        self.read_spans += 1
        self.spans[span.span_id] = span
        if span.name == semconv.PROFILE:
            self._profiles.append(span)
        elif span.name == semconv.TRAIN_EPOCH:
            self.epochs.append(span)
        elif span.name.removesuffix(semconv.START_SUFFIX) in _ENTRIES:
            self.resources[span.span_id] = resource
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

    def log_lines(self) -> list[LogLine]:
        """Return what the program logged, in no order."""
        return [line for lines in self._lines.values() for line in lines]

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
        files = (self._traces, self._metrics, self._logs)
        return [f"{file.path.relative_to(directory)}:{line}" for file in files for line in file.damaged]


def _files(part: Path) -> tuple[Path, Path, Path]:
    return part / TRACES, part / METRICS, part / LOGS


def thinned(batches: list[SpanRecord], number: int) -> list[SpanRecord]:
    """Return at most so many batches: the last ones, the slowest, the failed, and an even choice of the others."""
    if len(batches) <= number:
        return batches
    older = range(len(batches) - number // 4)
    special = [place for place in older if batches[place].text(semconv.KEPT) not in ("", semconv.Kept.REGULAR)]
    special.sort(key=lambda place: (batches[place].failed, batches[place].seconds), reverse=True)
    chosen = {*special[: number // 4], *range(older.stop, len(batches))}
    rest = [place for place in older if place not in chosen]
    room = min(len(rest), number - len(chosen))
    chosen.update(rest[len(rest) * index // room] for index in range(room))
    return [batches[place] for place in sorted(chosen)]


def _below(span: SpanRecord) -> Iterator[SpanRecord]:
    left = [span]
    while left:
        each = left.pop()
        yield each
        left += each.children


def _light(span: SpanRecord) -> bool:
    return span.name == semconv.PROFILE or (span.name not in _BATCHES and _of_a_run_trace(span.name))


def _arrange(spans: Any, resources: dict[str, dict[str, Value]]) -> tuple[list[Entry], list[SpanRecord]]:
    wanted = [span for span in spans if span.name not in _BATCHES and _of_a_run_trace(span.name)]
    wanted.sort(key=lambda span: span.start)
    by_id = {span.span_id: span for span in wanted}
    entries: list[Entry] = []
    others: list[SpanRecord] = []
    for span in wanted:
        if span.name.endswith(semconv.START_SUFFIX):
            root = by_id.get(span.parent_id)
            root = root if root is not None and root.name in _ENTRIES else None
            name, resource = span.name.removesuffix(semconv.START_SUFFIX), resources[span.span_id]
            entries.append(Entry(name, span.start, root, span.attributes, resource=resource))
    told = {entry.root.span_id for entry in entries if entry.root is not None}
    # The line with an entry's start span may be a damaged one.
    entries += [
        Entry(span.name, span.start, span, {}, resource=resources[span.span_id])
        for span in wanted
        if span.name in _ENTRIES and span.span_id not in told
    ]
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
        if not inside(file, directory):
            continue
        try:
            with file.open("rb") as opened:
                found = json.loads(opened.read(_LARGEST_DESCRIPTION))
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
