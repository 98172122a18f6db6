"""A training that only listens: counts batches, opens windows between two, and answers `ocr-otel profile`.

Ends when its standard input is closed. Prints `ready` when it listens, and each window that it opens.
"""

import argparse
import sys
import threading
import time
from pathlib import Path

from ocr_otel.profiling.control import places, protocol, server
from ocr_otel.profiling.requests import Progress, Request, Standing, State

REFUSAL = "another profiler of PyTorch is active in this training; ours stands back"
VERDICT = {
    "training.bottleneck.kind": "data",
    "training.bottleneck.share": 0.62,
    "training.bottleneck.speedup": 2.63,
    "training.bottleneck.confidence": "high",
    "training.bottleneck.summary": "The training waited for data 62% of the time.",
    "training.bottleneck.advice": "workers 2 → 6",
    "training.bottleneck.evidence": ["waiting: 41 ms a batch (fetch)", "workers: 2 (training.config.num_workers)"],
}


class Batches:
    """Windows of a training without work: one thread that sleeps through batches."""

    def __init__(
        self, run_id: str, rank: int = 0, world_size: int = 1, seconds: float = 0.005, refuse: bool = False
    ) -> None:
        self.opened: list[int] = []
        self.entry = "fit"
        self._who = (run_id, rank, world_size)
        self._seconds = seconds
        self._refuse = refuse
        self._steps = 0
        self._asked = []
        self._lock = threading.Lock()

    def standing(self) -> Standing:
        return Standing(*self._who, entry=self.entry, steps=self._steps, batch_seconds=self._seconds)

    def ask(self, request: Request, tell) -> None:
        if self._refuse:
            tell(Progress(State.REFUSED, message=REFUSAL))
            return
        tell(Progress(State.WAITING))
        with self._lock:
            self._asked.append((request, tell))

    def train(self, going) -> None:
        """Do batches while `going()`."""
        while going():
            time.sleep(self._seconds)
            self._steps += 1
            with self._lock:
                due = [each for each in self._asked if each[0].at_step in (None, self._steps)]
                self._asked = [each for each in self._asked if each not in due]
            if due:
                self._window(due)

    def _window(self, due) -> None:
        number = max(request.batches or 3 for request, _ in due)
        self.opened.append(self._steps)
        print("opened", self._steps, number, flush=True)
        for recorded in range(number + 1):
            if recorded:
                time.sleep(self._seconds)
                self._steps += 1
            with self._lock:
                joining = [each for each in self._asked if each[0].at_step is None]
                self._asked = [each for each in self._asked if each not in joining]
            due += joining
            for _, tell in due:
                tell(Progress(State.OPEN, recorded, number))
        for _, tell in due:
            tell(Progress(State.ANALYSING, number, number))
        done = Progress(State.DONE, number, number, trace="/runs/x/profiles/0-001.pt.trace.json.gz", verdict=VERDICT)
        for _, tell in due:
            tell(done)


def fail(cause: str, error: Exception) -> None:
    """Say what failed, as the training would log it."""
    print("failed", cause, error, flush=True)


def main() -> None:
    """Train until nobody wants it any more."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run_id")
    parser.add_argument("--rank", type=int, default=0)
    parser.add_argument("--world-size", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.005)
    parser.add_argument("--directory", type=Path)
    parser.add_argument("--places", type=Path)
    parser.add_argument("--protocol", type=int, default=protocol.PROTOCOL)
    parser.add_argument("--entry", default="fit")
    parser.add_argument("--refuse", action="store_true")
    parser.add_argument("--hang", action="store_true")
    parser.add_argument("--signal", action="store_true")
    options = parser.parse_args()
    if options.places:
        places.SYSTEM_TEMPORARY = options.places
    protocol.PROTOCOL = server.PROTOCOL = options.protocol
    windows = Batches(options.run_id, options.rank, options.world_size, options.seconds, options.refuse)
    windows.entry = options.entry
    control = server.ControlServer(windows, options.run_id, options.rank, options.directory, fail)
    control.start()
    by_signal = None
    if options.signal:
        from ocr_otel.profiling.control.signals import RequestSignal

        by_signal = RequestSignal(windows, fail)
        print("signal", by_signal.install(), flush=True)
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    print("ready", flush=True)
    if options.hang:
        over.wait()
    else:
        windows.train(lambda: not over.is_set())
    if by_signal is not None:
        by_signal.remove()
    control.stop()


if __name__ == "__main__":
    main()
