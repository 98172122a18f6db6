"""The callbacks without Lightning's base class: the whole recording with its settings, and one for each part of it.

All callbacks of one Trainer are one recording: the first of them records, with what all of them ask for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ocr_otel.callbacks.arguments import documented
from ocr_otel.callbacks.asked import Asked, Part, Plan, Thresholds, View, together
from ocr_otel.callbacks.binding import VERDICTS, present
from ocr_otel.callbacks.shown import Shown, left_out
from ocr_otel.integrations.trackers.trackers import trackers_for
from ocr_otel.recording import Recorder
from ocr_otel.settings import Settings, SettingsError, load
from ocr_otel.training.guard import Parts, guarded
from ocr_otel.training.hooks import TrainingHooks
from ocr_otel.training.listening import Listener


class Recording(TrainingHooks):
    """What all callbacks have in common.

    Args:
        asked: What this one asks for.
        batch_size: See `OTelCallback`.

    Attributes:
        asked: What this one asks for.
    """

    def __init__(self, asked: Asked, batch_size: Callable[[Any], int] | None = None) -> None:
        # A wrong value is said where it is given, and not when a training begins.
        settings = asked.settings or load(given=asked.given)
        super().__init__(VERDICTS, present, batch_size, settings, self._listener_of)
        self.asked = asked
        self._plan: Plan | None = None

    @property
    def state_key(self) -> str:
        """By which Lightning tells callbacks apart, and the recording its own from others."""
        return f"OTelCallback.{type(self).__qualname__}"

    @guarded
    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """An entry begins."""
        if self._open is None and self._first_of(trainer):
            self._plan = together([each.asked for each in trainer.callbacks if isinstance(each, Recording)])
            if self._plan is None:
                return
            self._settings = self._plan.settings
        super().setup(trainer, pl_module, stage)

    def _listener_of(
        self, trainer: Any, recorder: Recorder, entry: str, settings: Settings, parts: Parts
    ) -> Listener | None:
        assert self._plan is not None
        trackers = trackers_for(trainer, recorder, entry, settings, parts, left_out(self._plan))
        return Shown(self._plan, trackers, recorder.session.identity.rank == 0)


@documented
class WholeRecording(Recording):
    """Records a Trainer's runs as OpenTelemetry traces and metrics.

    With `OCR_OTEL_ENABLED=true` every Trainer has one by itself; passed by hand it works without the variable. Twice
    on one Trainer counts once. An argument goes before the environment variable of its setting.

    Args:
        batch_size: Returns the number of samples of a batch. By default its form tells them, as a rule by the first
            tensor's first dimension, and where it has none what its dataloader was asked for.
        settings: All settings at once; by default those of the arguments below and of the `OCR_OTEL_*` variables.
        enabled: Whether anything is recorded. `OCR_OTEL_ENABLED=false` silences it too.
        options: The settings by name.

    Raises:
        SettingsError: A setting is wrong.

    Example:
        >>> trainer = Trainer(callbacks=[OTelCallback(batch_spans=50)])  # doctest: +SKIP
    """

    def __init__(
        self,
        batch_size: Callable[[Any], int] | None = None,
        settings: Settings | None = None,
        enabled: bool = True,
        **options: Any,
    ) -> None:
        given = {name: value for name, value in options.items() if value is not None}
        if settings is not None and given:
            raise SettingsError(f"settings and {', '.join(given)} exclude each other: give all in settings, or none")
        super().__init__(Asked(given=given, settings=settings, enabled=enabled), batch_size)


class ThroughputPart(Recording):
    """Samples a second and times of batches, by epoch: for the Trainer's loggers, and as a line in the terminal.

    Args:
        enabled: Whether it is on.
        verbose: Print a line at the end of an epoch.
        log_interval: Epochs from one line and one entry of the loggers to the next.
        track_memory: Whether memory is among it.
        track_timing: Whether times and throughput are among it.

    Raises:
        SettingsError: An argument is wrong.
    """

    def __init__(
        self,
        enabled: bool = True,
        verbose: bool = True,
        log_interval: int = 1,
        track_memory: bool = True,
        track_timing: bool = True,
    ) -> None:
        if log_interval < 1:
            raise SettingsError(f"log_interval={log_interval!r} is not allowed: it is a number of epochs, 1 or more")
        view = View(verbose, log_interval, track_timing, track_memory)
        super().__init__(Asked(frozenset({Part.THROUGHPUT}), enabled=enabled, whole=False, view=view))


class ProfilerPart(Recording):
    """Windows of `torch.profiler`, with what they show as events of spans and a Chrome trace beside the run.

    Args:
        enabled: Whether it is on.
        modes: When windows open; see `OCR_OTEL_PROFILE`.
        profile_every: Training batches from one periodic window to the next; 0 opens none.
        profile_steps: Batches that a window records.
        warmup_steps: Batches in which the profiler warms up before.
        max_windows: Windows of each kind that may open by themselves in a run.
        record_shapes: Record shapes of inputs.
        with_stack: Record Python stacks.
        profile_memory: Record memory.
        with_flops: Estimate FLOPs.

    Raises:
        SettingsError: An argument is wrong.
    """

    def __init__(
        self,
        enabled: bool = True,
        modes: str | list[str] | None = None,
        profile_every: int | None = None,
        profile_steps: int | None = None,
        warmup_steps: int | None = None,
        max_windows: int | None = None,
        record_shapes: bool = False,
        with_stack: bool = False,
        profile_memory: bool = False,
        with_flops: bool = False,
    ) -> None:
        details = {"shapes": record_shapes, "stack": with_stack, "memory": profile_memory, "flops": with_flops}
        wanted = [name for name, on in details.items() if on]
        given = {
            "profile": modes,
            "profile_every": profile_every,
            "profile_batches": profile_steps,
            "profile_warmup": warmup_steps,
            "profile_windows": max_windows,
            "profile_details": wanted or None,
        }
        named = {name: value for name, value in given.items() if value is not None}
        super().__init__(Asked(frozenset({Part.PROFILING}), named, enabled=enabled, whole=False))


class ResourcesPart(Recording):
    """Readings of GPUs, memory, processes and I/O beside the training, and warnings where an epoch is beyond a bound.

    Args:
        enabled: Whether it is on.
        interval: Seconds between two readings.
        gpus: `used` or `all`; see `OCR_OTEL_GPUS`.
        gpu_utilization_min: Warn where the GPUs ran kernels for a smaller share of an epoch.
        gpu_throttled_max: Warn where the clock of a GPU was held down in a larger share of an epoch.
        io_pressure_max: Warn where some task waited for I/O for a larger share of an epoch.

    Raises:
        SettingsError: An argument is wrong.
    """

    def __init__(
        self,
        enabled: bool = True,
        interval: float | None = None,
        gpus: str | None = None,
        gpu_utilization_min: float | None = None,
        gpu_throttled_max: float | None = None,
        io_pressure_max: float | None = None,
    ) -> None:
        bounds = Thresholds(gpu_utilization_min, gpu_throttled_max, io_pressure_max)
        for name in Thresholds.__dataclass_fields__:
            bound = getattr(bounds, name)
            if bound is not None and not 0 <= bound <= 1:
                raise SettingsError(f"{name}={bound!r} is not allowed: it is a share, from 0 to 1")
        given = {"resource_interval": interval, "gpus": gpus}
        named = {name: value for name, value in given.items() if value is not None}
        super().__init__(Asked(frozenset({Part.RESOURCES}), named, enabled=enabled, whole=False, thresholds=bounds))
