"""When a rank waits for the others: in the averaging of gradients, and in what Lightning itself exchanges."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from time import perf_counter_ns
from typing import Any, Final

from torch.autograd import Variable
from torch.nn.parallel import DistributedDataParallel

from ocr_otel.ranks import Synchronisations
from ocr_otel.training.profiler_seam import Contexts, Failed
from ocr_otel.training.wrapping import wrap

_OF_STRATEGY: Final = ("barrier", "broadcast", "reduce", "all_gather")
"""Methods of a strategy in which Lightning, and `self.log(sync_dist=True)`, wait for other ranks."""


class CollectivesSeam:
    """Sees the collectives of one strategy, from the first training batch to the end of the entry.

    DistributedDataParallel averages gradients while the backward pass runs, and waits for the rest of it when that has
    come to its end. A callback that autograd calls at its end, queued before DDP's own, is called between the two: it
    tells when this rank's gradients were ready. Nothing that is computed changes, which a communication hook could.

    Args:
        strategy: The strategy.
        contexts: The contexts of the profiler seam.
        synchronisations: Where it is written when this rank came to a synchronisation and left it; None where the host
            does not wait, because it only asks the device to.
        failed: Called with what fails on our side.
    """

    def __init__(
        self, strategy: Any, contexts: Contexts, synchronisations: Synchronisations | None, failed: Failed
    ) -> None:
        self._strategy = strategy
        self._contexts = contexts
        self._synchronisations = synchronisations
        self._failed = failed
        self._wait: AbstractContextManager[None] | None = None
        self._undo: list[Callable[[], None]] = []
        self._model: Any = None
        self._inside = False
        self._waited_ns = 0
        self._thread = threading.get_ident()
        for name in _OF_STRATEGY:
            if callable(getattr(strategy, name, None)):
                self._undo.append(wrap(strategy, name, self._timed(f"Strategy.{name}")))

    def training_begins(self) -> None:
        """The model is wrapped now."""
        model = self._strategy.model
        if self._model is None and isinstance(model, DistributedDataParallel):
            self._model = model
            self._undo.append(wrap(self._strategy.precision_plugin, "backward", self._backward))

    def remove(self) -> None:
        """Leave the strategy as it was."""
        while self._undo:
            self._undo.pop()()

    def _timed(self, name: str) -> Callable[..., Any]:
        context = self._contexts.communication(name)

        def call(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() != self._thread:
                # Such as one that writes checkpoints: the training does not wait for it.
                return original(*args, **kwargs)
            outermost, self._inside = not self._inside, True
            began = perf_counter_ns()
            try:
                with context:
                    return original(*args, **kwargs)
            finally:
                if outermost:
                    self._inside = False
                    self._waited_ns += perf_counter_ns() - began

        return call

    def _backward(self, original: Callable[..., Any], tensor: Any, *args: Any, **kwargs: Any) -> Any:
        self._wait = None
        # With accumulated gradients most backward passes end without a synchronisation.
        if self._model.require_backward_grad_sync and not _compiled():
            try:
                tensor.register_hook(self._begins)
            except Exception as error:
                self._failed("collectives", error)
        try:
            return original(tensor, *args, **kwargs)
        finally:
            wait, self._wait = self._wait, None
            if wait is not None:
                wait.__exit__(None, None, None)
                if self._synchronisations is not None:
                    self._synchronisations.left.append(perf_counter_ns())

    def _begins(self, _: Any) -> None:
        try:
            Variable._execution_engine.queue_callback(self._ready)
        except Exception as error:
            self._failed("collectives", error)

    def _ready(self) -> None:
        try:
            if self._wait is not None:
                return
            wait = self._contexts.synchronisation
            if self._synchronisations is not None:
                # Who has waited in another collective of this step has arrived that much earlier.
                waited, self._waited_ns = self._waited_ns, 0
                self._synchronisations.arrived.append(perf_counter_ns() - waited)
            wait.__enter__()
            self._wait = wait
        except Exception as error:
            self._failed("collectives", error)


def _compiled() -> bool:
    """Return whether backward passes are compiled: a callback that is queued in one would end the training."""
    module = sys.modules.get("torch._dynamo.compiled_autograd")
    return bool(getattr(module, "compiled_autograd_enabled", False))
