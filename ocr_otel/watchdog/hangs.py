"""Says where a training hangs: from the numbers that it shares, and the stacks that it writes when asked."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ocr_otel import semconv
from ocr_otel.semconv import Section, Stage
from ocr_otel.watchdog import journal, lines, stacks, threads
from ocr_otel.watchdog.bounds import FACTOR, Hang, Progress, Seen
from ocr_otel.watchdog.cells import Cell, Cells

_SECTIONS: Final = tuple(Section)
_WITH_BATCHES: Final = (Section.TRAIN, Section.EVALUATE)
_LOOKS: Final = 2 * FACTOR
"""Looks in the shortest bound: `Progress` wants more than `FACTOR`."""
_LONGEST_INTERVAL: Final = 5.0
_NEVER: Final = 86_400.0
_REPEAT: Final = 60.0
"""Seconds after which the counter is written again as long as a hang lasts: the alert sees by it that it does."""
_SUSPENDED: Final = 1_000_000_000
"""Nanoseconds that the host must have slept to count as asleep: the two clocks are not read at once."""
_MAX_UNTOLD: Final = 3
"""Older hangs that are kept while they cannot be written."""
_SECOND: Final = 1_000_000_000


class HangWatch:
    """Watches whether a training goes on; called by its watchdog again and again.

    A stopped process (by a signal or a debugger) does not hang: who stopped it knows, and it goes on when told to. A
    host that slept does not either: the clock of all these times does not go on then, and devices and connections
    need their time to come back, so the wait begins anew.

    Args:
        header: The journal's.
        cells: What the training shares.
        directory: The watchdog's, with the journal and the file for stacks.
    """

    def __init__(self, header: Mapping[str, Any], cells: Cells, directory: Path) -> None:
        self._header = header
        self._values = cells.values
        self._directory = directory
        self._run = Path(header["directory"])
        self._pid = int(header["pid"])
        self._start_ticks = int(header["start_ticks"])
        self._started = str(header.get("started_unix_nano") or time.time_ns())
        shortest = float(header.get("hang_after") or 0.0)
        self._interval = min(shortest / _LOOKS, _LONGEST_INTERVAL) if shortest > 0 else 0.0
        self._progress = Progress(int(shortest * _SECOND), int(self._interval * _SECOND))
        self._counts = dict.fromkeys(_SECTIONS, 0)
        self._looked = self._slept = self._written = 0
        self._untold: list[dict[str, Any]] = []

    def interval(self) -> float:
        """Return the seconds until the next look; a day where none is wanted."""
        return self._interval or _NEVER

    def look(self) -> None:
        """Take one look; tell of a hang, once. What cannot be written is tried again a minute later."""
        if not self._interval:
            return
        now = time.monotonic_ns()
        section = self._section()
        hang = self._progress.look(now, self._seen(section), self._paused(now))
        if hang is not None and section is not None:
            self._counts[section] += 1
            self._untold = [*self._untold[-_MAX_UNTOLD:], self._record(section, hang)]
        due = (self._progress.hanging or self._untold) and now - self._written >= _REPEAT * _SECOND
        if hang is not None or due or not self._written:
            self._written = now
            self._write()

    def _write(self) -> None:
        try:
            lines.hand_on(self._run, self._header, "metrics", [self._metric()])
            if self._untold:
                lines.hand_on(self._run, self._header, "logs", self._untold)
                self._untold = []
        except OSError:
            # A full disk; the next time it may not be.
            return

    def _section(self) -> Section | None:
        number = self._values[Cell.SECTION]
        return _SECTIONS[number] if 0 <= number < len(_SECTIONS) else None

    def _seen(self, section: Section | None) -> Seen:
        values = self._values
        batch_began, section_began = values[Cell.BATCH_BEGAN], values[Cell.SECTION_BEGAN]
        progress = (section_began, batch_began, values[Cell.BATCH_IDX], values[Cell.LOOP], values[Cell.SECTION])
        if section is None:
            return Seen(None, progress, section_began)
        batches = section in _WITH_BATCHES
        # A validation and a prediction are both `evaluate`, and take different times.
        place = (values[Cell.SECTION], values[Cell.STAGE] if batches else 0)
        longest = values[Cell.LONGEST_BATCH] if batches else 0
        return Seen(place, progress, max(batch_began, section_began), longest)

    def _paused(self, now: int) -> int:
        """Return how much of the time since the last look the training could not run."""
        slept = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - now
        woke = self._looked > 0 and slept - self._slept > _SUSPENDED
        passed = now - self._looked if self._looked else 0
        self._looked, self._slept = now, slept
        if woke:
            return now
        process = threads.stat(self._pid)
        return passed if process is not None and process.stopped else 0

    def _record(self, section: Section, hang: Hang) -> dict[str, Any]:
        # Imported where it is needed: a watchdog of a training that does not hang stays small.
        from ocr_otel.redaction import safe_stack

        values = self._values
        try:
            found = stacks.collect(self._pid, self._start_ticks, self._directory / journal.STACKS_FILE)
        except (OSError, ValueError) as error:
            found = stacks.Stacks(f"no stacks: {type(error).__name__}: {error}", "")
        attributes: dict[str, str | bool | int | float] = {
            semconv.HANG_DURATION: hang.stood / _SECOND,
            semconv.HANG_BOUND: hang.bound / _SECOND,
            semconv.SECTION: section.value,
        }
        where = section.value
        if section in _WITH_BATCHES:
            attributes[semconv.EPOCH] = values[Cell.EPOCH]
            attributes[semconv.BATCH_IDX] = values[Cell.BATCH_IDX]
            where = f"{_stage(values[Cell.STAGE])}, epoch {values[Cell.EPOCH]}, batch {values[Cell.BATCH_IDX]}"
        if found.text:
            attributes[semconv.HANG_STACKS] = safe_stack(found.text)
        if found.line:
            attributes[semconv.HANG_LINE] = safe_stack(found.line)
        line = f": {found.line}" if found.line else ""
        body = f"Nothing has gone on for {hang.stood / _SECOND:.0f} s ({where}){line}"
        now = str(time.time_ns())
        return {
            "timeUnixNano": now,
            "observedTimeUnixNano": now,
            "severityNumber": 13,
            "severityText": "WARN",
            "eventName": semconv.HANG_EVENT,
            "body": {"stringValue": body},
            "attributes": lines.attributes(attributes),
            **self._span(),
        }

    def _span(self) -> dict[str, str]:
        """Return the ids of the innermost span that is open; nothing where none is."""
        try:
            spans = journal.read((self._directory / journal.JOURNAL_FILE).read_bytes()).spans
        except OSError:
            return {}
        for span in reversed(spans.values()):
            if "endTimeUnixNano" not in span and "traceId" in span:
                return {"traceId": span["traceId"], "spanId": span["spanId"]}
        return {}

    def _metric(self) -> dict[str, Any]:
        now = str(time.time_ns())
        points = [
            {
                "attributes": lines.attributes({semconv.SECTION: section.value}),
                "startTimeUnixNano": self._started,
                "timeUnixNano": now,
                "asInt": str(count),
            }
            for section, count in self._counts.items()
        ]
        known = semconv.METRICS[semconv.METRIC_HANGS]
        return {
            "name": known.name,
            "description": known.meaning,
            "unit": known.unit,
            "sum": {"dataPoints": points, "aggregationTemporality": 2, "isMonotonic": True},
        }


def _stage(number: int) -> str:
    stages = tuple(Stage)
    return stages[number].value if 0 <= number < len(stages) else "batch"
