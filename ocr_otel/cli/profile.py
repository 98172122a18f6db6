"""`ocr-otel profile`: asks a running training for a window of the profiler, and prints what it shows."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ocr_otel.cli.printing import stop
from ocr_otel.cli.running import RunningRun, running_run

if TYPE_CHECKING:
    from ocr_otel.profiling.requests import Progress, Standing

ALL: Final = "all"
MAX_BATCHES: Final = 100
_OTHER_HOSTS_SECONDS: Final = 60.0
"""What a person needs to type the command on another host."""
_LOOK_SECONDS: Final = 1.0
"""How long a training is looked on that cannot say yet how long a batch takes."""
_NAMED: Final = 8
"""Ranks on other hosts that are named."""


def profile(
    run: Annotated[
        str | None,
        typer.Argument(help="Run directory, or the id of a run.", show_default="the run that was started last"),
    ] = None,
    batches: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_BATCHES, help="Batches to record.", show_default="OCR_OTEL_PROFILE_BATCHES"),
    ] = None,
    rank: Annotated[
        str, typer.Option(help="Rank that is asked; `all` opens windows on all ranks of this host at the same step.")
    ] = "0",
    at_step: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Training batches since the start of `fit` after which the window opens, such as on several hosts.",
            show_default="at the end of the batch that runs",
        ),
    ] = None,
    runs_dir: Annotated[Path | None, typer.Option(help="Where the runs are.", show_default="OCR_OTEL_RUNS_DIR")] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds without news from the training after which it is given up.")
    ] = 120.0,
) -> None:
    """Profile some batches of a running training.

    They are recorded with torch.profiler, and the verdict is printed. The training goes on meanwhile, also where this
    command is interrupted.
    """
    wanted = _rank(rank)
    found = running_run(run, runs_dir)
    ranks = sorted(found.here) if wanted is None else [_present(wanted, found)]
    try:
        results = _ask(found, ranks, batches, at_step, together=wanted is None, timeout=timeout)
    except KeyboardInterrupt:
        stop("interrupted. The training is not touched: if the window was asked for it opens all the same.", 130)
    for each in sorted(results):
        _print(each, results[each], len(results) > 1)
    raise typer.Exit(0 if all(_done(each) for each in results.values()) else 1)


def _done(progress: Progress) -> bool:
    from ocr_otel.profiling.requests import State

    return progress.state is State.DONE


def _rank(given: str) -> int | None:
    if given == ALL:
        return None
    if not (given.isascii() and given.isdecimal()):
        stop(f"--rank {given!r} is not allowed: the number of a rank, from 0 on, or {ALL}", status=2)
    return int(given)


def _present(rank: int, found: RunningRun) -> int:
    if rank in found.hosts and rank not in found.here:
        stop(f"rank {rank} of run {found.run_id} runs on {found.hosts[rank]}: call the command there")
    size = next(iter(found.here.values())).standing.world_size
    if rank >= size:
        has = "only rank 0" if size == 1 else f"the ranks 0 to {size - 1}"
        stop(f"--rank {rank} is not allowed: run {found.run_id} has {has}", status=2)
    if rank not in found.here:
        here = ", ".join(str(each) for each in sorted(found.here))
        stop(f"rank {rank} of run {found.run_id} takes no requests on this host; those that do: {here}")
    return rank


def _ask(
    found: RunningRun, ranks: list[int], batches: int | None, at_step: int | None, together: bool, timeout: float
) -> dict[int, Progress]:
    from rich.console import Console

    from ocr_otel.cli.following import show
    from ocr_otel.profiling.control import client
    from ocr_otel.profiling.requests import Request

    console = Console(stderr=True)
    console.print(f"Run {found.run_id}", markup=False, highlight=False)
    try:
        standings = _standings(found, ranks)
        _check_entry(found.run_id, standings[ranks[0]], len(ranks) > 1 or at_step is not None)
        if together and at_step is None and len(standings) < max(each.world_size for each in standings.values()):
            _name_others(found, standings)
        if together and at_step is None and len(ranks) > 1:
            at_step = _meeting_step(found, standings)
        with ExitStack() as calls:
            asked = {
                rank: calls.enter_context(client.ask(found.here[rank].socket, Request(batches, at_step)))
                for rank in ranks
            }
            return show(asked, timeout + _until(at_step, standings[ranks[0]]), at_step, console)
    except client.Silence as error:
        stop(f"{error}. {_why_silent(found, standings, timeout)}")
    except client.ControlError as error:
        stop(f"run {found.run_id}: {error}")


def _check_entry(run_id: str, standing: Standing, counts_steps: bool) -> None:
    if counts_steps and standing.entry not in ("", "fit"):
        stop(
            f"run {run_id} is in `{standing.entry}`, which has no training batches to count: ask one --rank, without "
            "--at-step"
        )


def _until(at_step: int | None, standing: Standing) -> float:
    """Return how long it may take until a step, generously; 0 where it cannot be known."""
    return 2 * max(0, at_step - standing.steps) * standing.batch_seconds if at_step is not None else 0.0


def _standings(found: RunningRun, ranks: Collection[int]) -> dict[int, Standing]:
    from ocr_otel.profiling.control import client

    return {rank: client.standing(found.here[rank].socket) for rank in ranks}


def _meeting_step(found: RunningRun, before: Mapping[int, Standing], reach_seconds: float | None = None) -> int:
    from ocr_otel.profiling.control import meeting

    batch_seconds = meeting.known_batch_seconds(before.values())
    if batch_seconds is None:
        time.sleep(_LOOK_SECONDS)
    began = time.monotonic()
    now = _standings(found, before)
    asking = time.monotonic() - began
    if batch_seconds is None:
        batch_seconds = meeting.observed_batch_seconds(before.values(), now.values(), _LOOK_SECONDS)
    return meeting.common_step(now.values(), batch_seconds, asking, reach_seconds or meeting.REACH_SECONDS)


def _name_others(found: RunningRun, standings: Mapping[int, Standing]) -> None:
    size = max(each.world_size for each in standings.values())
    others = [rank for rank in range(size) if rank not in standings]
    named = ", ".join(f"{rank} ({found.hosts[rank]})" if rank in found.hosts else str(rank) for rank in others[:_NAMED])
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    later = _meeting_step(found, standings, _OTHER_HOSTS_SECONDS)
    typer.echo(
        f"Not on this host: rank {named}{more}. To open all windows at the same step, call it on each host with the "
        f"same step: ocr-otel profile {found.run_id} --rank all --at-step {later}",
        err=True,
    )


def _why_silent(found: RunningRun, before: dict[int, Standing], timeout: float) -> str:
    from ocr_otel.profiling.control import client

    rank, then = next(iter(before.items()))
    try:
        now = client.standing(found.here[rank].socket)
    except client.NobodyListens:
        return "It has ended, or was killed."
    except client.ControlError:
        return "Its process does not even answer where it is: it is stopped, or code without end holds the interpreter."
    if now.batch_seconds > timeout:
        return f"A batch takes {now.batch_seconds:.1f} s: give it more with --timeout. The window opens all the same."
    if now.steps == then.steps:
        return (
            f"It is still at step {now.steps}: it hangs in a batch, or does something between two, such as a "
            "checkpoint. The window opens when it goes on."
        )
    return f"It went on from step {then.steps} to {now.steps}; its trace may take long to read."


def _print(rank: int, progress: Progress, several: bool) -> None:
    from ocr_otel import semconv
    from ocr_otel.profiling.requests import State

    of = f"Rank {rank}: " if several else ""
    if not _done(progress):
        refused = "refuses" if progress.state is State.REFUSED else "has no window to show"
        trace = f" The trace is {progress.trace}" if progress.trace else ""
        typer.echo(f"ocr-otel: {of}the training {refused}: {progress.message}.{trace}", err=True)
        return
    verdict = progress.verdict or {}
    summary = verdict.get(semconv.BOTTLENECK_SUMMARY)
    typer.echo(f"{of}{_headline(verdict) if summary else 'The window shows too little for a verdict.'}")
    if summary:
        typer.echo(f"  {summary}")
    for each in verdict.get(semconv.BOTTLENECK_EVIDENCE, ()):
        typer.echo(f"  - {each}")
    if verdict.get(semconv.BOTTLENECK_ADVICE):
        typer.echo(f"  Try: {verdict[semconv.BOTTLENECK_ADVICE]}")
    typer.echo(f"  Trace of {progress.batches} batches: {progress.trace}")
    typer.echo(f"  Open it in https://ui.perfetto.dev, or read it with: ocr-otel analyze {progress.trace}")


def _headline(verdict: dict[str, object]) -> str:
    from ocr_otel import semconv

    parts = [f"Bottleneck: {verdict.get(semconv.BOTTLENECK_KIND)}"]
    share, speedup = verdict.get(semconv.BOTTLENECK_SHARE), verdict.get(semconv.BOTTLENECK_SPEEDUP)
    confidence = verdict.get(semconv.BOTTLENECK_CONFIDENCE)
    if isinstance(share, (int, float)):
        parts.append(f"{share:.0%} of the time")
    if isinstance(speedup, (int, float)):
        parts.append(f"without it at most {speedup:.1f} times as fast")
    if confidence:
        parts.append(f"confidence {confidence}")
    return ", ".join(parts)
