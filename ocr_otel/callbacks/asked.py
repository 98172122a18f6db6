"""What the callbacks of one Trainer ask for, each for its part, put together: all of them are one recording."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ocr_otel.settings import Settings, load


class Part(StrEnum):
    """Parts of the recording that a callback may ask for beside batches and phases, which are always there."""

    THROUGHPUT = "throughput"
    PROFILING = "profiling"
    RESOURCES = "resources"


ALL = frozenset(Part)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Bounds of an epoch's mean, beyond which a warning is logged; None is no bound.

    Attributes:
        gpu_utilization_min: Share of time in which the GPUs ran kernels.
        gpu_throttled_max: Share of samples in which the clock of a GPU was held down.
        io_pressure_max: Share of the time in which some task waited for I/O.
    """

    gpu_utilization_min: float | None = None
    gpu_throttled_max: float | None = None
    io_pressure_max: float | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What is shown of an epoch.

    Attributes:
        verbose: Whether a line is printed.
        log_interval: Epochs from one that is shown to the next.
        timing: Whether times and throughput are among it.
        memory: Whether memory is.
    """

    verbose: bool = False
    log_interval: int = 1
    timing: bool = True
    memory: bool = True


@dataclass(frozen=True, slots=True)
class Asked:
    """What one callback asks for.

    Attributes:
        parts: Parts of the recording.
        given: Settings by name that it was given; they go before environment variables.
        settings: All settings, where it was given them as a whole.
        enabled: Whether it is on.
        whole: Whether it is the one of the whole recording: when that is off, everything is.
        view: What is to be shown of an epoch; None where it has no opinion.
        thresholds: Bounds that are watched.
    """

    parts: frozenset[Part] = ALL
    given: Mapping[str, Any] = field(default_factory=dict)
    settings: Settings | None = None
    enabled: bool = True
    whole: bool = True
    view: View | None = None
    thresholds: Thresholds = Thresholds()


@dataclass(frozen=True, slots=True)
class Plan:
    """What is recorded of a Trainer's runs, and shown.

    Attributes:
        settings: The settings.
        parts: Parts that were asked for.
        view: What is shown of an epoch.
        thresholds: Bounds that are watched.
    """

    settings: Settings
    parts: frozenset[Part]
    view: View
    thresholds: Thresholds


def together(callbacks: Iterable[Asked]) -> Plan | None:
    """Put together what callbacks ask for; None where that is nothing.

    What one is given goes before environment variables, those go before defaults, and of what two are given the first
    one's counts.

    Raises:
        SettingsError: A value is not allowed.
    """
    asked = list(callbacks)
    on = [each for each in asked if each.enabled]
    if not on or any(each.whole and not each.enabled for each in asked):
        return None
    parts = frozenset[Part]().union(*(each.parts for each in on))
    given: dict[str, Any] = {}
    if Part.RESOURCES not in parts:
        given["resource_interval"] = 0.0
    if Part.PROFILING not in parts:
        given |= {"profile": (), "profile_every": 0}
    for each in reversed(on):
        given |= each.given
    base = next((each.settings for each in on if each.settings is not None), None)
    settings = load(given=given) if base is None else load(given=base.model_dump() | given)
    bounds = [each.thresholds for each in on]
    return Plan(
        settings=settings,
        parts=parts,
        view=next((each.view for each in on if each.view is not None), View()),
        thresholds=next((each for each in bounds if each != Thresholds()), Thresholds()),
    )
