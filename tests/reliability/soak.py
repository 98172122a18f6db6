"""Trains for minutes with everything on, and measures from outside whether the process grows.

Run as `python -m tests.reliability.soak --minutes 10`; half of the time it writes files, half it sends to an OTLP
endpoint through its spool. Without ocr_otel a training grows too, while allocators settle: `--bare` measures that.
A window of the profiler grows a process by itself, whoever opens it, so that no more open than do by default, which is
while the process warms up; `--windows` measures what they add, ours and plain ones of `torch.profiler`.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import psutil

from tests.reliability.hard import start
from tests.support.otlp_server import OtlpServer

MOST_GROWTH: Final = 0.1
"""MB of resident memory a minute."""
WARM_UP: Final = 0.35
"""Part of the time in which allocators and caches settle, and which is not judged."""
EVERY: Final = 500
"""Batches from one window of the profiler to the next."""
_MB: Final = 1e6


@dataclass(frozen=True, slots=True)
class Sample:
    """What a process held at a moment.

    Attributes:
        at: Seconds since the first one.
        rss: Resident bytes.
        threads: Threads.
        descriptors: Open descriptors.
    """

    at: float
    rss: int
    threads: int
    descriptors: int


@dataclass(frozen=True, slots=True)
class Growth:
    """How a process grew after it had warmed up.

    Attributes:
        rss: MB a minute, by the median of the slopes between any two samples.
        threads: Threads: the fewest in the last third of the time, less the fewest in the first.
        descriptors: Descriptors, in the same way.
        resident: MB in the end.
        samples: How many samples that was told from.
    """

    rss: float
    threads: int
    descriptors: int
    resident: float
    samples: int

    @property
    def problems(self) -> list[str]:
        """What is more than it may be."""
        found = []
        if self.rss > MOST_GROWTH:
            found.append(f"memory grows by {self.rss:.3f} MB a minute; {MOST_GROWTH} are allowed")
        if self.threads >= 1:
            found.append(f"{self.threads} threads more than in the beginning")
        if self.descriptors >= 1:
            found.append(f"{self.descriptors} descriptors more than in the beginning")
        return found


def growth(samples: list[Sample]) -> Growth:
    """Fit what is left of the samples after the warm-up."""
    settled = [sample for sample in samples if sample.at >= WARM_UP * samples[-1].at]
    third = max(1, len(settled) // 3)

    def grown(values: list[int]) -> int:
        # Batches in shared memory and connections come and go; what is not given back raises the least of them.
        return min(values[-third:]) - min(values[:third])

    return Growth(
        rss=slope([sample.at / 60 for sample in settled], [sample.rss / _MB for sample in settled]),
        threads=grown([sample.threads for sample in settled]),
        descriptors=grown([sample.descriptors for sample in settled]),
        resident=settled[-1].rss / _MB,
        samples=len(settled),
    )


def slope(times: list[float], values: list[float]) -> float:
    """Return the median of the slopes between any two points (Theil and Sen), which single jumps do not move."""
    try:
        from scipy.stats import theilslopes
    except ImportError:
        x, y = np.asarray(times), np.asarray(values)
        first, second = np.triu_indices(len(x), 1)
        return float(np.median((y[second] - y[first]) / (x[second] - x[first])))
    return float(theilslopes(values, times).slope)


def watch(process: subprocess.Popen[str]) -> Iterator[Sample]:
    """Sample a process each second until it has ended."""
    seen = psutil.Process(process.pid)
    began = time.monotonic()
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):
            yield Sample(time.monotonic() - began, seen.memory_info().rss, seen.num_threads(), seen.num_fds())
        time.sleep(1)


def soak(seconds: float, folder: Path, target: str, windows: bool = False) -> Growth:
    """Train for so long, and return how the process grew.

    Args:
        seconds: How long.
        folder: Where it writes.
        target: `files`, `otlp`, or `bare` for a training without ocr_otel.
        windows: Whether windows of the profiler open without an end.

    Raises:
        RuntimeError: The training failed.
    """
    with OtlpServer() as server:
        settings = {
            "OCR_OTEL_PROFILE_EVERY": str(EVERY),
            "OCR_OTEL_PROFILE_DETAILS": "shapes",
            "OCR_OTEL_PROFILE_FILES_SIZE": "5000000",
        }
        if target == "otlp":
            settings |= {"OTEL_EXPORTER_OTLP_ENDPOINT": server.endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
        script = Path(__file__).parent / "soak_training.py"
        arguments: list[object] = [script, f"--root={folder / 'root'}", f"--seconds={seconds}"]
        if windows:
            settings["OCR_OTEL_PROFILE_WINDOWS"] = "1000"
            arguments += [f"--profile-every={EVERY}"] if target == "bare" else []
        process = start(arguments, folder, target != "bare", **settings)
        samples = []
        for sample in watch(process):
            samples.append(sample)
            # What arrived is counted, and not kept here.
            server.requests.clear()
        _, err = process.communicate()
        if process.returncode:
            raise RuntimeError(f"the training failed: {err}")
    # The last seconds are its end.
    return growth([sample for sample in samples if sample.at < samples[-1].at - 5])


def main() -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--bare", action="store_true", help="measure the same training without ocr_otel as well")
    parser.add_argument("--windows", action="store_true", help="measure what windows without an end add as well")
    options = parser.parse_args()
    runs = [("files", False), ("otlp", False), *([("bare", False)] if options.bare else [])]
    runs += [("files", True), ("bare", True)] if options.windows else []
    problems: list[str] = []
    print("| target | samples | resident, MB | MB a minute | threads | descriptors |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    with tempfile.TemporaryDirectory(prefix="ocr-otel-soak-") as folder:
        for target, windows in runs:
            name = f"{target}, with windows" if windows else target
            grown = soak(options.minutes * 60 / 2, Path(folder) / name, target, windows)
            counts = f"{grown.threads:+d} | {grown.descriptors:+d}"
            print(f"| {name} | {grown.samples} | {grown.resident:.0f} | {grown.rss:+.3f} | {counts} |", flush=True)
            if target != "bare" and not windows:
                problems += [f"{target}: {problem}" for problem in grown.problems]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
