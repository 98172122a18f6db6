"""What is done to a logger: by the interface that all of Lightning's have, or by its own where that does not carry.

Which logger it is, is told by the names of its class and of those it is derived from: its library is not imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

Texts = Mapping[str, str]

ARTIFACT: Final = "ocr_otel-report"
_IGNORED: Final = frozenset({"DummyLogger"})
"""What Lightning puts in the place of loggers where a Trainer only tries a few batches."""


class Tracker:
    """A logger by Lightning's interface alone.

    Args:
        logger: The logger.

    Attributes:
        kind: What it is called.
        name: Its class.
        takes_files: Whether it keeps files of a run.
    """

    takes_files = False

    def __init__(self, logger: Any, kind: str) -> None:
        self.kind = kind
        self.name: str = type(logger).__name__
        self._logger = logger

    def run_id(self) -> str:
        """Return the run's id there; empty where it has none."""
        return str(self._logger.version or "")

    def log(self, numbers: Mapping[str, float], step: int) -> None:
        """Give it numbers."""
        self._logger.log_metrics(dict(numbers), step=step)

    def tell(self, texts: Texts) -> None:
        """Put texts into the run's configuration."""
        self._logger.log_hyperparams(dict(texts))

    def conclude(self, texts: Texts) -> None:
        """Give it texts that are known at the end."""
        self.tell(texts)

    def keep(self, file: Path) -> None:
        """Give it a file to keep with the run."""


class _Directory(Tracker):
    """A logger that numbers its runs in a directory, whose name is the user's own: it is not sent."""

    def run_id(self) -> str:
        version = self._logger.version
        return f"version_{version}" if isinstance(version, int) else str(version or "")


class _TensorBoard(_Directory):
    """Texts do not go to the hyper-parameters: TensorBoard keeps the first that a run writes, and drops the user's."""

    def tell(self, texts: Texts) -> None:
        for name, text in texts.items():
            self._logger.experiment.add_text(name, text, 0)


class _Wandb(Tracker):
    takes_files = True

    def run_id(self) -> str:
        return str(self._logger.experiment.id)

    def tell(self, texts: Texts) -> None:
        # Another attempt of the same run has another trace.
        self._logger.experiment.config.update(dict(texts), allow_val_change=True)

    def conclude(self, texts: Texts) -> None:
        self._logger.experiment.summary.update(dict(texts))

    def keep(self, file: Path) -> None:
        name = f"{ARTIFACT}-{self._logger.experiment.id}"
        self._logger.experiment.log_artifact(str(file), name=name, type="report")


class _Mlflow(Tracker):
    """Texts are tags: a parameter of MLflow's cannot change when a run goes on, and its values are cut."""

    takes_files = True

    def run_id(self) -> str:
        return str(self._logger.run_id)

    def tell(self, texts: Texts) -> None:
        for name, text in texts.items():
            self._logger.experiment.set_tag(self._logger.run_id, name, text)

    def keep(self, file: Path) -> None:
        self._logger.experiment.log_artifact(self._logger.run_id, str(file), ARTIFACT)


_KNOWN: Final[dict[str, tuple[str, type[Tracker]]]] = {
    "WandbLogger": ("wandb", _Wandb),
    "MLFlowLogger": ("mlflow", _Mlflow),
    "TensorBoardLogger": ("tensorboard", _TensorBoard),
    "CSVLogger": ("csv", _Directory),
    "CometLogger": ("comet", Tracker),
    "NeptuneLogger": ("neptune", Tracker),
}


def trackers_of(loggers: list[Any]) -> list[Tracker]:
    """Return what is to be told, for each logger that keeps anything."""
    found = []
    for logger in loggers:
        names = [base.__name__ for base in type(logger).__mro__]
        if _IGNORED & set(names):
            continue
        unknown = names[0].lower().removesuffix("logger") or "logger"
        kind, make = next((_KNOWN[name] for name in names if name in _KNOWN), (unknown, Tracker))
        found.append(make(logger, kind))
    return found
