"""A process is known by its number and when it began."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil

from ocr_otel.profiling.control import card as cards
from ocr_otel.profiling.control.card import Presence
from ocr_otel.profiling.control.machine import started, this_machine


def test_start_of_a_process_is_the_one_that_psutil_reads() -> None:
    ticks = started(os.getpid())
    assert ticks is not None
    began = psutil.boot_time() + ticks / os.sysconf("SC_CLK_TCK")
    assert abs(began - psutil.Process().create_time()) < 1.5


def test_process_that_is_over_has_no_start_even_before_it_is_waited_for() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert started(process.pid) is None
    process.wait()
    assert started(process.pid) is None


def test_presence_of_a_card(tmp_path: Path) -> None:
    card = cards.of_this_process(1, "1.0", "run", 0, tmp_path / "x.sock")
    here = this_machine()
    assert cards.presence(card) is Presence.HERE
    assert cards.presence(replace(card, started=card.started + 1)) is Presence.GONE
    rebooted = replace(card, machine=replace(here, boot="before"))
    assert cards.presence(rebooted) is Presence.GONE
    elsewhere = replace(card, machine=replace(here, boot="other", host="n42"))
    assert cards.presence(elsewhere) is Presence.ELSEWHERE
    container = replace(card, machine=replace(here, pids="pid:[1]"))
    assert cards.presence(container) is Presence.MAYBE


def test_card_of_a_later_training_is_not_removed(tmp_path: Path) -> None:
    mine = cards.of_this_process(1, "1.0", "run", 0, tmp_path / "x.sock")
    later = replace(mine, started=mine.started + 5)
    cards.write(mine, tmp_path)
    cards.write(later, tmp_path)
    cards.remove(mine, tmp_path)
    assert cards.read(tmp_path) == later
    cards.remove(later, tmp_path)
    assert not list(tmp_path.iterdir())


def test_damaged_card_is_none(tmp_path: Path) -> None:
    for content in (b"", b"{", b"[]", b'{"pid": "x"}', b"\xff", b"[" * 60_000):
        (tmp_path / cards.CARD).write_bytes(content)
        assert cards.read(tmp_path) is None
