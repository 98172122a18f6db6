"""What `opentelemetry-instrumentation-system-metrics` makes of host and process, beside our own sources.

It makes what it has in the form that others have too, and nothing that a source of ours makes:

- of each rank: `process.memory.virtual` and Python's garbage collector (`cpython.gc.*`);
- of the first rank of a host: memory and network, with the attributes `state`, `device` and `direction`, as the
  Collector's `hostmetrics` receiver has them, so that a dashboard reads either.

It does not make the rest. CPU times come by CPU, some thousand series on a large host; disks come all, with partitions
and loop devices; the `process.*` that are left come without the workers, and `process.cpu.time`, `process.disk.io`,
`process.context_switches` and the number of open files with attributes or names that the conventions have left behind.
"""

from __future__ import annotations

import logging
from typing import Final
from weakref import WeakSet

import psutil
from opentelemetry.instrumentation.system_metrics import SystemMetricsInstrumentor
from opentelemetry.metrics import MeterProvider

logger: Final = logging.getLogger("ocr_otel")

MAX_INTERFACES: Final = 16
"""Network interfaces above which none is reported: a host of containers has two for each of them."""

_Config = dict[str, list[str] | None]

_OF_PROCESS: Final[_Config] = {
    "process.memory.virtual": None,
    "cpython.gc.collections": None,
    "cpython.gc.collected_objects": None,
    "cpython.gc.uncollectable_objects": None,
}
_OF_MEMORY: Final[_Config] = {
    "system.memory.usage": ["used", "free", "cached"],
    "system.memory.utilization": ["used", "free", "cached"],
}
_OF_NETWORK: Final[_Config] = {
    "system.network.io": ["transmit", "receive"],
    "system.network.errors": ["transmit", "receive"],
}

_done: WeakSet[MeterProvider] = WeakSet()


class _OwnInstrumentor(SystemMetricsInstrumentor):
    """Instrumentors are one of a class: the class is ours so that a user's own keeps its configuration."""

    _instance = None


def instrument_system(meter_provider: MeterProvider, local_rank: int) -> None:
    """Have metrics of process and host made; a second call with the same provider does nothing.

    Nor does any call when the program, or `opentelemetry-instrument`, has set up the same instrumentation itself.

    Args:
        meter_provider: Where to.
        local_rank: Rank on this host: the host's own metrics are made by the first.
    """
    users = SystemMetricsInstrumentor._instance
    if users is not None and users.is_instrumented_by_opentelemetry:
        logger.debug("ocr_otel leaves metrics of process and host to the instrumentation that the program has set up")
        return
    if meter_provider in _done:
        return
    _done.add(meter_provider)
    instrumentor = _OwnInstrumentor(config=_config(local_rank))
    if instrumentor.is_instrumented_by_opentelemetry:
        # The one before went to another provider and ends with that.
        instrumentor.uninstrument()
    instrumentor.instrument(meter_provider=meter_provider)


def _config(local_rank: int) -> _Config:
    if local_rank != 0:
        return dict(_OF_PROCESS)
    try:
        psutil.virtual_memory()
        interfaces = len(psutil.net_io_counters(pernic=True))
    except (OSError, RuntimeError) as error:
        logger.debug("ocr_otel makes no metrics of the host's memory and network: %s", error)
        return dict(_OF_PROCESS)
    return _OF_PROCESS | _OF_MEMORY | (_OF_NETWORK if 0 < interfaces <= MAX_INTERFACES else {})
