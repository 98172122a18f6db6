"""The demo's training, which writes down by itself when each of its batches ended: what a live page must agree with."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from ocr_otel.demo import train
from ocr_otel.demo.model import TextRecogniser


def main(truth: Path, arguments: list[str]) -> None:
    """Train; each line of `truth` is the Unix time at which a batch ended."""
    with truth.open("w", buffering=1, encoding="ascii") as file:

        def on_train_batch_end(self: TextRecogniser, *_: Any) -> None:
            file.write(f"{time.time():.3f}\n")

        TextRecogniser.on_train_batch_end = on_train_batch_end  # type: ignore[method-assign]
        train.main(arguments)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
