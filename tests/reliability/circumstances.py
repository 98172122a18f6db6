"""Hard circumstances that a training runs into, brought about from inside of it with what the kernel offers.

Known by name to `user_training`; nothing here knows of ocr_otel.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar

NOBODY = 65534


def say(*words: object) -> None:
    """Print for the test, at once."""
    print(*words, flush=True)


class Circumstance:
    """A circumstance that changes nothing.

    Attributes:
        arguments: What it wants of the Trainer.
    """

    arguments: ClassVar[dict[str, Any]] = {}

    def __init__(self, argument: str) -> None:
        self.argument = argument

    def begins(self) -> None:
        """Called before a Trainer is made."""

    def trainer_made(self) -> None:
        """Called before `fit`."""

    def setting_up(self) -> None:
        """Called in `fit`, by a callback of the user's that comes before ours."""

    def set_up(self) -> None:
        """Called in `fit`, by the module, when all callbacks are set up."""

    def step(self, number: int, trainer: Any) -> None:
        """Called in each training step, with its number in the process from 0 on."""

    def fit(self, fit: Callable[[], None]) -> None:
        """Call `fit`."""
        fit()

    def over(self) -> None:
        """Called after `fit`."""


class ReadOnlyMidway(Circumstance):
    """The disk below the folder `argument` goes, and what comes in its place cannot be written."""

    def step(self, number: int, trainer: Any) -> None:
        if number == 7:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", self.argument], check=True)


class WritesFail(Circumstance):
    """From a step on no file can grow: each write to one fails."""

    def step(self, number: int, trainer: Any) -> None:
        if number == 7:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))


class NoDescriptors(Circumstance):
    """No file can be opened: while callbacks are set up, or from the step `argument` on."""

    def setting_up(self) -> None:
        if not self.argument:
            self._exhaust()

    def set_up(self) -> None:
        if not self.argument:
            # The training itself needs some.
            resource.setrlimit(resource.RLIMIT_NOFILE, self._limits)

    def step(self, number: int, trainer: Any) -> None:
        if self.argument and number == int(self.argument):
            self._exhaust()

    def _exhaust(self) -> None:
        self._limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        highest = max(int(name) for name in os.listdir("/proc/self/fd"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, self._limits[1]))
        try:
            while True:
                os.dup(0)
        except OSError as error:
            say("no descriptors:", error.errno)


class NoThreads(Circumstance):
    """No thread and no process can be started any more."""

    def trainer_made(self) -> None:
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        os.setuid(NOBODY)
        try:
            threading.Thread(target=int).start()
        except RuntimeError as error:
            say(error)


class ClockStepsBack(Circumstance):
    """The system's clock is set back by an hour, and another two steps later forward again."""

    def begins(self) -> None:
        self._seconds = 0
        now, now_ns = time.time, time.time_ns
        time.time = lambda: now() - self._seconds
        time.time_ns = lambda: now_ns() - self._seconds * 1_000_000_000

    def step(self, number: int, trainer: Any) -> None:
        self._seconds = {7: 3600, 15: 0}.get(number, self._seconds)


class Forks(Circumstance):
    """User code forks in training steps; the children end in the way `argument`."""

    def step(self, number: int, trainer: Any) -> None:
        if number not in (5, 12):
            return
        child = os.fork()
        if child:
            say("child", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            return
        # What the child prints is no part of what is compared.
        os.dup2(2, 1)
        if self.argument == "os._exit":
            os._exit(0)
        if self.argument == "exception":
            raise RuntimeError("planted in a child")
        sys.exit(0)


class Ends(Circumstance):
    """The training ends in the middle in the way `argument`."""

    def step(self, number: int, trainer: Any) -> None:
        if number != 12:
            return
        match self.argument:
            case "os._exit":
                os._exit(3)
            case "sys.exit":
                sys.exit(3)
            case "exception":
                raise RuntimeError("planted failure")
            case "recursion":
                self._recurse()
            case name:
                os.kill(os.getpid(), signal.Signals[name])

    def _recurse(self) -> None:
        self._recurse()


class KilledAfterwards(Circumstance):
    """SIGTERM comes after `fit`."""

    def over(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


class Requeued(Circumstance):
    """SLURM tells the training that its time is over, and wants it requeued."""

    def step(self, number: int, trainer: Any) -> None:
        if number == 12:
            os.kill(os.getpid(), signal.SIGUSR1)

    def over(self) -> None:
        say(*_handlers())


class OwnHandlers(Circumstance):
    """The user has handlers for signals, set before the training, and one set in it."""

    _signals = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM)

    def begins(self) -> None:
        for number in self._signals:
            signal.signal(number, self._handle)

    def _handle(self, number: int, frame: object) -> None:
        say("handled", signal.Signals(number).name)

    def step(self, number: int, trainer: Any) -> None:
        if number == 3:
            signal.signal(signal.SIGWINCH, self._handle)
        if 4 <= number < 4 + len(self._signals):
            sent = self._signals[number - 4]
            # Lightning ends a training by SIGTERM, whoever else handles it; that is another test.
            if sent is not signal.SIGTERM:
                os.kill(os.getpid(), sent)
        if number == 11:
            os.kill(os.getpid(), signal.SIGWINCH)

    def over(self) -> None:
        say(*_handlers())
        for number in self._signals:
            os.kill(os.getpid(), number)


class DaemonThreads(Circumstance):
    """Daemon threads of the user run on while the interpreter ends."""

    def begins(self) -> None:
        for _ in range(4):
            threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        import logging

        while True:
            logging.getLogger("user").debug("still here")
            sum(range(1000))
            time.sleep(0.0005)


class InThread(Circumstance):
    """The training runs in another thread than the main one."""

    def fit(self, fit: Callable[[], None]) -> None:
        thread = threading.Thread(target=fit)
        thread.start()
        thread.join()


class NearTheStacksEnd(Circumstance):
    """`fit` is called so deep in the stack that the training itself just fits."""

    def fit(self, fit: Callable[[], None]) -> None:
        limit = sys.getrecursionlimit()
        self._deeper(limit - int(self.argument) - len(_frames()), fit)

    def _deeper(self, levels: int, fit: Callable[[], None]) -> None:
        if levels > 0:
            self._deeper(levels - 1, fit)
        else:
            fit()


class UserTimeouts(Circumstance):
    """A handler of the user raises an exception of its own into whatever runs."""

    def begins(self) -> None:
        signal.signal(signal.SIGALRM, self._raise)

    def _raise(self, number: int, frame: object) -> None:
        raise TimeoutError("the user's own")

    def step(self, number: int, trainer: Any) -> None:
        if number == 12:
            signal.setitimer(signal.ITIMER_REAL, 0.001)
            time.sleep(1)


def _frames() -> list[object]:
    found: list[object] = []
    frame: Any = sys._getframe()
    while frame is not None:
        found.append(frame)
        frame = frame.f_back
    return found


def _handlers() -> list[str]:
    """Return the handlers in force, by signal, in words that are the same in each process."""
    found = []
    for number in sorted(signal.valid_signals()):
        handler = signal.getsignal(number)
        name = handler.name if isinstance(handler, signal.Handlers) else getattr(handler, "__qualname__", str(handler))
        found.append(f"{number}={name}")
    return found


BY_NAME: dict[str, type[Circumstance]] = {
    "none": Circumstance,
    "read-only-midway": ReadOnlyMidway,
    "writes-fail": WritesFail,
    "no-descriptors": NoDescriptors,
    "no-threads": NoThreads,
    "clock-steps-back": ClockStepsBack,
    "forks": Forks,
    "ends": Ends,
    "killed-afterwards": KilledAfterwards,
    "requeued": Requeued,
    "own-handlers": OwnHandlers,
    "daemon-threads": DaemonThreads,
    "in-thread": InThread,
    "near-the-stacks-end": NearTheStacksEnd,
    "user-timeouts": UserTimeouts,
}
