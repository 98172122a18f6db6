"""After SIGKILL, at whatever moment, a run's trace is closed with its cause, and nothing that was over is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.reliability.kills import Kill, kill_one, number_of_kills, table


@pytest.fixture(scope="module")
def keep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Kill], None]]:
    """Keep results, and write a table of them."""
    kills: list[Kill] = []
    yield kills.append
    path = tmp_path_factory.getbasetemp() / "kills.md"
    path.write_text(table(kills) + "\n")
    print(f"\n{table(kills)}\nkept in {path}")


@pytest.mark.parametrize("number", range(number_of_kills()))
@pytest.mark.parametrize("target", ["files", "otlp"])
def test_a_killed_training(
    tmp_path: Path,
    target: str,
    number: int,
    keep: Callable[[Kill], None],
    record_property: Callable[[str, object], None],
) -> None:
    killed = kill_one(number, target, tmp_path)
    keep(killed)
    record_property("kill", f"{killed}")
    assert not killed.problems, killed
