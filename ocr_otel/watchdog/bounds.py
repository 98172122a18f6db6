"""When a training is said to hang: a decision on plain numbers, by what the run itself took so far.

Times are nanoseconds of one clock that does not go on while the host sleeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FACTOR: Final = 5
"""Times the longest stand-still of a place that is no hang yet: the `safety_factor` with which nvidia-resiliency-ext
makes a timeout of the longest interval between two heartbeats."""
REPEATED: Final = 2
"""Times a stand-still out of the ordinary: the first of its place, in which a model is compiled, or one that was called
a hang and ended. It may come again, and five times it would hide a real hang for hours."""
FIRST: Final = 6
"""Times the shortest bound, for what was never seen to end: set-up, the first batch with its compilation, the first
validation and checkpoint. Of the default of five minutes it makes the half hour that PyTorch waits for other processes
by default."""
_LATE: Final = 2
"""Intervals between two looks above which the one who looks was held up itself, and the training with it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look sees.

    Attributes:
        place: What goes on, as far as times of it are comparable; None while nothing is to go on.
        progress: Numbers of which at least one changes whenever something goes on.
        began: When the newest of what goes on began.
        longest_batch: Longest batch that ended here; 0 before the first, and where there are no batches.
    """

    place: tuple[int, ...] | None
    progress: tuple[int, ...]
    began: int
    longest_batch: int = 0


@dataclass(frozen=True, slots=True)
class Hang:
    """Nothing has gone on for too long.

    Attributes:
        stood: For how long.
        bound: After how long that is called a hang.
    """

    stood: int
    bound: int


@dataclass(slots=True)
class _Learnt:
    """Stand-stills of one place that are over.

    Attributes:
        proved: Whether anything of this kind has ended.
        longest: The longest ordinary one.
        odd: The longest other one: the first here, or far longer than those before.
    """

    proved: bool = False
    longest: int = 0
    odd: int = 0


class Progress:
    """Follows whether something goes on.

    A stand-still is measured from look to look with the error of one interval, which is no matter as long as `FACTOR`
    intervals are less than `shortest`.

    Args:
        shortest: The shortest bound.
        interval: Time from one look to the next.

    Attributes:
        hanging: Whether the stand-still that goes on was called a hang.
    """

    def __init__(self, shortest: int, interval: int) -> None:
        self.hanging: bool = False
        self._shortest = shortest
        self._interval = interval
        self._learnt: dict[tuple[int, ...], _Learnt] = {}
        self._seen: Seen | None = None
        self._since = 0
        self._looked = 0

    def look(self, now: int, seen: Seen, paused: int = 0) -> Hang | None:
        """Take one look.

        Args:
            now: The time.
            seen: What it sees.
            paused: How much of the time since the last look the training could not run: it does not count.

        Returns:
            The hang, once for each stand-still.
        """
        looked = self._looked
        if looked:
            # Who was not woken in time was frozen or starved together with the training.
            late = now - looked - _LATE * self._interval
            self._since = min(now, self._since + max(paused, late, 0))
        self._looked = now
        if seen.place is None:
            self._leave(now)
            return None
        if self._seen is None or self._seen.progress != seen.progress or self._seen.place != seen.place:
            self._go_on(now, seen, looked)
        learnt = self._of(seen.place)
        learnt.proved = learnt.proved or seen.longest_batch > 0
        bound = self._bound(learnt, seen.longest_batch)
        stood = now - self._since
        if self.hanging or stood <= bound:
            return None
        self.hanging = True
        return Hang(stood, bound)

    def _bound(self, learnt: _Learnt, longest_batch: int) -> int:
        shortest = self._shortest if learnt.proved else FIRST * self._shortest
        return max(shortest, FACTOR * learnt.longest, REPEATED * max(learnt.odd, longest_batch))

    def _go_on(self, now: int, seen: Seen, looked: int) -> None:
        before = self._seen
        # What begins leaves its time, what ends does not: then it was at the latest now. It was after the last look.
        since = min(seen.began, now) if before is None or seen.began > before.began else now
        since = since if before is None else max(since, looked)
        if before is not None and before.place is not None:
            learnt = self._of(before.place)
            stood = max(0, since - self._since)
            if not learnt.proved or stood > max(self._shortest, FACTOR * learnt.longest):
                learnt.odd = max(learnt.odd, stood)
            else:
                learnt.longest = max(learnt.longest, stood)
            learnt.proved = learnt.proved or before.place != seen.place
        self.hanging = False
        self._seen = seen
        self._since = since

    def _leave(self, now: int) -> None:
        if self._seen is not None:
            self._go_on(now, Seen(None, (), now), now)
            self._seen = None

    def _of(self, place: tuple[int, ...]) -> _Learnt:
        return self._learnt.setdefault(place, _Learnt())
