"""The readings of devices, processes and I/O beside a training: one set a process, however many Trainers there are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ocr_otel.recording import Recorder
from ocr_otel.resources.monitor import Monitor
from ocr_otel.settings import Settings

_current: tuple[Recorder, Monitor] | None = None


def monitor_for(recorder: Recorder, settings: Settings) -> Monitor | None:
    """Return what reads beside a process's recorder; None where the settings say that nothing is to be read."""
    global _current
    if not settings.resource_interval:
        return None
    if _current is None or _current[0] is not recorder:
        monitor = Monitor(recorder.session, settings, lambda: recorder.worker_ids, recorder.failed_beside)
        _current = recorder, monitor
    return _current[1]


def places(trainer: Any) -> list[Path]:
    """Return the folders whose disks matter: where the script runs, writes, and, where it is known, reads."""
    loader = getattr(trainer, "train_dataloader", None)
    datasets = [getattr(each, "dataset", None) for each in (loader if isinstance(loader, (list, tuple)) else [loader])]
    checkpoint = getattr(trainer, "checkpoint_callback", None)
    named = [
        os.getcwd(),
        getattr(trainer, "default_root_dir", None),
        getattr(checkpoint, "dirpath", None),
        # As the data sets of torchvision have it.
        *(getattr(dataset, "root", None) for dataset in datasets),
    ]
    found = [Path(place) for place in named if isinstance(place, (str, os.PathLike)) and "://" not in str(place)]
    return list(dict.fromkeys(found))
