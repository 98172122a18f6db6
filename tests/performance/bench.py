"""The benchmark: what ocr_otel and its peers add to a batch, measured against Lightning alone.

What the machine does meanwhile changes from second to second, and by more than what is measured. Cases that can share
a process are therefore trained in turn in one, a fraction of a second each, many times, and compared within a round.
What needs a process of its own, or is about start and memory, is measured process by process. `make bench` runs it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import random
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from scipy import stats

from tests.performance.cases import (
    BARE,
    CASES,
    INTERLEAVED,
    CaseFailed,
    Epoch,
    Measurement,
    hanging_endpoint,
    products_for,
    run,
    run_interleaved,
)

ROOT: Final = Path(__file__).resolve().parents[2]
DOCUMENT: Final = ROOT / "docs" / "performance.md"
RESULTS: Final = ROOT / "benchmark-results"
BEGIN: Final = "<!-- benchmark:begin -->"
END: Final = "<!-- benchmark:end -->"
LONG_STEP_SECONDS: Final = 0.010
PACKAGES: Final = ("torch", "lightning", "opentelemetry-sdk", "traceml-ai")
TINY_BATCHES: Final = 300
LONG_BATCHES: Final = 60
"""Less than a second, in which the machine is as it was for the training before."""
PROCESS_BATCHES: Final = 3000
"""More than a second, so that what is done once a second, beside the training, is in the mean."""
CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Spread:
    """The median over the rounds, and bounds of it: of the median, not of the rounds."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Row:
    """A case against the bare training of the same round.

    Attributes:
        table: The table it is in.
        label: Its label.
        quiet_ratio: 10th percentile of the batches over bare's.
        quiet_net: 10th percentile minus bare's, seconds.
        net: Median batch minus bare's, seconds.
        mean_net: Mean batch minus bare's, seconds.
        outside_net: Time of `fit` outside the batches minus bare's, seconds.
        rss_net: Peak memory minus bare's, bytes; None in a shared process.
    """

    table: str
    label: str
    quiet_ratio: Spread
    quiet_net: Spread
    net: Spread
    mean_net: Spread
    outside_net: Spread
    rss_net: Spread | None = None


def spread(values: Sequence[float], confidence: float = CONFIDENCE) -> Spread:
    """Return the median with its bounds; of rounds too few for the confidence, the least and the greatest."""
    bounds = stats.quantile_test(values, p=0.5).confidence_interval(confidence)
    low, high = (
        edge if math.isnan(bound) else float(bound)
        for bound, edge in ((bounds.low, min(values)), (bounds.high, max(values)))
    )
    return Spread(statistics.median(values), low, high)


def compare(table: str, label: str, case: Sequence[Epoch], bare: Sequence[Epoch]) -> Row:
    """Compare a case with the bare trainings of the same rounds."""
    pairs = list(zip(case, bare, strict=True))
    return Row(
        table,
        label,
        spread([one.quiet / other.quiet for one, other in pairs]),
        spread([one.quiet - other.quiet for one, other in pairs]),
        spread([one.median - other.median for one, other in pairs]),
        spread([one.mean - other.mean for one, other in pairs]),
        spread([one.outside - other.outside for one, other in pairs]),
    )


def in_one_process(table: str, rounds: int, batches: int, products: int, say: Callable[[str], None]) -> list[Row]:
    """Measure the cases that can share a process."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="ocr-otel-bench-") as folder:
        for kept, labels in INTERLEAVED:
            took = run_interleaved(list(labels), kept, rounds, batches, products, Path(folder) / str(kept))
            bare = took["bare"]
            base = statistics.median(each.median for each in bare)
            say(f"{table}: {base * 1e3:.3f} ms a batch with Lightning alone")
            for name, label in labels.items():
                if name != "bare":
                    rows.append(compare(table, label, took[name], bare))
                    say(f"  {label}: {signed(rows[-1].quiet_net, 1e6, 1)} µs")
    return rows


def process_by_process(rounds: int, say: Callable[[str], None]) -> tuple[list[Row], dict[str, str]]:
    """Measure each case in processes of its own, with a tiny step; also return why cases are left out."""
    measured: dict[str, list[Measurement]] = {case.name: [] for case in CASES}
    left_out = {
        case.name: f"`{case.launcher}` is not installed"
        for case in CASES
        if case.launcher and case.launcher_path() is None
    }
    order = random.Random(0)
    with tempfile.TemporaryDirectory(prefix="ocr-otel-bench-") as folder, hanging_endpoint() as endpoint:
        for number in range(rounds):
            present = [case for case in CASES if case.name not in left_out]
            for case in order.sample(present, len(present)):
                try:
                    result = run(case, [(PROCESS_BATCHES, 0)], Path(folder) / f"{number}-{case.name}", endpoint)
                except CaseFailed as error:
                    # A peer that fails is left out; when we fail there is nothing to report.
                    if not case.launcher:
                        raise
                    left_out[case.name] = str(error).partition("\n")[0]
                    say(str(error))
                    continue
                measured[case.name].append(result)
                say(f"round {number + 1}  {case.name:8} {result.epochs[0].median * 1e6:8.0f} µs")
    rows = []
    bare = measured[BARE.name]
    for case in CASES:
        if case is BARE or case.name in left_out:
            continue
        mine = measured[case.name]
        row = compare("processes", case.label, [each.epochs[0] for each in mine], [each.epochs[0] for each in bare])
        memory = spread([float(one.peak_rss - other.peak_rss) for one, other in zip(mine, bare, strict=True)])
        rows.append(replace(row, rss_net=memory))
    return rows, left_out


def render(rows: Sequence[Row], facts: dict[str, object], left_out: dict[str, str]) -> str:
    """Return the tables in Markdown."""
    lines = [
        f"{facts['processor']}, {facts['cores']} cores; Python {facts['python']}, "
        + ", ".join(f"{name} {number}" for name, number in facts["packages"].items())  # type: ignore[attr-defined]
        + ". A quiet batch is the 10th percentile. Each number is the median over rounds; in brackets are the bounds "
        "of that median at 95 % confidence, of too few rounds for that the least and the greatest."
    ]
    for table in dict.fromkeys(row.table for row in rows):
        own = [row for row in rows if row.table == table]
        alone = own[0].rss_net is not None
        title = "In processes of their own, a tiny step" if alone else f"In turn in one process, {table}"
        head = "| | quiet batch | net, µs | median batch, net, µs | mean batch, net, µs | around the batches, net, ms |"
        line = "| --- | --- | --- | --- | --- | --- |"
        if alone:
            head += " peak memory, net, MiB |"
            line += " --- |"
        lines += ["", f"**{title}**, {facts['rounds'][table]} rounds", "", head, line]  # type: ignore[index]
        for row in own:
            ratio = row.quiet_ratio
            text = f"| {row.label} | ×{ratio.median:.4f} ({ratio.low:.4f} to {ratio.high:.4f}) "
            text += "".join(f"| {signed(net, 1e6, 1)} " for net in (row.quiet_net, row.net, row.mean_net))
            text += f"| {signed(row.outside_net, 1e3, 0)} |"
            if row.rss_net is not None:
                text += f" {signed(row.rss_net, 2**-20, 1)} |"
            lines.append(text)
    if left_out:
        lines += ["", *(f"Left out: {name}, {why}." for name, why in left_out.items())]
    return "\n".join(lines)


def signed(value: Spread, scale: float, digits: int) -> str:
    """Return a difference with its bounds."""
    return f"{value.median * scale:+.{digits}f} ({value.low * scale:+.{digits}f} to {value.high * scale:+.{digits}f})"


def describe_machine() -> dict[str, object]:
    """Return what the numbers depend on."""
    packages = {}
    for name in PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "packages": packages,
    }


def _processor() -> str:
    try:
        information = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.machine()
    models = (line.partition(":")[2].strip() for line in information.splitlines() if line.startswith("model name"))
    return next(models, platform.machine())


def insert(document: str, table: str) -> str:
    """Return a document with a table between its markers.

    Raises:
        ValueError: The document lacks the markers.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document has no {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def main() -> None:
    """Parse the arguments, measure, write."""
    parser = argparse.ArgumentParser(description="What ocr_otel costs.")
    parser.add_argument("--rounds", type=int, default=60, help="rounds in one process")
    parser.add_argument("--process-rounds", type=int, default=4, help="rounds in processes of their own")
    parser.add_argument("--quick", action="store_true", help="few rounds; the documentation stays as it is")
    options = parser.parse_args()
    rounds, process_rounds = (4, 1) if options.quick else (options.rounds, options.process_rounds)

    def say(line: str) -> None:
        print(line, flush=True)

    with tempfile.TemporaryDirectory(prefix="ocr-otel-bench-") as folder:
        products = products_for(LONG_STEP_SECONDS, Path(folder) / "calibration")
    rows = in_one_process("a tiny step", rounds, TINY_BATCHES, 0, say)
    rows += in_one_process("a step of 10 ms", rounds, LONG_BATCHES, products, say)
    alone, left_out = process_by_process(process_rounds, say)
    rows += alone
    counts = {"a tiny step": rounds, "a step of 10 ms": rounds, "processes": process_rounds}
    facts = describe_machine() | {"rounds": counts}
    table = render(rows, facts, left_out)
    RESULTS.mkdir(exist_ok=True)
    result = {"machine": facts, "left_out": left_out, "rows": [asdict(row) for row in rows]}
    (RESULTS / "benchmark.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if not options.quick:
        DOCUMENT.write_text(insert(DOCUMENT.read_text(encoding="utf-8"), table), encoding="utf-8")
    print(f"\n{table}")


if __name__ == "__main__":
    main()
