"""The time in `self.log` and in loggers, which Lightning calls where no action of its profiler tells of it."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import FunctionType
from typing import Any

import torch

from ocr_otel import semconv
from ocr_otel.training.profiler_seam import Contexts


class LoggingSeam:
    """Wraps methods of classes for the time of one entry, and takes the wrappers away again.

    Of classes and not of objects: a module is pickled and copied with what hangs on it.

    Args:
        module: The LightningModule.
        loggers: The Trainer's loggers.
        contexts: Where the times go: into the part `callbacks`, so that they leave the part that they are called in.
    """

    def __init__(self, module: Any, loggers: list[Any], contexts: Contexts) -> None:
        self._wrapped: list[tuple[type, str, Any]] = []
        base = next((each for each in type(module).__mro__ if each.__name__ == "LightningModule"), None)
        if base is not None:
            self._wrap(base, "log", contexts, semconv.LOG_CALLBACK)
        for logger in loggers:
            self._wrap(type(logger), "log_metrics", contexts, f"{type(logger).__name__}.log_metrics")

    def _wrap(self, owner: type, method: str, contexts: Contexts, name: str) -> None:
        defined = next((each for each in owner.__mro__ if method in vars(each)), None)
        if defined is None or any(each[:2] == (defined, method) for each in self._wrapped):
            return
        original = vars(defined)[method]
        if not isinstance(original, FunctionType):
            # Such as a static method or a callable object: it is not called with the instance, and a function in its
            # place would be.
            return
        contexts.measure(name)
        setattr(defined, method, _timed(original, contexts, name))
        self._wrapped.append((defined, method, original))

    def remove(self) -> None:
        """Leave the classes as they were."""
        for owner, method, original in self._wrapped:
            setattr(owner, method, original)
        self._wrapped.clear()


def _timed(
    original: Callable[..., Any], contexts: dict[str, AbstractContextManager[None]], name: str
) -> Callable[..., Any]:
    training = threading.get_ident()

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        # What is compiled must not hold a clock, and what another thread does is no time of the training's.
        if torch.compiler.is_compiling() or threading.get_ident() != training:
            return original(*args, **kwargs)
        with contexts[name]:
            return original(*args, **kwargs)

    return call
