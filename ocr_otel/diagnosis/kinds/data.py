"""`data`: the loop waits for the dataloader; and which half of making a batch is slow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from ocr_otel import semconv
from ocr_otel.diagnosis import words
from ocr_otel.diagnosis.observation import Observation
from ocr_otel.diagnosis.thresholds import CPU_CONTENTION, DATA
from ocr_otel.diagnosis.verdict import Evidence, Verdict
from ocr_otel.semconv import Bottleneck, Phase

WAITING: Final = 0.5
"""Share of the dataset's time without CPU from which it is waiting that takes it: storage, network, locks."""
STARVED: Final = 0.5
"""Share of the time in which some task of the host waited for a CPU, from which a dataset's wait may be that."""
ASLEEP: Final = 0.05
"""Share of the dataset's time on a CPU below which it waits, however busy the machine: one that wants to compute and
gets so little of a fair scheduler would have to share its CPU with twenty others."""
HEADROOM: Final = 1.1
"""Workers that deliver exactly as fast as is needed leave the loop waiting whenever one is late."""
MOST_WORKERS: Final = 16
"""More are not advised, whatever they wait for: each is a process with its own memory."""


@dataclass(frozen=True, slots=True)
class Making:
    """What making a batch took in the mean, in seconds.

    Attributes:
        dataset: In the dataset.
        cpu: CPU time of that.
        collate: In `collate_fn`.
    """

    dataset: float
    cpu: float
    collate: float

    @property
    def whole(self) -> float:
        """All of it."""
        return self.dataset + self.collate


def _waits(observation: Observation, making: Making) -> bool:
    """Return whether the dataset mostly waits, and does not compute; not where it may be a CPU that it waits for."""
    machine, budget = observation.known.machine, observation.budget
    if making.dataset <= making.collate:
        return False
    if making.cpu <= ASLEEP * making.dataset:
        return True
    starved = (machine.pressure_cpu or 0.0) >= STARVED or budget.part(budget.cpu_delay) >= CPU_CONTENTION
    if machine.saturated or starved:
        return False
    return making.dataset - making.cpu >= WAITING * making.dataset


def judge(observation: Observation) -> Verdict | None:
    """Return the verdict; None where the loop hardly waits."""
    wait = _wait(observation)
    share = observation.exposed(observation.budget.part(wait))
    if share < DATA:
        return None
    making = _making(observation)
    finding, advice = _explain(observation, making, wait)
    summary = f"The training waited for data {words.percent(share)} of the time{finding}."
    return Verdict(Bottleneck.DATA, share, summary, advice, _evidence(observation, making, wait), observation.measured)


def _wait(observation: Observation) -> float:
    """Return the seconds of waiting that could be avoided."""
    budget = observation.budget
    wait = budget.seconds(Phase.FETCH) + budget.starting
    if observation.known.loader.workers and budget.epochs:
        # Workers that were started before the epoch have nothing ready yet: no setting would help that.
        wait -= budget.first_wait * (budget.epochs - budget.starts) / budget.epochs
    return max(0.0, wait)


def _making(observation: Observation) -> Making | None:
    budget = observation.budget
    if not budget.made:
        return None
    return Making(budget.dataset / budget.made, budget.dataset_cpu / budget.made, budget.collate / budget.made)


def _restarting(observation: Observation, wait: float) -> bool:
    """Return whether it is starting workers anew in each epoch that takes most of the wait."""
    budget, loader = observation.budget, observation.known.loader
    if not loader.workers or loader.persistent or not budget.starts:
        return False
    return budget.starting + budget.first_wait * budget.starts / budget.epochs >= wait / 2


def _explain(observation: Observation, making: Making | None, wait: float) -> tuple[str, str]:
    loader = observation.known.loader
    if _restarting(observation, wait):
        each = (observation.budget.starting + observation.budget.first_wait) / observation.budget.starts
        return (
            f", most of it for workers that start anew in each epoch ({words.seconds(each)} each time)",
            "persistent_workers=True: the workers live on from epoch to epoch.",
        )
    if making is None:
        return "", (
            "Raise num_workers or prefetch_factor, make decoding and augmentation cheaper, or cache; what the loader "
            "does was not timed here."
        )
    finding, cheaper = _slow_half(observation, making)
    if not loader.workers:
        return finding, _from_no_workers(observation, making, cheaper)
    return finding, _with_workers(observation, making, loader.workers, cheaper)


def _slow_half(observation: Observation, making: Making) -> tuple[str, str]:
    """Return what takes the time, and how to make it cheaper."""
    if making.collate > making.dataset:
        return (
            f": collate_fn takes {words.seconds(making.collate)} of the {words.seconds(making.whole)} of making a "
            "batch",
            "Make collate_fn cheaper: pad and stack whole arrays, and leave per-sample work to the dataset.",
        )
    if _waits(observation, making):
        return (
            f": the dataset takes {words.seconds(making.dataset)} a batch and computes in only "
            f"{words.seconds(making.cpu)} of it, so that it waits for storage or another slow source",
            "Read from a faster or local disk, from fewer and larger files, or keep samples in a cache.",
        )
    return (
        f": the dataset takes {words.seconds(making.dataset)} a batch, {words.seconds(making.cpu)} of it CPU time",
        "Make decoding and augmentation cheaper: smaller images, faster libraries, a cache of decoded samples.",
    )


def _needed(making: Making, step: float) -> int:
    return math.ceil(HEADROOM * making.whole / step) if step > 0 else MOST_WORKERS


def _possible(observation: Observation, making: Making) -> int:
    """Return how many workers could work at the same time."""
    cpus = observation.known.machine.cpus
    if _waits(observation, making) or cpus is None:
        return MOST_WORKERS
    return min(MOST_WORKERS, max(0, math.floor(cpus) - 1) or 1)


def _pace(observation: Observation) -> str:
    return f"the training needs one every {words.seconds(observation.step)}"


def _from_no_workers(observation: Observation, making: Making, cheaper: str) -> str:
    cpus = observation.known.machine.cpus
    if cpus is not None and cpus < 2 and not _waits(observation, making):
        return f"{cheaper} Workers would not help: there is no second CPU for them."
    workers = max(1, min(_needed(making, observation.step), _possible(observation, making)))
    advice = (
        f"num_workers 0 → {workers}: the training process itself makes each batch, in {words.seconds(making.whole)}; "
        f"{_pace(observation)}."
    )
    return advice if workers >= _needed(making, observation.step) else f"{advice} {cheaper}"


def _with_workers(observation: Observation, making: Making, workers: int, cheaper: str) -> str:
    delivered = making.whole / workers
    needed, possible = _needed(making, observation.step), _possible(observation, making)
    if delivered * HEADROOM < observation.step:
        prefetch = observation.known.loader.prefetch
        ahead = f" from {prefetch}" if prefetch else ""
        return (
            f"{words.count(workers, 'worker')} could deliver a batch every {words.seconds(delivered)} and "
            f"{_pace(observation)}: it is lost on the way. Raise prefetch_factor{ahead}, return few large tensors and "
            "no nested Python objects, and even out slow samples."
        )
    pace = (
        f"{words.count(workers, 'worker')} {'delivers' if workers == 1 else 'deliver'} a batch every "
        f"{words.seconds(delivered)}, {_pace(observation)}"
    )
    target = min(needed, possible)
    if target > workers:
        advice = f"num_workers {workers} → {target}: {pace}."
        return advice if target >= needed else f"{advice} {cheaper}"
    limit = (
        f" and {words.count(observation.known.machine.cpus, 'CPU')} are there" if observation.known.machine.cpus else ""
    )
    return f"{cheaper} {pace[0].upper()}{pace[1:]}{limit}: more workers would not help."


def _evidence(observation: Observation, making: Making | None, wait: float) -> tuple[Evidence, ...]:
    machine, loader = observation.known.machine, observation.known.loader
    found: list[Evidence] = []
    if making is not None:
        found += [
            Evidence(
                "dataset by batch",
                f"{words.seconds(making.dataset)}, of which CPU {words.seconds(making.cpu)}",
                f"{semconv.DATASET_SECONDS}, {semconv.DATASET_CPU_SECONDS}",
            ),
            Evidence("collate_fn by batch", words.seconds(making.collate), semconv.COLLATE_SECONDS),
        ]
    found += [
        observation.phase(Phase.FETCH),
        Evidence(
            "avoidable wait by batch", words.seconds(observation.by_batch(wait)), semconv.phase_seconds(Phase.FETCH)
        ),
    ]
    found.append(Evidence("the rest of a batch", words.seconds(observation.step), "training.phase.*.duration"))
    if loader.workers is not None:
        found.append(Evidence("workers", str(loader.workers), semconv.CONFIG_WORKERS))
    if machine.cpus is not None:
        found.append(Evidence("CPUs to use", f"{machine.cpus:g}", semconv.CONFIG_CPUS))
    if machine.read is not None and making is not None and _waits(observation, making):
        found.append(Evidence("read from devices", f"{words.size(machine.read)}/s", semconv.READ_DEVICE))
    return tuple(found)
