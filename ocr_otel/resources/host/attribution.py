"""Whose counters are whose, while workers come and go."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from ocr_otel.resources.host.counts import GROWING, IO_FIELDS, Counts
from ocr_otel.semconv import ProcessRole

FIELDS: Final = GROWING + len(IO_FIELDS)


class Key(NamedTuple):
    """What has series of its own.

    Attributes:
        role: The role.
        worker: Worker id; None for all that are no worker, and for the workers that have no series of their own.
    """

    role: ProcessRole
    worker: int | None = None


class Account:
    """What all processes of a key have counted, those that have ended included.

    Attributes:
        totals: In the order of `Counts.growing`.
        has_io: Whether I/O could be read of any of them.
    """

    __slots__ = ("has_io", "totals")

    def __init__(self) -> None:
        self.totals: list[float] = [0.0] * FIELDS
        self.has_io: bool = False

    def add(self, amounts: list[float], has_io: bool) -> None:
        """Add what was counted."""
        self.totals = [total + amount for total, amount in zip(self.totals, amounts, strict=True)]
        self.has_io = self.has_io or has_io


class Tracked:
    """A process from its first reading to its last.

    Attributes:
        pid: Its pid; with `counts.started` it names the process for good.
        counts: The last reading.
        since: When it was found, monotonic seconds.
        key: Whose it is; None as long as nobody knows.
        other_rank: Whether it belongs to another rank, which counts it itself.
        step: What it counted between the last two readings.
        fresh: Whether there is only one reading, so that `step` is no rate.
        unique: Bytes of its unique memory; None before that was read.
        unique_due: When to read that again, monotonic seconds.
    """

    __slots__ = (
        "_held",
        "_owed",
        "counts",
        "fresh",
        "key",
        "other_rank",
        "pid",
        "since",
        "step",
        "unique",
        "unique_due",
    )

    def __init__(self, pid: int, counts: Counts, since: float, born: bool) -> None:
        """Begin with the first reading.

        Args:
            pid: The pid.
            counts: The first reading.
            since: When that was.
            born: Whether it has started since the source was opened, so that all it has counted is of interest.
        """
        self.pid: int = pid
        self.counts: Counts = counts
        self.since: float = since
        self.key: Key | None = None
        self.other_rank: bool = False
        self.step: list[float] = _padded(counts.growing) if born else [0.0] * FIELDS
        self.fresh: bool = True
        self.unique: int | None = None
        self.unique_due: float = 0.0
        self._held = [0.0] * FIELDS
        self._owed = [0.0] * FIELDS

    def advance(self, counts: Counts) -> None:
        """Take the next reading."""
        before, self.counts, self.fresh = self.counts.growing, counts, False
        # Where I/O became readable or unreadable on the way, that part of the step is nothing.
        same = min(len(before), len(counts.growing))
        self.step = _padded(
            tuple(max(0.0, new - old) for new, old in zip(counts.growing[:same], before[:same], strict=True))
        )

    def owe(self, growing: tuple[float, ...]) -> None:
        """Remember that the I/O of a child that has ended will show up here, or already does."""
        for index in range(GROWING, len(growing)):
            self._owed[index] += growing[index]

    def take_off(self) -> None:
        """Take what ended children counted off the last step; what is not in it yet is taken off later ones."""
        for index in range(GROWING, FIELDS):
            owed = self._owed[index]
            if owed:
                paid = min(owed, self.step[index])
                self.step[index] -= paid
                self._owed[index] = owed - paid

    def hold(self) -> None:
        """Keep the last step until it is known whose it is."""
        self._held = [held + step for held, step in zip(self._held, self.step, strict=True)]

    def release(self) -> list[float]:
        """Return what was kept, and keep nothing more."""
        held, self._held = self._held, [0.0] * FIELDS
        return held


def settle(living: Mapping[int, Tracked], ended: Collection[Tracked], accounts: dict[Key, Account]) -> None:
    """Add the last step of every process to the account of its key.

    The kernel adds the I/O of a child to its parent's when the parent has waited for it. So that nothing is counted
    twice, it is taken off the parent's again. The parent must have been read before its children: then a child that
    ends meanwhile is missing from both or from the child's alone, and a later reading puts it right.

    Args:
        living: The processes by pid, each with its latest reading.
        ended: Those that were there at the last reading and now are not.
        accounts: Where to; further ones are added.
    """
    for each in ended:
        parent = living.get(each.counts.parent)
        if parent is not None:
            parent.owe(each.counts.growing)
    for each in living.values():
        each.take_off()
        if not each.other_rank:
            each.hold()
    for each in (*living.values(), *ended):
        if each.key is not None and not each.other_rank:
            accounts.setdefault(each.key, Account()).add(each.release(), len(each.counts.growing) == FIELDS)


def _padded(growing: tuple[float, ...]) -> list[float]:
    return [*growing, *(0.0,) * (FIELDS - len(growing))]
