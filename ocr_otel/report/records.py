"""What the program logged in a run, and in each of its kept batches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ocr_otel import semconv
from ocr_otel.diagnosis.words import count
from ocr_otel.runs import Batch, Run
from ocr_otel.runs.model import LogLine, finite

MAX_RECORDS: Final = 200
"""Rows of the table: the most severe ones, and of these the last."""
MAX_SEVERE: Final = 8
"""Errors and warnings in a report of text."""
MAX_OF_BATCH: Final = 20
"""The same of one batch."""
_WORDS: Final = {"FATAL": "fatal", "ERROR": "error", "WARN": "warning", "INFO": "message", "DEBUG": "debug message"}
_ERROR, _WARNING, _INFO = 17, 13, 9


@dataclass(frozen=True, slots=True)
class RecordRow:
    """What was logged, once or again and again with the same words.

    Attributes:
        at: The first time, seconds after the beginning of the run.
        level: `error`, `warning`, `info` or `debug`.
        logger: Who logged it.
        text: What; with the exception, where there is one.
        times: How often.
        rank: Whose it was the first time.
        place: Where the training was the first time, in words; empty outside of a loop.
    """

    at: float
    level: str
    logger: str
    text: str
    times: int
    rank: int
    place: str

    @property
    def sentence(self) -> str:
        """Say it on one line."""
        where = ", ".join(filter(None, (self.place, f"{self.times:,} times" if self.times > 1 else "")))
        return f"{self.level.capitalize()}{f' ({where})' if where else ''}, {self.logger}: {self.text}"


def severe(rows: list[RecordRow]) -> list[RecordRow]:
    """Return the errors and warnings that a short report has room for: errors first, of each the last."""
    found = [row for level in ("error", "warning") for row in reversed(rows) if row.level == level]
    return found[:MAX_SEVERE]


def records(run: Run, began: int) -> list[RecordRow]:
    """Return what was logged, each wording once, in order of time."""
    return _rows(run.log_lines, began, MAX_RECORDS)


def summary(run: Run) -> str:
    """Say how much was logged, such as `1 error, 3 warnings, 20 messages`; empty where nothing was."""
    found = run.logged_in_all
    return ", ".join(count(found[level], word) for level, word in _WORDS.items() if found.get(level))


class OfBatches:
    """Finds what was logged in a batch.

    By its trace, or where a record was made before it was known that the batch would be kept, by its index and time.

    Args:
        lines: What was logged.
        began: The run's beginning, Unix nanoseconds.
    """

    def __init__(self, lines: Iterable[LogLine], began: int) -> None:
        self._began = began
        self._by_trace: dict[tuple[str, int], list[LogLine]] = {}
        self._by_index: dict[tuple[object, object, object, int], list[LogLine]] = {}
        for line in lines:
            told = line.attributes
            if semconv.BATCH_IDX not in told:
                continue
            key = (told.get(semconv.STAGE), told.get(semconv.EPOCH), told[semconv.BATCH_IDX], line.rank)
            if all(isinstance(part, (str, int)) for part in key):
                self._by_index.setdefault(key, []).append(line)
            self._by_trace.setdefault((line.trace_id, line.rank), []).append(line)

    def of(self, batches: Iterable[Batch]) -> list[RecordRow]:
        """Return what was logged in the batches of a step."""
        found: dict[int, LogLine] = {}
        for batch in batches:
            span, rank = batch.span, batch.rank
            place = (int(span.number(semconv.EPOCH)), int(span.number(semconv.BATCH_IDX)))
            found |= {id(line): line for line in self._by_trace.get((span.trace_id, rank), [])}
            same = self._by_index.get((span.text(semconv.STAGE), *place, rank), [])
            found |= {id(line): line for line in same if span.start <= line.time <= span.end}
        return _rows(sorted(found.values(), key=lambda line: line.time), self._began, MAX_OF_BATCH)


def _rows(lines: Iterable[LogLine], began: int, most: int) -> list[RecordRow]:
    grouped: dict[tuple[str, str, str], list[LogLine]] = {}
    for line in lines:
        exception = line.exception
        text = f"{line.text} ({exception})" if exception else line.text
        grouped.setdefault((_level(line.severity), line.logger, text), []).append(line)
    # The most severe, and of equally severe ones the last.
    chosen = sorted(grouped.items(), key=lambda item: (min(item[1][0].severity, _ERROR), item[1][-1].time))[-most:]
    found = [
        RecordRow(
            at=(same[0].time - began) / 1e9,
            level=level,
            logger=logger,
            text=text,
            times=len(same),
            rank=same[0].rank,
            place=_place(same[0]),
        )
        for (level, logger, text), same in chosen
    ]
    return sorted(found, key=lambda row: row.at)


def _level(severity: int) -> str:
    if severity >= _ERROR:
        return "error"
    if severity >= _WARNING:
        return "warning"
    return "info" if severity >= _INFO else "debug"


def _place(line: LogLine) -> str:
    told = line.attributes
    stage = told.get(semconv.STAGE)
    if not isinstance(stage, str):
        return ""
    parts = [stage, f"epoch {int(finite(told.get(semconv.EPOCH)))}"]
    if semconv.BATCH_IDX in told:
        parts.append(f"batch {int(finite(told[semconv.BATCH_IDX]))}")
    return ", ".join(parts)
