"""`cpu_contention`: more threads want the CPUs than there are, or a quota holds them back."""

from __future__ import annotations

from typing import Final

from ocr_otel import semconv
from ocr_otel.diagnosis import words
from ocr_otel.diagnosis.observation import Observation
from ocr_otel.diagnosis.thresholds import CPU_CONTENTION, CPU_CONTENTION_BY_OTHERS
from ocr_otel.diagnosis.verdict import Evidence, Verdict
from ocr_otel.semconv import Bottleneck, Confidence

OTHERS: Final = (
    "other processes, or threads of other libraries, keep the CPUs busy",
    "Look at what else runs on the machine, and pin the training to CPUs of its own.",
)
"""What is said where the training's own threads are not too many."""
OWN: Final = 0.7
"""Share of the CPUs that the training must itself keep busy, or others have what it misses."""


def judge(observation: Observation) -> Verdict | None:
    """Return the verdict; None where the training got the CPUs that it asked for."""
    budget, machine = observation.budget, observation.known.machine
    delayed = budget.part(budget.cpu_delay)
    held_back = _held_back(observation)
    share = observation.exposed(max(delayed, held_back))
    if share < CPU_CONTENTION:
        return None
    if held_back >= delayed / 2:
        why, advice = _quota(observation)
    else:
        why, advice = _own_threads(observation) or OTHERS
    if (why, advice) == OTHERS and share < CPU_CONTENTION_BY_OTHERS:
        return None
    evidence = [
        Evidence(
            "the training could run and had no CPU",
            f"{words.seconds(budget.cpu_delay)} of {words.seconds(budget.wall)}",
            semconv.CPU_DELAY_SECONDS,
        )
    ]
    for name, value, source in (
        ("CPUs held back by the quota", machine.held_back, semconv.CPU_HELD_BACK),
        ("CPUs to use", machine.cpus, semconv.CONFIG_CPUS),
        ("threads of PyTorch", machine.threads, semconv.CONFIG_THREADS),
        ("workers", observation.known.loader.workers, semconv.CONFIG_WORKERS),
        ("CPUs that the training process kept busy", machine.main_cpu, semconv.MAIN_CPU),
        ("CPUs that workers kept busy", machine.workers_cpu, semconv.WORKERS_CPU),
    ):
        if value is not None:
            evidence.append(Evidence(name, f"{value:.3g}", source))
    if machine.pressure_cpu is not None:
        waited = words.percent(machine.pressure_cpu)
        evidence.append(Evidence("time in which some task waited for a CPU", waited, semconv.PRESSURE_CPU))
    return Verdict(
        Bottleneck.CPU_CONTENTION,
        share,
        f"For {words.percent(share)} of the time the training could have run and had no CPU: {why}.",
        advice,
        tuple(evidence),
        observation.measured if delayed >= held_back else Confidence.MEDIUM,
    )


def _held_back(observation: Observation) -> float:
    """Return the share of the CPU time asked for that a quota did not give."""
    machine = observation.known.machine
    if not machine.held_back:
        return 0.0
    asked = (machine.main_cpu or 0.0) + (machine.workers_cpu or 0.0) + machine.held_back
    return machine.held_back / asked


def _quota(observation: Observation) -> tuple[str, str]:
    cpus = observation.known.machine.cpus
    limit = f" of {words.count(cpus, 'CPU')}" if cpus is not None else ""
    return (
        f"the container's quota{limit} held it back",
        f"Ask for more CPUs, or want fewer: OMP_NUM_THREADS={_fitting(observation)}, and fewer workers.",
    )


def by_others(verdict: Verdict) -> bool:
    """Return whether a verdict is about what others do on the machine, and not about the training."""
    return verdict.kind is Bottleneck.CPU_CONTENTION and verdict.advice == OTHERS[1]


def _own_threads(observation: Observation) -> tuple[str, str] | None:
    """Return which of the training's own threads and processes are too many; None where they are not."""
    machine, workers = observation.known.machine, observation.known.loader.workers or 0
    cpus, threads = machine.cpus, machine.threads
    if cpus is not None and threads is not None and threads > cpus:
        return (
            f"PyTorch uses {words.count(threads, 'thread')} on {words.count(cpus, 'CPU')}",
            f"OMP_NUM_THREADS {threads} → {_fitting(observation)} (or torch.set_num_threads).",
        )
    if cpus is not None and workers and workers + (threads or 1) > cpus and _own_load(observation) >= OWN:
        fewer = max(1, int(cpus) - 1)
        return (
            f"{words.count(workers, 'worker')} and {words.count(threads or 1, 'thread')} of PyTorch share "
            f"{words.count(cpus, 'CPU')}",
            (f"num_workers {workers} → {fewer}, " if fewer < workers else "")
            + f"OMP_NUM_THREADS={max(1, int(cpus) - min(fewer, workers))}, and one thread in each worker.",
        )
    return None


def _own_load(observation: Observation) -> float:
    """Return the share of the CPUs that the training itself kept busy; 1 where it is not known."""
    machine = observation.known.machine
    if machine.cpus is None or machine.main_cpu is None:
        return 1.0
    return (machine.main_cpu + (machine.workers_cpu or 0.0)) / machine.cpus


def _fitting(observation: Observation) -> int:
    cpus = observation.known.machine.cpus
    return max(1, int(cpus)) if cpus is not None else 1
