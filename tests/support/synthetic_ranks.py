"""What ranks of a made-up run do together: all leave an exchange of gradients at the same time, however late one is."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ocr_otel import semconv
from ocr_otel.semconv import Phase

BEFORE: Final = (Phase.FETCH, Phase.TRANSFER, Phase.FORWARD, Phase.BACKWARD)
"""Phases before the exchange."""
JOB: Final = "job-1"


@dataclass(frozen=True, slots=True)
class Together:
    """How the ranks differ.

    Attributes:
        late: Rank that is late at every step; -1 for another one at each.
        seconds: How late.
        phase: In which phase.
        exchange: Seconds that the exchange itself takes.
        hosts: Hosts over which the ranks are spread, in blocks.
        clock: Seconds by which the clocks of all but the first host are ahead.
        attempt: How often the job was started before.
        reason: Why the attempt before ended.
    """

    late: int = -1
    seconds: float = 0.03
    phase: Phase = Phase.FETCH
    exchange: float = 0.004
    hosts: int = 1
    clock: float = 0.0
    attempt: int = 0
    reason: str = ""

    def host(self, rank: int, world_size: int) -> int:
        """Return the number of a rank's host."""
        return rank * self.hosts // max(1, world_size)

    def ahead(self, rank: int, world_size: int) -> float:
        """Return by how much a rank's clock is ahead."""
        return self.clock if self.host(rank, world_size) else 0.0

    def resource(self, rank: int, world_size: int) -> dict[str, Any]:
        """Return what is on a rank's resource beside the usual."""
        host = self.host(rank, world_size)
        return {
            "host.name": f"trainer-{host + 1}", semconv.NODE_RANK: host, semconv.STRATEGY: "DDPStrategy",
            semconv.ATTEMPT: self.attempt, semconv.JOB_ID: JOB,
        }  # fmt: skip

    def step(
        self, usual: Mapping[Phase, float], epoch: int, index: int, rank: int, world_size: int
    ) -> dict[Phase, float]:
        """Return a rank's seconds by phase at a step, with its wait for the others.

        Args:
            usual: Seconds by phase where nothing is late.
            epoch: Epoch of the step.
            index: Its index in the epoch.
            rank: Which rank.
            world_size: How many there are.
        """
        all_ranks = [self._work(usual, epoch, index, each, world_size) for each in range(world_size)]
        arrived = [sum(work[phase] for phase in BEFORE) for work in all_ranks]
        return {**usual, **all_ranks[rank], Phase.COMMUNICATION: max(arrived) + self.exchange - arrived[rank]}

    def _work(
        self, usual: Mapping[Phase, float], epoch: int, index: int, rank: int, world_size: int
    ) -> dict[Phase, float]:
        jitter = random.Random(f"{epoch} {index} {rank}")
        work = {phase: usual[phase] * jitter.uniform(0.97, 1.03) for phase in BEFORE}
        late = self.late if self.late >= 0 else random.Random(f"{epoch} {index}").randrange(world_size)
        if rank == late:
            work[self.phase] += self.seconds * jitter.uniform(0.8, 1.2)
        return work

    def compared(self, world_size: int, steps: int) -> dict[str, Any]:
        """Return what rank 0's epoch says of the ranks."""
        delays = [0.0] * world_size
        found: dict[str, Any] = {semconv.RANKS_COMPARED: world_size, semconv.SYNCHRONISATIONS: steps}
        if self.late >= 0:
            delays[self.late] = 0.9 * self.seconds
            found |= {
                semconv.STRAGGLER_RANK: self.late, semconv.STRAGGLER_RATIO: 0.97,
                semconv.STRAGGLER_SECONDS: 0.9 * self.seconds, semconv.STRAGGLER_PHASE: str(self.phase),
                semconv.STRAGGLER_SUMMARY: (
                    f"Rank {self.late} arrives last at 97% of the steps, {900 * self.seconds:.3g} ms after the others: "
                    f"it spends more in {self.phase}."
                ),
            }  # fmt: skip
        return found | {semconv.RANKS_DELAY: delays}

    def clocks(self, rank: int, world_size: int) -> dict[str, float]:
        """Return what the epoch of a rank on another host says of its clock."""
        if not self.host(rank, world_size):
            return {}
        return {semconv.CLOCK_OFFSET: self.clock, semconv.CLOCK_ERROR: 0.0002}
