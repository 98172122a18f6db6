"""The same configurations as structured ones, for Hydra's ConfigStore: with types, and with every setting."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any, Final

from ocr_otel.callbacks.configured import ProfilerPart, Recording, ResourcesPart, ThroughputPart, WholeRecording

TARGETS: Final[dict[str, tuple[str, type[Recording]]]] = {
    "ocr_otel": ("ocr_otel.OTelCallback", WholeRecording),
    "throughput_monitor": ("ocr_otel.ThroughputMonitor", ThroughputPart),
    "profiler": ("ocr_otel.Profiler", ProfilerPart),
    "resource_monitor": ("ocr_otel.ResourceMonitor", ResourcesPart),
}
"""Name of each configuration, what it makes, and where its keys come from."""
_OBJECTS: Final = frozenset({"batch_size", "settings"})
"""Arguments that a configuration file does not hold."""


def structured() -> dict[str, type[Any]]:
    """Return a dataclass for each configuration, whose fields and defaults are the callback's arguments."""
    return {name: _dataclass(name, target, made) for name, (target, made) in TARGETS.items()}


def register(group: str = "callbacks") -> None:
    """Register them in Hydra's ConfigStore, as `<group>/<name>`, each under a key of its own name.

    To be called by an application of Hydra before its main function.

    Args:
        group: The group of the application's callbacks.
    """
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    for name, made in structured().items():
        store.store(group=group, name=name, node={name: made()}, provider="ocr_otel")


def _dataclass(name: str, target: str, made: type[Recording]) -> type[Any]:
    fields: list[tuple[str, Any, Any]] = [("_target_", str, target)]
    signature = inspect.signature(made.__init__, eval_str=True)
    for argument in list(signature.parameters.values())[1:]:
        if argument.name not in _OBJECTS:
            fields.append((argument.name, _typed(argument.annotation), argument.default))
    return dataclasses.make_dataclass(
        name, [(key, kind, dataclasses.field(default=value)) for key, kind, value in fields]
    )


def _typed(annotation: Any) -> Any:
    # OmegaConf has no type for a text or a list.
    return Any if "list" in str(annotation) else annotation
