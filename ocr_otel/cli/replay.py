"""`ocr-otel replay`: sends a recorded run to an OTLP/HTTP receiver, and says what became of it."""

from __future__ import annotations

import shlex
import signal as signals
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocr_otel.cli.locating import run_directory, runs_directory
from ocr_otel.cli.printing import missing_extra, size, stop

if TYPE_CHECKING:
    from ocr_otel.replay import Outcome

SHOWN_LINES = 5
"""Damaged or refused lines that are named; the rest is counted."""


class SignalName(StrEnum):
    """What can be sent."""

    TRACES = "traces"
    METRICS = "metrics"
    LOGS = "logs"


def replay(
    run: Annotated[str, typer.Argument(help="Run directory, or the name of a run.")],
    endpoint: Annotated[str, typer.Option(help="Base URL of the OTLP/HTTP receiver, such as http://localhost:4318.")],
    header: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Header of each request; may be repeated.")
    ] = None,
    signal: Annotated[
        list[SignalName] | None, typer.Option(help="Send only this; may be repeated.", show_default="all")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, max=600, help="Seconds that the receiver has to answer.")] = 10.0,
    resume: Annotated[
        bool, typer.Option("--resume/--no-resume", help="Leave out what this endpoint has acknowledged before.")
    ] = True,
    runs_dir: Annotated[Path | None, typer.Option(help="Where the runs are.", show_default="OCR_OTEL_RUNS_DIR")] = None,
) -> None:
    """Send a recorded run to an OTLP/HTTP receiver.

    Such as the OpenTelemetry Collector, Jaeger, or a vendor. Of a run with an endpoint of its own, what that did not
    take is sent, and removed.

    How far it came is noted in the run directory: the same command goes on from there.
    """
    headers = _headers(header or [])
    directory = _directory(run, runs_dir)
    try:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        from ocr_otel.replay import SIGNALS, ReplayError
        from ocr_otel.replay import replay as send
    except ImportError as error:
        missing_extra("replay", error)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    try:
        with (
            Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
            _gentle_interrupt(
                lambda: console.print("Stopping behind this request; Ctrl-C again: at once.")
            ) as stopping,
        ):
            task = progress.add_task("Sending", total=None)

            def say_wait(reason: str, seconds: float) -> None:
                console.print(
                    f"{reason}: trying again in {seconds:.1f} s", style="yellow", highlight=False, soft_wrap=True
                )

            outcome = send(
                directory,
                endpoint,
                headers=headers,
                signals=[each.value for each in signal] if signal else SIGNALS,
                timeout=timeout,
                resume=resume,
                on_start=lambda done, total: progress.update(task, completed=done, total=total),
                on_progress=lambda sent: progress.advance(task, sent),
                on_wait=say_wait,
                stopping=stopping,
            )
    except ReplayError as error:
        stop(str(error), status=2)
    except KeyboardInterrupt:
        stop("interrupted. The same command goes on where this one stopped.", status=130)
    _print(outcome, directory, endpoint, bool(headers))
    raise typer.Exit(0 if outcome.complete else 130 if stopping.is_set() else 1)


def _directory(run: str, runs_dir: Path | None) -> Path:
    from ocr_otel.spool import spools

    # A run with an endpoint of its own has no files by which it is known for a run, but what waits.
    if Path(run).name == run and not Path(run).exists():
        named = runs_directory(runs_dir) / run
        if any(spools(folder) for folder in (named, *named.glob("rank-*"))):
            return named
    return run_directory(run, runs_dir)


@contextmanager
def _gentle_interrupt(say: Callable[[], object]) -> Iterator[threading.Event]:
    """Let the first Ctrl-C wait for the answer to the request under way, which would else be sent twice."""
    stopping = threading.Event()

    def on_interrupt(number: int, frame: object) -> None:
        if stopping.is_set():
            raise KeyboardInterrupt
        stopping.set()
        say()

    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return
    before = signals.signal(signals.SIGINT, on_interrupt)
    try:
        yield stopping
    finally:
        signals.signal(signals.SIGINT, before)


def _headers(given: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for number, each in enumerate(given, 1):
        name, separator, value = each.partition("=")
        if not separator or not name.strip():
            # It may be a secret that lost its name: it is not repeated here.
            stop(f"--header number {number} is not of the form KEY=VALUE", status=2)
        headers[name.strip()] = value.strip()
    return headers


def _print(outcome: Outcome, directory: Path, endpoint: str, with_headers: bool) -> None:
    from ocr_otel.replay import without_credentials
    from ocr_otel.replay.lines import ITEMS

    said = sys.stdout if outcome.complete else sys.stderr

    def say(text: str) -> None:
        print(text, file=said)

    sent = [f"{number:,} {ITEMS[signal]}" for signal, number in outcome.sent.items() if number]
    requests = f"{outcome.requests} request{'s' * (outcome.requests != 1)}"
    if sent:
        say(f"Sent {' and '.join(_joined(sent))} of {directory} to {outcome.endpoint} in {requests}.")
    elif outcome.complete and not outcome.in_use:
        say(f"Nothing to send: {outcome.endpoint} has acknowledged all of {directory}. --no-resume sends it again.")
    if outcome.resumed and sent:
        say(f"{size(outcome.resumed)} had been sent before and were left out.")
    for signal, number in outcome.rejected.items():
        if number:
            say(f"The receiver did not keep {number:,} {ITEMS[signal]}.")
    for name in outcome.in_use:
        say(f"{name} was left alone: the run, or what delivers for it, sends from there.")
    for remark, times in outcome.remarks.items():
        say(f"The receiver remarks{f' ({times} times)' * (times > 1)}: {remark}")
    for each in outcome.damaged[:SHOWN_LINES]:
        say(f"Skipped {each.name} line {each.line}: {each.reason}.")
    if len(outcome.damaged) > SHOWN_LINES:
        say(f"Skipped {len(outcome.damaged) - SHOWN_LINES} more damaged lines.")
    for where, reason in outcome.refused[:SHOWN_LINES]:
        say(f"Refused: {where}: {reason}.")
    if len(outcome.refused) > SHOWN_LINES:
        say(f"Refused: {len(outcome.refused) - SHOWN_LINES} more lines.")
    for signal, answer in outcome.not_taken.items():
        others = " ".join(f"--signal {name.value}" for name in SignalName if outcome.sent[name.value])
        advice = (
            f"leave them out with {others}" if others else "is the --endpoint the base URL of an OTLP/HTTP receiver?"
        )
        say(f"The receiver has no place for {signal} ({answer}): {advice}")
    if outcome.stopped:
        say(f"ocr-otel: stopped: {outcome.stopped}.")
        again = f"ocr-otel replay {shlex.quote(str(directory))} --endpoint {shlex.quote(without_credentials(endpoint))}"
        again += " --header ..." if with_headers else ""
        if outcome.state_problem:
            say(f"{size(outcome.left)} are left. {outcome.state_problem}: a further replay begins anew.")
        else:
            say(f"{size(outcome.left)} are left. Go on with: {again}")
    elif outcome.state_problem:
        say(f"{outcome.state_problem}: a further replay would send everything again.")


def _joined(parts: list[str]) -> list[str]:
    return [", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts
