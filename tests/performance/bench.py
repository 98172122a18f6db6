"""The benchmark: what ocr_otel and its peers add to a batch, measured against Lightning alone.

Every round runs each case once, in a fresh process and in a new order; a round's numbers are compared with the same
round's bare run, so that what the machine does meanwhile hits both sides. `make bench` runs it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from tests.performance.cases import BARE, CASES, Case, CaseFailed, Measurement, hanging_endpoint, products_for, run

ROOT: Final = Path(__file__).resolve().parents[2]
DOCUMENT: Final = ROOT / "docs" / "performance.md"
RESULTS: Final = ROOT / "benchmark-results"
BEGIN: Final = "<!-- benchmark:begin -->"
END: Final = "<!-- benchmark:end -->"
LONG_STEP_SECONDS: Final = 0.010
WORKLOADS: Final = ("tiny step", "10 ms step")
PACKAGES: Final = ("torch", "lightning", "opentelemetry-sdk", "traceml-ai")
BATCHES: Final = (1500, 400)
"""Of each workload. By default one batch in 8 and one in 3 is kept: the median batch is one that is not kept."""
QUICK_BATCHES: Final = (500, 250)
MIN_ROUNDS: Final = 3
"""Fewer have no spread worth the name."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and quartiles over the rounds."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Row:
    """A case in one workload, against the bare run of the same round.

    Attributes:
        case: Its name.
        label: Its label.
        workload: Name of the workload.
        median_ratio: Median batch over bare's.
        median_net: Median batch minus bare's, seconds.
        mean_ratio: Mean batch over bare's.
        mean_net: Mean batch minus bare's, seconds.
        outside_net: Time of `fit` outside the batches minus bare's, seconds.
        rss_net: Peak memory minus bare's, bytes.
    """

    case: str
    label: str
    workload: str
    median_ratio: Spread
    median_net: Spread
    mean_ratio: Spread
    mean_net: Spread
    outside_net: Spread
    rss_net: Spread


def measure(
    cases: Sequence[Case], epochs: Sequence[tuple[int, int]], rounds: int, seconds: float, say: Callable[[str], None]
) -> tuple[dict[str, list[Measurement]], dict[str, str]]:
    """Run the rounds.

    Args:
        cases: What to compare.
        epochs: Batches and products of each workload.
        rounds: How many rounds.
        seconds: No round begins that would end after this long, once `MIN_ROUNDS` are done.
        say: Told how it goes.

    Returns:
        Measurements by case, one a round; and why cases are left out.
    """
    measured: dict[str, list[Measurement]] = {case.name: [] for case in cases}
    left_out: dict[str, str] = {}
    for case in cases:
        if case.launcher and case.launcher_path() is None:
            left_out[case.name] = f"`{case.launcher}` is not installed"
    order = random.Random(0)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ocr-otel-bench-") as folder, hanging_endpoint() as endpoint:
        for number in range(rounds):
            elapsed = time.monotonic() - begun
            if number >= MIN_ROUNDS and elapsed * (number + 1) / number > seconds:
                say(f"stopped after {number} rounds: one more would take longer than {seconds:.0f} s in all")
                break
            present = [case for case in cases if case.name not in left_out]
            for case in order.sample(present, len(present)):
                try:
                    result = run(case, epochs, Path(folder) / f"{number}-{case.name}", endpoint)
                except CaseFailed as error:
                    # A peer that fails is left out; when we fail there is nothing to report.
                    if not case.launcher:
                        raise
                    left_out[case.name] = str(error).partition("\n")[0]
                    say(str(error))
                    continue
                measured[case.name].append(result)
                say(
                    f"round {number + 1}  {case.name:13}"
                    + "".join(f"{epoch.median * 1e6:10.0f} µs" for epoch in result.epochs)
                    + f"{result.peak_rss / 2**20:8.0f} MiB"
                )
    return measured, left_out


def compare(
    cases: Sequence[Case], measured: dict[str, list[Measurement]], left_out: dict[str, str], workloads: Sequence[str]
) -> list[Row]:
    """Compare each case with the bare run, round by round."""
    rows = []
    for index, workload in enumerate(workloads):
        for case in cases:
            if case.name in left_out:
                continue
            pairs = [
                (one.epochs[index], bare.epochs[index], one.peak_rss - bare.peak_rss)
                for one, bare in zip(measured[case.name], measured[BARE.name], strict=True)
            ]
            rows.append(
                Row(
                    case=case.name,
                    label=case.label,
                    workload=workload,
                    median_ratio=spread([one.median / bare.median for one, bare, _ in pairs]),
                    median_net=spread([one.median - bare.median for one, bare, _ in pairs]),
                    mean_ratio=spread([one.mean / bare.mean for one, bare, _ in pairs]),
                    mean_net=spread([one.mean - bare.mean for one, bare, _ in pairs]),
                    outside_net=spread([one.outside - bare.outside for one, bare, _ in pairs]),
                    rss_net=spread([float(memory) for _, _, memory in pairs]),
                )
            )
    return rows


def spread(values: Sequence[float]) -> Spread:
    """Return median and quartiles."""
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, low, high)


def render(rows: Sequence[Row], facts: dict[str, object], left_out: dict[str, str]) -> str:
    """Return the tables in Markdown."""
    lines = [
        f"{facts['processor']}, {facts['cores']} cores; Python {facts['python']}, "
        + ", ".join(f"{name} {number}" for name, number in facts["packages"].items())  # type: ignore[attr-defined]
        + f". {facts['rounds']} rounds; each number is the median over them, its quartiles in brackets.",
    ]
    for workload in dict.fromkeys(row.workload for row in rows):
        own = [row for row in rows if row.workload == workload]
        bare = facts["bare"][workload]  # type: ignore[index]
        lines += [
            "",
            f"**{workload}**: {bare * 1e3:.2f} ms a batch with Lightning alone.",
            "",
            "| | median batch | net, µs | mean batch | net, µs | before and after the batches, s | peak memory, MiB |",
            "| --- | --- | --- | --- | --- | --- | --- |",
        ]
        lines += [
            f"| {row.label} | {_ratio(row.median_ratio)} | {_number(row.median_net, 1e6, 1)} "
            f"| {_ratio(row.mean_ratio)} | {_number(row.mean_net, 1e6, 1)} "
            f"| {_number(row.outside_net, 1, 2)} | {_number(row.rss_net, 2**-20, 1)} |"
            for row in own
            if row.case != BARE.name
        ]
    if left_out:
        lines += ["", *(f"Left out: {name}, {why}." for name, why in left_out.items())]
    return "\n".join(lines)


def _ratio(value: Spread) -> str:
    return f"×{value.median:.3f} ({value.low:.3f} to {value.high:.3f})"


def _number(value: Spread, scale: float, digits: int) -> str:
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
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=420, help="begin no round that would end later")
    parser.add_argument("--cases", nargs="*", choices=[case.name for case in CASES], help="only these, and bare")
    parser.add_argument("--quick", action="store_true", help="one short round; the documentation stays as it is")
    options = parser.parse_args()
    wanted = options.cases or [case.name for case in CASES]
    cases = [case for case in CASES if case.name in wanted or case is BARE]
    with tempfile.TemporaryDirectory(prefix="ocr-otel-bench-") as folder:
        products = products_for(LONG_STEP_SECONDS, Path(folder) / "calibration")
    tiny, long = QUICK_BATCHES if options.quick else BATCHES
    epochs = [(tiny, 0), (long, products)]
    rounds = 1 if options.quick else options.rounds
    measured, left_out = measure(cases, epochs, rounds, options.seconds, lambda line: print(line, flush=True))
    rows = compare(cases, measured, left_out, WORKLOADS)
    facts = describe_machine() | {
        "rounds": len(measured[BARE.name]),
        "batches": [batches for batches, _ in epochs],
        "bare": {
            workload: statistics.median(each.epochs[index].median for each in measured[BARE.name])
            for index, workload in enumerate(WORKLOADS)
        },
    }
    table = render(rows, facts, left_out)
    RESULTS.mkdir(exist_ok=True)
    result = {"machine": facts, "left_out": left_out, "rows": [asdict(row) for row in rows]}
    result["rounds"] = {name: [asdict(each) for each in several] for name, several in measured.items()}
    (RESULTS / "benchmark.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if not options.quick and not options.cases:
        DOCUMENT.write_text(insert(DOCUMENT.read_text(encoding="utf-8"), table), encoding="utf-8")
    print(f"\n{table}")


if __name__ == "__main__":
    main()
