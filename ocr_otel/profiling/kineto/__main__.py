"""`python -m ocr_otel.profiling.kineto FILE`: prints what a trace shows as JSON, in a process of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ocr_otel.profiling import serial
from ocr_otel.profiling.kineto.analysis import profile_of
from ocr_otel.profiling.kineto.source import TraceError

_NICE = 10


def main(arguments: list[str]) -> int:
    """Print the profile of the one file that is named; return the exit status."""
    if len(arguments) != 1:
        print("usage: python -m ocr_otel.profiling.kineto FILE", file=sys.stderr)
        return 2
    try:
        profile = profile_of(Path(arguments[0]))
    except TraceError as error:
        print(error, file=sys.stderr)
        return 1
    except MemoryError:
        print(f"{arguments[0]} has more events than there is memory for.", file=sys.stderr)
        return 1
    sys.stdout.write(serial.dumps(profile) + "\n")
    return 0


if __name__ == "__main__":
    # A training may be waiting for this, but it must not wait because of this.
    os.nice(_NICE)
    sys.exit(main(sys.argv[1:]))
