"""How much is planted, and how many batches that makes: from what the network's own step takes here and now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from tests.diagnosis.trainings.nets import Net, optimizer_of, step_seconds
from tests.diagnosis.trainings.samples import Samples, Work, nothing

RUN_SECONDS = 0.6
"""About what a training takes."""
FEWEST_BATCHES = 18
MOST_BATCHES = 500


class Plan:
    """A network's step and what is planted beside it.

    Args:
        net: The network.
        share: Share of the time to plant, 0 to 1.
        optimizer: Makes the optimiser.
        others: Share of the time that other planted things take.

    Attributes:
        rest: Seconds of a batch without what is planted.
        planted: Seconds to plant for each batch.
        batches: Batches of the training.
    """

    def __init__(
        self,
        net: Net,
        share: float,
        optimizer: Callable[[nn.Module], torch.optim.Optimizer] = optimizer_of,
        others: float = 0.0,
    ) -> None:
        self.net = net
        self.rest = step_seconds(net, optimizer)
        self.whole = self.rest / (1 - share - others)
        self.planted = share * self.whole
        self.other = others * self.whole
        self.batches = min(MOST_BATCHES, max(FEWEST_BATCHES, round(RUN_SECONDS / self.whole)))

    @property
    def per_sample(self) -> float:
        """Seconds to plant for each sample."""
        return self.planted / self.net.batch_size

    def loader(self, work: Work = nothing, batches: int | None = None, **arguments: Any) -> DataLoader[torch.Tensor]:
        """Make a loader of the training's batches, with work for each sample."""
        length = (batches or self.batches) * self.net.batch_size
        return DataLoader(Samples(length, self.net.sample, work), batch_size=self.net.batch_size, **arguments)
