"""The demo's training at a pace of its own: `-m tests.support.paced_demo SECONDS STEPS`.

A step that is done sooner waits until so many seconds are over. It writes what its steps took into the file STEPS, by
its own clock.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

from ocr_otel.demo import train
from ocr_otel.demo.model import TextRecogniser


def main(seconds: float, steps: Path, arguments: list[str]) -> None:
    """Train; a step takes so many seconds at least."""
    step = TextRecogniser.training_step
    ended: list[float] = []

    def paced(self: TextRecogniser, *given: Any) -> Any:
        found = step(self, *given)
        # From one step's end to the next one's: forward, backward, and all between, as a batch is measured.
        if ended:
            time.sleep(max(0.0, ended[-1] + seconds - time.perf_counter()))
        ended.append(time.perf_counter())
        return found

    TextRecogniser.training_step = paced  # type: ignore[method-assign]
    train.main(arguments)
    steps.write_text(json.dumps([after - before for before, after in itertools.pairwise(ended)]), encoding="utf-8")


if __name__ == "__main__":
    main(float(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
