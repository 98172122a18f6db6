"""The module that is trained: a network, with places where something may be planted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import perf_counter, thread_time
from typing import Any

import lightning as L
import torch
from torch import nn

from tests.diagnosis.trainings.meter import Meter
from tests.diagnosis.trainings.nets import optimizer_of

LOOKED_AT = 6
"""One batch in so many tells how much of its time other programs had the core."""


class Learner(L.LightningModule):
    """Trains a network to answer zero.

    Args:
        net: The network.
        meter: Counts the parts.
        optimizer: Makes the optimiser.
        in_step: Done in each training step, before the network.
        after_transfer: Done with each batch when it is on the device.
        to_device: Done in place of moving the batch.
        in_validation: Done in each validation step.
        values: How many values each training step logs.
    """

    def __init__(
        self,
        net: nn.Module,
        meter: Meter,
        optimizer: Callable[[nn.Module], torch.optim.Optimizer] = optimizer_of,
        in_step: Callable[[], object] | None = None,
        after_transfer: Callable[[Any], Any] | None = None,
        to_device: Callable[[Any], Any] | None = None,
        in_validation: Callable[[], object] | None = None,
        values: int = 0,
    ) -> None:
        super().__init__()
        self.net = net
        self._meter = meter
        self._make_optimizer = optimizer
        self._in_step = in_step
        self._after_transfer = after_transfer
        self._to_device = to_device
        self._in_validation = in_validation
        self._values = values

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        if self._to_device is None or not self.trainer.training:
            return super().transfer_batch_to_device(batch, device, dataloader_idx)
        with self._meter.part("transfer"):
            return self._to_device(batch)

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        if self._after_transfer is None or not self.trainer.training:
            return batch
        with self._meter.part("transfer"):
            return self._after_transfer(batch)

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        with self._meter.part("model"):
            if self._in_step is not None:
                with self._meter.part("host"):
                    self._in_step()
            loss = self._seen(lambda: self.net(batch).square().mean(), batch_idx)
        if self._values:
            with self._meter.part("logging"):
                for number in range(self._values):
                    self.log(f"value_{number}", loss.detach(), on_step=True, on_epoch=True)
        return loss

    def _seen(self, work: Callable[[], torch.Tensor], batch_idx: int) -> torch.Tensor:
        # The network only computes: what it takes and is not given a core for, other programs of the machine have. Not
        # in each batch, because a busy system takes the core away where a program asks it for something.
        if batch_idx % LOOKED_AT:
            return work()
        cpu, began = thread_time(), perf_counter()
        result = work()
        cpu, wall = thread_time() - cpu, perf_counter() - began
        self._meter.add("net", wall)
        self._meter.add("stolen", max(0.0, wall - cpu))
        return result

    def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        if self._in_validation is not None:
            self._in_validation()
        self.log("val_loss", self.net(batch).square().mean(), batch_size=len(batch))

    def on_before_backward(self, loss: torch.Tensor) -> None:
        self._backward_began = perf_counter()

    def on_after_backward(self) -> None:
        self._meter.add("model", perf_counter() - self._backward_began)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        # The closure is over here: what follows is the step alone.
        self._step_began = perf_counter()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        optimizer = self._make_optimizer(self)
        optimizer.register_step_post_hook(self._stepped)
        return optimizer

    def _stepped(self, *_: Iterable[Any]) -> None:
        # An optimiser that calls another's step is told of twice.
        now = perf_counter()
        self._meter.add("optimizer", now - self._step_began)
        self._step_began = now
