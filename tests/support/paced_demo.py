"""The demo's training with each step made longer by a share of what it took: `-m tests.support.paced_demo 0.15`."""

from __future__ import annotations

import sys
import time
from typing import Any

from ocr_otel.demo import train
from ocr_otel.demo.model import TextRecogniser


def main(share: float, arguments: list[str]) -> None:
    """Train; `share` of the time of each training step is waited in it."""
    step = TextRecogniser.training_step
    began = 0.0

    def paced(self: TextRecogniser, *given: Any) -> Any:
        nonlocal began
        found = step(self, *given)
        # From one step's end to the next one's: forward, backward, and all between, as a batch is measured.
        if began:
            time.sleep(share * (time.perf_counter() - began))
        began = time.perf_counter()
        return found

    TextRecogniser.training_step = paced  # type: ignore[method-assign]
    train.main(arguments)


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2:])
