"""The part of a training's configuration that may leave: an allow-list, for hyper-parameters are not ours to send."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any, Final

import torch
from torch.nn.parameter import is_lazy
from torch.utils._pytree import tree_leaves

from ocr_otel import semconv
from ocr_otel.redaction import redact
from ocr_otel.resources.host import limits

_TRAINER: Final = (
    "max_epochs",
    "max_steps",
    "min_epochs",
    "accumulate_grad_batches",
    "gradient_clip_val",
    "check_val_every_n_epoch",
    "val_check_interval",
    "limit_train_batches",
    "limit_val_batches",
    "log_every_n_steps",
    "overfit_batches",
    "num_devices",
    "num_nodes",
    "world_size",
)

MAX_TEXT: Final = 200
"""Characters of a value: names of classes and settings, no documents."""
_FOREACH_DEVICES: Final = frozenset({"cuda", "xpu", "mtia", "privateuseone"})


def describe_trainer(trainer: Any, module: Any) -> dict[str, Any]:
    """Return the attributes of `fit.start`: settings of the Trainer, class names and the model's size.

    Args:
        trainer: A Trainer of either package.
        module: Its LightningModule.
    """
    found: dict[str, Any] = {name: getattr(trainer, name, None) for name in _TRAINER}
    found |= {
        "precision": getattr(trainer, "precision", None),
        "strategy": type(trainer.strategy).__name__,
        "accelerator": type(trainer.accelerator).__name__,
        "module": type(module).__name__,
        "datamodule": type(trainer.datamodule).__name__ if trainer.datamodule is not None else None,
        "profiler": type(trainer.profiler).__name__,
        "callbacks": sorted(type(callback).__name__ for callback in trainer.callbacks),
        "loggers": sorted(type(logger).__name__ for logger in trainer.loggers),
        "automatic_optimization": getattr(module, "automatic_optimization", None),
        "parameters": _parameters(module) or None,
    }
    attributes = {
        semconv.CONFIG_PREFIX + name: _plain(value) for name, value in found.items() if value not in (None, [])
    }
    attributes[semconv.LIGHTNING_PACKAGE] = type(trainer).__module__.partition(".")[0]
    return attributes


def describe_model(module: Any) -> dict[str, Any]:
    """Return the attribute of the model's size, which may be known only when the training begins.

    A module that makes its layers in its own `setup` or `configure_model` has none before.
    """
    return {semconv.CONFIG_PREFIX + "parameters": _parameters(module)}


def _parameters(module: Any) -> int:
    """Return the number of a module's parameters, those left out that get a shape only with the first batch."""
    return sum(each.numel() for each in module.parameters() if not is_lazy(each))


def describe_loaders(loaders: Any) -> dict[str, Any]:
    """Return the attributes of a training's dataloaders, of which there may be several in a list or a dictionary.

    Of several there is what they have in common, and the classes of all their datasets.
    """
    leaves = tree_leaves(loaders)
    described = [describe_loader(each) for each in leaves]
    if len(described) < 2:
        return described[0] if described else {}
    first, *others = described
    common = {name: value for name, value in first.items() if all(each.get(name) == value for each in others)}
    dataset = f"{semconv.CONFIG_PREFIX}dataloader.dataset"
    names = dict.fromkeys(str(each[dataset]) for each in described if dataset in each)
    return common | ({dataset: ", ".join(names)[:MAX_TEXT]} if names else {})


def describe_loader(loader: Any) -> dict[str, Any]:
    """Return the attributes of a dataloader, where it is one of torch's."""
    names = ("num_workers", "batch_size", "prefetch_factor", "pin_memory", "persistent_workers")
    found = {name: getattr(loader, name, None) for name in names}
    found["dataset"] = type(loader.dataset).__name__ if hasattr(loader, "dataset") else None
    return {
        f"{semconv.CONFIG_PREFIX}dataloader.{name}": _plain(value) for name, value in found.items() if value is not None
    }


def describe_optimizers(optimizers: list[Any]) -> dict[str, Any]:
    """Return the attributes of the optimisers: classes, how they step, and how many tensors."""
    if not optimizers:
        return {}
    attributes: dict[str, Any] = {
        semconv.CONFIG_OPTIMIZER: ", ".join(dict.fromkeys(type(each).__name__ for each in optimizers)),
        semconv.CONFIG_OPTIMIZER_TENSORS: sum(
            len(group["params"]) for each in optimizers for group in each.param_groups
        ),
    }
    implementation = _implementation(optimizers[0].param_groups[0])
    if implementation:
        attributes[semconv.CONFIG_OPTIMIZER_IMPLEMENTATION] = implementation
    return attributes


def _implementation(group: dict[str, Any]) -> str:
    """Return how an optimiser of torch steps; empty for one that has no choice."""
    if "foreach" not in group:
        return ""
    if group.get("fused"):
        return "fused"
    foreach = group["foreach"]
    if foreach is None:
        # What torch does where nobody chose: foreach on accelerators alone.
        foreach = bool(group["params"]) and all(each.device.type in _FOREACH_DEVICES for each in group["params"])
    return "foreach" if foreach else "for-loop"


def describe_machine() -> dict[str, Any]:
    """Return how many threads PyTorch uses, and how many CPUs there are for them."""
    return {semconv.CONFIG_THREADS: torch.get_num_threads(), semconv.CONFIG_CPUS: limits.cpus()}


def describe_progress_bar(trainer: Any) -> dict[str, Any]:
    """Return how often the progress bar is drawn, where there is one of Lightning's."""
    bar = getattr(trainer, "progress_bar_callback", None)
    rate = getattr(bar, "refresh_rate", None)
    if not isinstance(rate, int) or isinstance(rate, bool):
        return {}
    return {semconv.CONFIG_BAR_REFRESH: rate if getattr(bar, "is_enabled", True) else 0}


def _plain(value: Any) -> Any:
    if isinstance(value, float) and math.isinf(value):
        return "unlimited"
    if isinstance(value, str):
        return redact(value[:MAX_TEXT])
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, list):
        return [redact(str(item)[:MAX_TEXT]) for item in value]
    # An object of the application's own: how it prints itself is not known, and may be all that it holds.
    return str(value) if isinstance(value, timedelta) else type(value).__name__
