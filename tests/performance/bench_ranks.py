"""What ocr_otel adds to a step of several ranks: `make bench-ranks`.

Each number is the median over rounds, in each of which the same processes train once with and once without; in brackets
are the bounds of that median at 95 % confidence. A quiet step is the 10th percentile of a training's.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from tests.performance.bench import signed, spread
from tests.performance.workload import products_for
from tests.support import ranked

WORKLOAD = Path(__file__).with_name("ranks_workload.py")
LONG_STEP_SECONDS = 0.02
LONGEST_ROUND = 30
"""Seconds in which every rank trains once with and once without, more ranks than cores too."""


def measure(devices: int, batches: int, products: int, rounds: int) -> dict[str, list[dict[str, float]]]:
    """Return the steps of each training, in seconds, with (`ours`) and without (`bare`); one batch in ten is kept.

    Raises:
        RuntimeError: A rank failed.
    """
    with tempfile.TemporaryDirectory(prefix="ocr-otel-bench-") as folder:
        result = Path(folder) / "result.json"
        arguments = [str(part) for part in (devices, batches, products, rounds, result)]
        environment = {
            "OCR_OTEL_RUNS_DIR": f"{folder}/runs",
            "OCR_OTEL_SUMMARY": "false",
            "OCR_OTEL_BATCH_SPANS": str(batches // 10),
        }
        processes = ranked.begin_ranks(Path(folder), devices, arguments, environment, script=WORKLOAD)
        run = ranked.ended(Path(folder), processes, deadline_seconds=(rounds + 1) * LONGEST_ROUND)
        if any(run.statuses):
            raise RuntimeError(f"exit statuses {run.statuses}\n{run.output}")
        measured: dict[str, list[dict[str, float]]] = json.loads(result.read_text(encoding="utf-8"))
        return measured


def row(label: str, devices: int, measured: dict[str, list[dict[str, float]]]) -> str:
    """Return a row of the table."""
    step = statistics.median(each["median"] for each in measured["bare"]) * 1e3
    text = f"| {devices} | {label} | {step:.2f} ms "
    for which in ("quiet", "median"):
        pairs = [(ours[which], bare[which]) for ours, bare in zip(measured["ours"], measured["bare"], strict=True)]
        ratio = spread([ours / bare for ours, bare in pairs])
        net = spread([ours - bare for ours, bare in pairs])
        text += f"| ×{ratio.median:.3f} ({ratio.low:.3f} to {ratio.high:.3f}) "
        text += f"| {signed(net, 1e6, 0)} µs "
    return f"{text}|"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4])
    options = parser.parse_args()
    products = products_for(LONG_STEP_SECONDS)
    print("| ranks | step | without | quiet step | net | median step | net |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for devices in options.ranks:
        print(row("tiny", devices, measure(devices, 600, 0, options.rounds)), flush=True)
        print(row(f"{products} products", devices, measure(devices, 240, products, options.rounds)), flush=True)


if __name__ == "__main__":
    main()
