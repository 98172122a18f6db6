"""Which running training a command means, and in one sentence why there is none."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from ocr_otel.cli.locating import runs_directory
from ocr_otel.cli.printing import stop

if TYPE_CHECKING:
    from ocr_otel.profiling.control.card import Card
    from ocr_otel.profiling.control.finding import Listening, Training

_NAMED: Final = 5
"""Runs that are named when the one asked for is not there."""


@dataclass(slots=True)
class RunningRun:
    """A run that can be asked.

    Attributes:
        run_id: Its id.
        here: Its ranks on this host.
        hosts: Hosts of its ranks elsewhere, as far as they are known.
    """

    run_id: str
    here: dict[int, Training] = field(default_factory=dict)
    hosts: dict[int, str] = field(default_factory=dict)


def running_run(run: str | None, runs_dir: Path | None) -> RunningRun:
    """Return the run that is meant.

    Args:
        run: A run directory or the id of a run; None for the one that was started last.
        runs_dir: Where run directories are looked for.

    Raises:
        typer.Exit: It does not run here; it is said why.
    """
    from ocr_otel.profiling.control import finding

    base = runs_directory(runs_dir)
    try:
        if run is None:
            # With a directory named, a run elsewhere is not what is meant.
            found = finding.listening() if runs_dir is None else finding.Listening((), ())
            run, directory = _newest(found, base)
        else:
            directory = _directory(run, base)
        if directory is not None:
            return _of_directory(directory)
        return _of_id(run, finding.listening(), base)
    except PermissionError as error:
        stop(f"{error.filename} may not be read: it belongs to the user {_owner(Path(error.filename))}")


def _directory(run: str, base: Path) -> Path | None:
    inside = base / run
    return Path(run) if Path(run).is_dir() else inside if Path(run).name == run and inside.is_dir() else None


def _newest(found: Listening, base: Path) -> tuple[str, Path | None]:
    from ocr_otel.profiling.control import finding
    from ocr_otel.profiling.control.card import Presence, presence

    candidates: list[tuple[int, str, Path | None]] = [
        (each.started, each.standing.run_id, None) for each in found.trainings
    ]
    directories = [each for each in base.iterdir() if each.is_dir()] if base.is_dir() else []
    for directory in directories:
        if not os.access(directory, os.R_OK | os.X_OK):
            continue
        cards = [card for _, card in finding.cards_in(directory)]
        candidates += [(card.started, card.run_id, directory) for card in cards if presence(card) is Presence.HERE]
    if not candidates:
        reasons = "".join(f" {each[0].upper()}{each[1:]}." for each in found.problems)
        stop(f"no training that takes requests runs here, as far as {base} and the sockets of this user tell.{reasons}")
    # The same training may be there twice: what its directory says is more.
    _, run_id, directory_of_it = max(candidates, key=lambda each: (each[0], each[2] is not None))
    return run_id, directory_of_it


def _of_id(run: str, found: Listening, base: Path) -> RunningRun:
    ranks = {each.standing.rank: each for each in found.trainings if each.standing.run_id == run}
    if not ranks:
        _unknown(run, found, base)
    return RunningRun(run, ranks)


def _unknown(run: str, found: Listening, base: Path) -> NoReturn:
    ids = sorted({each.standing.run_id for each in found.trainings})
    recorded = sorted((each.name for each in base.iterdir() if each.is_dir()), reverse=True) if base.is_dir() else []
    problems = "".join(f" {each[0].upper()}{each[1:]}." for each in found.problems)
    stop(
        f"there is no run {run!r}: it is neither a directory, nor in {base}, nor does it run here. "
        f"Running here: {_some(ids)}. In {base}: {_some(recorded)}.{problems}"
    )


def _of_directory(directory: Path) -> RunningRun:
    from ocr_otel.profiling.control import card as cards
    from ocr_otel.profiling.control import finding
    from ocr_otel.profiling.control.card import Presence

    left = finding.cards_in(directory)
    if not left:
        return _without_card(directory)
    run = RunningRun(left[0][1].run_id)
    gone: list[Card] = []
    for part, card in left:
        uid = cards.owner(part)
        if os.geteuid() not in (uid, 0):
            stop(f"run {run.run_id} belongs to the user {_user(uid)}: only they, or root, may ask it")
        where = cards.presence(card)
        if where is Presence.GONE:
            gone.append(card)
        elif where is Presence.ELSEWHERE:
            run.hosts[card.rank] = card.machine.host
        else:
            training = _asked(card, seen=where is Presence.HERE)
            if training is None:
                run.hosts[card.rank] = f"{card.machine.host} (a container)"
            else:
                run.here[card.rank] = training
    if not run.here and not run.hosts:
        _ended(directory, run.run_id, gone[0])
    if not run.here:
        hosts = ", ".join(dict.fromkeys(run.hosts.values()))
        stop(f"run {run.run_id} runs on {hosts}, and this is {_here()}: call the command there")
    return run


def _asked(card: Card, seen: bool) -> Training | None:
    from ocr_otel.profiling.control import client, places
    from ocr_otel.profiling.control.finding import Training
    from ocr_otel.profiling.control.protocol import PROTOCOL

    if card.protocol != PROTOCOL:
        stop(
            f"run {card.run_id} speaks version {card.protocol} of the protocol (ocr_otel {card.version}) and this "
            f"command version {PROTOCOL}: call the command of the training's environment"
        )
    path = Path(card.socket)
    try:
        if not places.is_place(path):
            # A card of somebody else's run directory leads to a socket of a training, or nowhere.
            raise client.NobodyListens(f"{path} is no socket of a training")
        return Training(path, card.started, client.standing(path))
    except client.NobodyListens:
        if not seen:
            return None
        stop(
            f"run {card.run_id} runs here (process {card.pid}), but its socket {card.socket} cannot be seen: the "
            "training has a /tmp of its own (a job or container); call the command inside of it"
        )
    except client.ControlError as error:
        stop(f"run {card.run_id}: {error}")


def _without_card(directory: Path) -> RunningRun:
    from ocr_otel.profiling.control import finding

    run_id = directory.resolve().name
    _stop_if_over(directory, run_id)
    # It may have found no room for its card.
    ranks = {each.standing.rank: each for each in finding.listening().trainings if each.standing.run_id == run_id}
    if not ranks:
        stop(
            f"run {run_id} takes no requests: it was killed, or OCR_OTEL_PROFILE of its training is without on-demand."
            f"{_what_it_left(directory)}"
        )
    return RunningRun(run_id, ranks)


def _ended(directory: Path, run_id: str, card: Card) -> NoReturn:
    _stop_if_over(directory, run_id)
    stop(
        f"run {run_id} runs no more: its process {card.pid} on {card.machine.host} was killed or ended without a word."
        f"{_what_it_left(directory)}"
    )


def _stop_if_over(directory: Path, run_id: str) -> None:
    from ocr_otel import semconv
    from ocr_otel.runs import RunError, RunReader

    try:
        entries = RunReader(directory).read(final=True).entries
    except RunError as error:
        stop(str(error))
    root = entries[-1].root if entries else None
    if root is None:
        return
    outcome = root.text(semconv.OUTCOME) or "outcome unknown"
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(root.end / 1e9))
    stop(f"run {run_id} is over: its {root.name} ended at {at} ({outcome}).{_what_it_left(directory)}")


def _what_it_left(directory: Path) -> str:
    from ocr_otel.profiling.windows.files import DIRECTORY, TRACE_SUFFIX

    if any(directory.glob(f"**/{DIRECTORY}/*{TRACE_SUFFIX}")):
        return f" The traces of its windows are read by: ocr-otel analyze {directory}"
    return " It left no trace of a window."


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "") if names else "none"


def _here() -> str:
    from ocr_otel.profiling.control.machine import this_machine

    return this_machine().host


def _user(uid: int) -> str:
    from ocr_otel.profiling.control.places import user_name

    return user_name(uid)


def _owner(path: Path) -> str:
    for each in (path, *path.parents):
        try:
            return _user(each.stat().st_uid)
        except OSError:
            continue
    return "unknown"
