"""What an open live page costs a step of the training that it shows: `make bench-watch`.

One process trains with a step of 10 ms, in turn with a page of it open and with the server stopped. Each number is the
median over rounds of one over the other; in brackets are the bounds of that median at 95 % confidence.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import httpx

from tests.performance.turns import HEAD, Compared, Training, compared, products
from tests.support.watching import Watching


class _Page:
    """An open page: asks for a run's events and counts them.

    Args:
        address: What `ocr-otel watch` prints.
        run: The run's name.
    """

    def __init__(self, address: str, run: str) -> None:
        self.events = 0
        threading.Thread(target=self._listen, args=(address, run), daemon=True).start()

    def _listen(self, address: str, run: str) -> None:
        # The server ends the stream when it ends.
        with suppress(httpx.TransportError), httpx.Client(follow_redirects=True, timeout=None) as client:
            client.get(address)
            with client.stream("GET", str(httpx.URL(address).join(f"/runs/{run}/events"))) as answer:
                for line in answer.iter_lines():
                    self.events += line.startswith("data: ")


def measure(rounds: int) -> tuple[Compared, int]:
    """Measure; also return how many events the page got.

    Raises:
        RuntimeError: The training ended.
    """
    order = random.Random(0)
    with tempfile.TemporaryDirectory(prefix="ocr-otel-bench-") as folder:
        training = Training(Path(folder) / "training", products(), {})
        training.turn(0)
        pairs = []
        with Watching("--port", "0", folder=Path(folder) / "training") as server:
            page = _Page(server.address, "run")
            for number in range(rounds + 1):
                took = {}
                for watched in order.sample([True, False], 2):
                    server.process.send_signal(signal.SIGCONT if watched else signal.SIGSTOP)
                    took[watched] = training.turn(number)
                pairs.append((took[True], took[False]))
            server.process.send_signal(signal.SIGCONT)
        training.let_end()
        training.wait()
    # The first round warms up.
    return compared("with an open page", pairs[1:]), page.events


def main() -> None:
    """Measure and print; the exit status is 1 where steps are slower for certain."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    found, events = measure(parser.parse_args().rounds)
    print(HEAD, found.row, f"\n{events} events of the page", sep="\n")
    if not events:
        sys.exit("the page got no events: nothing was measured")
    sys.exit("\n".join(found.wrong) or 0)


if __name__ == "__main__":
    main()
