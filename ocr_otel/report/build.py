"""From a run to what a report shows: a pure function of the run's tables."""

from __future__ import annotations

import math
from typing import Any, Final

from ocr_otel import semconv
from ocr_otel.report import batches, budgets, causes, ranks, windows
from ocr_otel.report.clocks import Clocks
from ocr_otel.report.data import EntryRow, EpochRow, Lane, Points, ReportData
from ocr_otel.report.hangs import hangs
from ocr_otel.report.records import OfBatches, records, summary
from ocr_otel.report.resources import of_epoch, resources
from ocr_otel.runs import Entry, Epoch, Run, SpanRecord, finite
from ocr_otel.semconv import Stage

UNFINISHED: Final = "running or killed"
"""Outcome of an entry without a root span: from its files alone, nobody can tell which."""
MAX_LOGGED: Final = 24
"""Logged names that are shown."""
MAX_LOGGED_POINTS: Final = 2000


def build(run: Run) -> ReportData:
    """Return what a report of the run shows: its longest `fit`, or its longest entry where there is none."""
    began = _began(run)
    ended = _ended(run, began)
    entry = _chosen(run, ended)
    root = entry.root if entry else None
    wall = root.seconds if root else max(0.0, (ended - (entry.start if entry else began)) / 1e9)
    epochs = [_epoch_row(epoch, began) for epoch in (entry.epochs if entry else [])]
    budget = budgets.of_entry(run, entry, [epoch.budget for epoch in epochs], wall)
    longest = max(epochs, key=lambda epoch: epoch.budget.batches, default=None)
    found = (causes.of_span(root) if root else None) or causes.of_budget(budget, _known(entry))
    profiled = windows.rows(run.windows, run.batches, began)
    steps = ranks.steps(run.batches) if run.ranks > 1 else []
    several = ranks.rank_rows(run.batches, steps, entry, run.by_rank) if run.ranks > 1 else []
    return ReportData(
        run_id=run.run_id,
        service=str(run.resource.get("service.name", "")),
        began=began / 1e9,
        entry=entry.name if entry else "",
        outcome=root.text(semconv.OUTCOME) or "ended" if root else UNFINISHED,
        exception=_why(root) if root else "",
        wall=wall,
        span=max(0.0, (ended - began) / 1e9),
        diagnosis=found,
        budget=budget,
        batches=int(root.number(semconv.BATCHES, budget.batches)) if root else budget.batches,
        samples=int(root.number(semconv.SAMPLES, _samples(run, epochs))) if root else _samples(run, epochs),
        slow_batches=sum(epoch.slow_batches for epoch in epochs),
        skipped_steps=sum(epoch.skipped_steps for epoch in epochs),
        p50=longest.p50 if longest else 0.0,
        p95=longest.p95 if longest else 0.0,
        goodput=_optional(root, semconv.GOODPUT),
        time_to_first_batch=_optional(root, semconv.TIME_TO_FIRST_BATCH),
        mfu=_optional(root, semconv.MFU),
        attempt=_attempt(entry),
        ranks=several,
        straggling=ranks.straggling(entry, steps, several),
        epochs=epochs,
        lanes=_lanes(run, began, ended),
        kept=batches.chosen(run.batches, began, Clocks.of(run.by_rank), OfBatches(run.log_lines, began)),
        dots=batches.dots(run.batches, began),
        kept_in_all=len({batch.span.trace_id for batch in run.batches}),
        workers=batches.workers(run.batches),
        windows=profiled,
        windows_in_all=len(run.windows),
        telling=windows.telling(profiled, found.verdict if found else None),
        throughput=_throughput(run, began),
        logged=_logged(run, entry, began),
        configuration=_configuration(entry),
        environment=_table(run.resource, ""),
        resources=resources(run, began, entry),
        other_entries=[_entry_row(each, ended) for each in run.entries if each is not entry],
        overhead=_last(run, semconv.METRIC_OVERHEAD, semconv.PART, first_rank=True),
        dropped=int(sum(_last(run, semconv.METRIC_SPANS_DROPPED, semconv.CAUSE).values())),
        errors=int(sum(_last(run, semconv.METRIC_ERRORS, semconv.CAUSE).values())),
        hangs=hangs(run, began),
        records=records(run, began),
        records_in_all=summary(run),
        damaged=run.damaged,
        left_out=run.left_out,
    )


def chosen_entry(run: Run) -> Entry | None:
    """Return the entry that a report is about: the longest `fit`, or the longest entry where there is none."""
    return _chosen(run, _ended(run, _began(run)))


def _began(run: Run) -> int:
    return min((entry.start for entry in run.entries), default=run.batches[0].span.start if run.batches else 0)


def _why(root: SpanRecord) -> str:
    """Return what ended an entry: its exception, or how its process was ended."""
    return root.exception or root.text(semconv.END_SUMMARY).removeprefix("killed ")


def _attempt(entry: Entry | None) -> str:
    """Return which attempt of its job an entry is, in a sentence without its full stop; empty for a first one."""
    before = int(finite(entry.resource.get(semconv.ATTEMPT))) if entry is not None else 0
    if entry is None or before < 1:
        return ""
    job = entry.resource.get(semconv.JOB_ID)
    reason = entry.root.text(semconv.RESTART_REASON) if entry.root is not None else ""
    return f"Attempt {before + 1}{f' of job {job}' if job else ''}{f'. The one before: {reason}' if reason else ''}"


def _chosen(run: Run, ended: int) -> Entry | None:
    fits = [entry for entry in run.entries if entry.name == semconv.FIT]
    return max(fits or run.entries, key=lambda entry: _length(entry, ended), default=None)


def _length(entry: Entry, ended: int) -> float:
    return entry.root.seconds if entry.root else max(0, ended - entry.start) / 1e9


def _entry_row(entry: Entry, ended: int) -> EntryRow:
    outcome = (entry.root.text(semconv.OUTCOME) or "ended") if entry.root else UNFINISHED
    return EntryRow(entry.name, outcome, _length(entry, ended))


def _ended(run: Run, began: int) -> int:
    ends = [entry.root.end for entry in run.entries if entry.root]
    ends += [epoch.span.end for entry in run.entries for epoch in entry.epochs]
    ends += [batch.span.end for batch in run.batches]
    ends += [point.time for point in run.points if not point.rank][-1:]
    return max(ends, default=began)


def _epoch_row(epoch: Epoch, began: int) -> EpochRow:
    span = epoch.span
    logged = {name: value for each in epoch.validations for name, value in each.logged().items()}
    return EpochRow(
        epoch=int(span.number(semconv.EPOCH)),
        start=(span.start - began) / 1e9,
        budget=budgets.of_epoch(epoch),
        samples=int(span.number(semconv.SAMPLES)),
        throughput=span.number(semconv.THROUGHPUT),
        data_wait=span.number(semconv.DATA_WAIT_RATIO),
        p50=span.number(semconv.BATCH_P50),
        p95=span.number(semconv.BATCH_P95),
        p99=span.number(semconv.BATCH_P99),
        longest=span.number(semconv.BATCH_MAX),
        slow_batches=int(span.number(semconv.SLOW_BATCHES)),
        memory=span.number(semconv.MEMORY_RSS),
        device_memory=span.number(semconv.MEMORY_PEAK),
        mfu=_optional(span, semconv.MFU),
        skipped_steps=int(span.number(semconv.AMP_SKIPPED)),
        logged=logged | span.logged(),
        verdict=span.text(semconv.BOTTLENECK_SUMMARY),
        resources=of_epoch(span.attributes),
    )


def _samples(run: Run, epochs: list[EpochRow]) -> int:
    counted = _last(run, semconv.METRIC_SAMPLES, semconv.STAGE, first_rank=True).get(Stage.TRAIN, 0.0)
    return max(int(counted), sum(epoch.samples for epoch in epochs))


def _lanes(run: Run, began: int, ended: int) -> list[Lane]:
    lanes = []
    for entry in run.entries:
        label = f"{entry.name}, {_entry_row(entry, ended).outcome}"
        lanes.append(Lane("entries", label, (entry.start - began) / 1e9, _length(entry, ended)))
        for epoch in entry.epochs:
            number = int(epoch.span.number(semconv.EPOCH))
            lanes.append(_lane("epochs", f"epoch {number}", epoch.span, began))
            lanes += [_lane("validation", f"validation of epoch {number}", each, began) for each in epoch.validations]
            lanes += [_lane("checkpoints", _checkpoint(each), each, began) for each in epoch.checkpoints]
    for span in run.others:
        if span.name in (semconv.SANITY_CHECK, semconv.VALIDATION):
            lanes.append(_lane("validation", span.name.replace("_", " "), span, began))
        elif span.name in (semconv.CHECKPOINT_SAVE, semconv.CHECKPOINT_LOAD):
            lanes.append(_lane("checkpoints", _checkpoint(span), span, began))
    for window in run.windows:
        if not window.rank:
            lanes.append(_lane("profiler", f"{window.span.text(semconv.PROFILE_MODE)} window", window.span, began))
    return lanes


def _checkpoint(span: SpanRecord) -> str:
    verb = "load" if span.name == semconv.CHECKPOINT_LOAD else "save"
    size = span.number(semconv.CHECKPOINT_SIZE_ATTR)
    return f"{verb} {span.text(semconv.CHECKPOINT_FILE)}" + (f", {size / 2**20:,.1f} MiB" if size else "")


def _lane(name: str, label: str, span: SpanRecord, began: int) -> Lane:
    return Lane(name, label, (span.start - began) / 1e9, span.seconds)


def _throughput(run: Run, began: int) -> Points:
    return [
        ((point.time - began) / 1e9, point.value)
        for point in run.points
        if point.name == semconv.METRIC_THROUGHPUT_SAMPLES
        and not point.rank
        and point.attributes.get(semconv.STAGE) == Stage.TRAIN
        and math.isfinite(point.value)
    ]


def _logged(run: Run, entry: Entry | None, began: int) -> dict[str, Points]:
    found: dict[str, Points] = {}
    validated: dict[str, float] = {}
    for epoch in entry.epochs if entry else []:
        for span in (*epoch.validations, epoch.span):
            for name, value in span.logged().items():
                found.setdefault(name, []).append(((span.end - began) / 1e9, value))
                if span is not epoch.span:
                    validated.setdefault(name, (span.end - began) / 1e9)
    # What the exports say of a validation's values before the first validation comes from the sanity check: a few
    # batches of an untrained model, which would press the rest of the curve flat.
    checked = any(span.name == semconv.SANITY_CHECK for span in run.others)
    for point in run.points:
        if point.name == semconv.METRIC_LOGGED and not point.rank and math.isfinite(point.value):
            name, time = str(point.attributes.get(semconv.METRIC_NAME, "")), (point.time - began) / 1e9
            if not checked or time >= validated.get(name, 0.0):
                found.setdefault(name, []).append((time, point.value))
    names = sorted(found)[:MAX_LOGGED]
    return {name: _thinned(_changes(sorted(found[name]))) for name in names}


def _changes(points: Points) -> Points:
    # An epoch repeats what its validation logged, and every export what it last saw: what counts is when it changed.
    return [
        point for index, point in enumerate(points) if index in (0, len(points) - 1) or point[1] != points[index - 1][1]
    ]


def _thinned(points: Points) -> Points:
    step = max(1, math.ceil(len(points) / MAX_LOGGED_POINTS))
    return points[::-step][::-1]


def _known(entry: Entry | None) -> dict[str, Any]:
    """Return what a verdict may rest on beside the budget: the configuration, and what the last epoch was like."""
    if entry is None:
        return {}
    latest = entry.epochs[-1].span.attributes if entry.epochs else {}
    return entry.configuration | latest | (entry.root.attributes if entry.root is not None else {})


def _configuration(entry: Entry | None) -> dict[str, str]:
    if entry is None:
        return {}
    of_root = entry.root.attributes if entry.root is not None else {}
    later = {name: value for name, value in of_root.items() if name.startswith(semconv.CONFIG_PREFIX)}
    return _table(entry.configuration | later, semconv.CONFIG_PREFIX)


def _table(attributes: dict[str, Any], prefix: str) -> dict[str, str]:
    return {
        name.removeprefix(prefix): ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in sorted(attributes.items())
    }


def _last(run: Run, metric: str, label: str, first_rank: bool = False) -> dict[str, float]:
    """Return the last values of a cumulative metric by one of its attributes, ranks added up."""
    found: dict[tuple[int, str], float] = {}
    for point in run.points:
        if point.name == metric and math.isfinite(point.value) and not (first_rank and point.rank):
            found[point.rank, str(point.attributes.get(label, ""))] = point.value
    added: dict[str, float] = {}
    for (_, name), value in found.items():
        added[name] = added.get(name, 0.0) + value
    return added


def _optional(span: SpanRecord | None, name: str) -> float | None:
    return span.number(name) if span is not None and name in span.attributes else None
