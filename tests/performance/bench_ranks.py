"""What ocr_otel adds to a step of several ranks: `make bench-ranks`.

Each number is the median over rounds, in each of which the same processes train once with and once without.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from tests.performance.workload import products_for
from tests.support import ranked

WORKLOAD = Path(__file__).with_name("ranks_workload.py")
LONG_STEP_SECONDS = 0.02


def measure(devices: int, batches: int, products: int, rounds: int) -> dict[str, list[float]]:
    """Return the median step of each training, in seconds, with (`ours`) and without (`bare`).

    Raises:
        RuntimeError: A rank failed.
    """
    with tempfile.TemporaryDirectory(prefix="ocr-otel-bench-") as folder:
        result = Path(folder) / "result.json"
        arguments = [str(part) for part in (devices, batches, products, rounds, result)]
        environment = {"OCR_OTEL_RUNS_DIR": f"{folder}/runs", "OCR_OTEL_SUMMARY": "false"}
        processes = ranked.begin_ranks(Path(folder), devices, arguments, environment, script=WORKLOAD)
        run = ranked.ended(Path(folder), processes)
        if any(run.statuses):
            raise RuntimeError(f"exit statuses {run.statuses}\n{run.output}")
        measured: dict[str, list[float]] = json.loads(result.read_text(encoding="utf-8"))
        return measured


def row(label: str, devices: int, measured: dict[str, list[float]]) -> str:
    """Return a row of the table."""
    pairs = list(zip(measured["ours"], measured["bare"], strict=True))
    ratio = statistics.quantiles([ours / bare for ours, bare in pairs], n=4)
    net = statistics.quantiles([(ours - bare) * 1e6 for ours, bare in pairs], n=4)
    step = statistics.median(measured["bare"]) * 1e3
    return (
        f"| {devices} | {label} | {step:.2f} ms | ×{ratio[1]:.3f} ({ratio[0]:.3f} to {ratio[2]:.3f}) "
        f"| {net[1]:+.0f} µs ({net[0]:+.0f} to {net[2]:+.0f}) |"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4])
    options = parser.parse_args()
    products = products_for(LONG_STEP_SECONDS)
    print("| ranks | step | without | ratio | net |\n| --- | --- | --- | --- | --- |")
    for devices in options.ranks:
        print(row("tiny", devices, measure(devices, 120, 0, options.rounds)), flush=True)
        print(row(f"{products} products", devices, measure(devices, 25, products, options.rounds)), flush=True)


if __name__ == "__main__":
    main()
