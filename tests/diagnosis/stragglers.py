"""How often the rank that all wait for is named right: `python -m tests.diagnosis.stragglers --runs 20`.

Each run trains two real ranks once for each plant: rank 1 late at each step in its data, its forward pass or a
callback; one rank after the other late by chance; none late.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Final

from ocr_otel import semconv
from ocr_otel.semconv import Phase
from tests.support import ranked
from tests.support.otlp import Span

PLANTS: Final[dict[str, Phase | None]] = {
    "data": Phase.FETCH,
    "compute": Phase.FORWARD,
    "callback": Phase.CALLBACKS,
    "random": None,
    "none": None,
}
"""What is planted, and the phase of rank 1 that has to be named for it; None where nobody may be named."""
SAID: Final = {
    "data": "rank 1, in its data",
    "compute": "rank 1, in the forward pass",
    "callback": "rank 1, in a callback",
    "random": "now one rank, now the other",
    "none": "no rank",
}


def named(epoch: Span) -> tuple[int, str] | None:
    """Return the rank and the phase that an epoch of rank 0 names; None where it names none."""
    rank = epoch.attributes.get(semconv.STRAGGLER_RANK)
    return None if rank is None else (int(rank), str(epoch.attributes.get(semconv.STRAGGLER_PHASE, "")))


def main() -> int:
    """Run it and print a table; return 1 where one was named wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--batches", type=int, default=60)
    parser.add_argument("--delay", type=float, default=0.04, help="seconds by which the late rank is late at a step")
    options = parser.parse_args()
    right: Counter[str] = Counter()
    for number in range(options.runs):
        with tempfile.TemporaryDirectory(prefix="ocr-otel-stragglers-") as folder:
            arguments = (f"--batches={options.batches}", f"--delay={options.delay}", "--plant", *PLANTS)
            run = ranked.run_ranks(Path(folder), *arguments)
            if run.statuses != [0, 0]:
                raise SystemExit(f"a training failed: {run.output}")
            for (plant, phase), epoch in zip(PLANTS.items(), run.epochs(), strict=True):
                found = named(epoch)
                expected = None if phase is None else (1, str(phase))
                right[plant] += found == expected
                if found != expected:
                    print(f"run {number}, {plant}: named {found}", file=sys.stderr, flush=True)
    print(f"| late by {1000 * options.delay:g} ms at a step | runs | named right |")
    print("| --- | --- | --- |")
    for plant, said in SAID.items():
        print(f"| {said} | {options.runs} | {right[plant]} |")
    return int(sum(right.values()) < options.runs * len(PLANTS))


if __name__ == "__main__":
    sys.exit(main())
