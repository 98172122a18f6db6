"""Runs Lightning's own tests without and with ocr_otel: `python -m tests.lightning_suite [paths...]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tests.lightning_suite.comparing import Judged, Results, differing, judge, passed, read_exceptions
from tests.lightning_suite.running import DiedError, Suite
from tests.lightning_suite.source import REPOSITORY, cache, fetch, make_environment, tag_for

FOLDERS: Final = ("callbacks", "loops", "profilers", "trainer")
_COLUMNS: Final = ("tests of", "passed without", "passed with", "recorded", "different", "seconds without", "with")


def main() -> int:
    """Do it.

    Returns:
        1 where a test passes without ocr_otel and not with it, and has no reason to; else 0.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="*", default=FOLDERS, help="folders, files or ids below tests/tests_pytorch")
    parser.add_argument("--source", default=REPOSITORY, help="git URL or folder of Lightning's repository")
    parser.add_argument("--tag", help="by default that of the installed version, or the nearest before it")
    options = parser.parse_args()
    tag = options.tag or tag_for(options.source)
    commit = fetch(options.source, tag, cache() / tag / "repository")
    print(f"lightning {version('lightning')}, torch {version('torch')}; tests of {tag}, commit {commit}", flush=True)
    results = cache() / tag / "results"
    results.mkdir(parents=True, exist_ok=True)
    python = make_environment(cache() / "environment")
    with tempfile.TemporaryDirectory(prefix="ocr-otel-lightning-") as scratch:
        suite = Suite(python, cache() / tag / "repository", results, Path(scratch))
        try:
            return _compare(suite, options.paths)
        except DiedError as error:
            print(error, file=sys.stderr)
            return 1


def _compare(suite: Suite, paths: Sequence[str]) -> int:
    without: dict[str, Results] = {}
    beside: dict[str, Results] = {}
    print(_row(_COLUMNS), _row(["---"] * len(_COLUMNS)), sep="\n", flush=True)
    for path in paths:
        name = "".join(letter if letter.isalnum() else "-" for letter in path)
        without[path] = suite.run(name, [path], recorded=False)
        beside[path] = suite.run(name, [path], recorded=True)
        print(_row(_figures(path, without[path], beside[path])), flush=True)
    alone, recorded = _all(without), _all(beside)
    first = differing(alone, recorded)
    second: tuple[str, ...] = ()
    again: Mapping[str, Results] = {}
    if first:
        # Some tests measure times, and some meet ports that are taken: what differs has a second chance, both ways.
        again = {way: suite.run("again", first, recorded=way == "with") for way in ("without", "with")}
        second = differing(again["without"], again["with"])
    judged = judge(first, second, read_exceptions(), passed(alone))
    _tell(judged, recorded, again.get("with", {}))
    if not any(result.entries for result in recorded.values()):
        print("no training was recorded in the run with ocr_otel: nothing was compared", file=sys.stderr)
        return 1
    return 1 if judged.broken else 0


def _all(results: Mapping[str, Results]) -> Results:
    return {test: result for each in results.values() for test, result in each.items()}


def _figures(path: str, without: Results, beside: Results) -> list[str]:
    return [
        path,
        str(len(passed(without))),
        str(len(passed(beside))),
        str(sum(result.entries > 0 for result in beside.values())),
        str(len(differing(without, beside))),
        *(f"{sum(result.seconds for result in results.values()):.0f}" for results in (without, beside)),
    ]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _tell(judged: Judged, recorded: Results, again: Results) -> None:
    for test in judged.flaky:
        print(f"did not differ again: {test}: {recorded[test].message if test in recorded else 'it was not run'}")
    for test, reason in judged.justified.items():
        print(f"differs with a reason: {test}: {reason}")
    for test in judged.broken:
        print(f"DIFFERENT: {test}: {again[test].message if test in again else 'it was not run'}")
    for name in judged.needless:
        print(f"an exception that is needed no more: {name}")
    for test, result in recorded.items():
        if result.said:
            print(f"ocr_otel warned in {test}: {result.said}")


if __name__ == "__main__":
    sys.exit(main())
