"""What a Collector that does not work costs a step of a training: `make bench-faults`.

One process trains for each Collector, in turn with one whose Collector is healthy. Each number is the median over
rounds of a step of 10 ms with that Collector over one of the training beside it; in brackets are the bounds of that
median at 95 % confidence. A quiet step is the 10th percentile of a training's.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.performance.turns import HEAD, Compared, Step, Training, compared, products
from tests.reliability.collectors import FAULTS, PROTOCOLS, healthy
from tests.reliability.hard import end_deliveries

WITHOUT: Final = "without ocr_otel"


def measure(protocol: str, rounds: int) -> list[Compared]:
    """Measure each Collector over a protocol.

    Raises:
        RuntimeError: A training ended.
    """
    size = products()
    with tempfile.TemporaryDirectory(prefix="ocr-otel-faults-") as folder, contextlib.ExitStack() as stack:
        other = Training(Path(folder) / "healthy", size, stack.enter_context(healthy(protocol)))
        trainings = {WITHOUT: Training(Path(folder) / "without", size, None)}
        for each in FAULTS:
            variables = stack.enter_context(each(protocol))
            trainings[str(each.__doc__).rstrip(".")] = Training(Path(folder) / each.__name__, size, variables)
        everyone = [other, *trainings.values()]
        try:
            pairs = _in_turn(trainings, other, rounds)
        finally:
            for training in everyone:
                training.let_end()
            for training in everyone:
                training.wait()
            end_deliveries(Path(folder))
    return [compared(f"{protocol}: {name}", each) for name, each in pairs.items()]


def _in_turn(trainings: dict[str, Training], other: Training, rounds: int) -> dict[str, list[tuple[Step, Step]]]:
    order = random.Random(0)
    pairs: dict[str, list[tuple[Step, Step]]] = {name: [] for name in trainings}
    for number in range(rounds + 1):
        for name in order.sample(list(trainings), len(trainings)):
            both = {each: each.turn(number) for each in order.sample([trainings[name], other], 2)}
            pairs[name].append((both[trainings[name]], both[other]))
    # The first round warms up.
    return {name: each[1:] for name, each in pairs.items()}


def main() -> None:
    """Measure and print; the exit status is 1 where something is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--protocols", nargs="+", default=PROTOCOLS, choices=PROTOCOLS)
    options = parser.parse_args()
    print(HEAD)
    wrong: list[str] = []
    for protocol in options.protocols:
        found = measure(protocol, options.rounds)
        print(*(each.row for each in found), sep="\n", flush=True)
        wrong += [text for each in found for text in each.wrong]
    sys.exit("\n".join(wrong) if wrong else 0)


if __name__ == "__main__":
    main()
