"""What a build does when Go is as it should be, missing, too old, cut off from the network, or interrupted."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ocr_otel.stack import BINARIES, StackError, build, cached, configuration_directory

CONFIGURATION = configuration_directory()
AMTOOL = BINARIES["amtool"]

FAKE_GO = """#!/bin/sh
echo "$@" >> "$GO_CALLS"
test "$1" = list && {{ printf 'a\\nb\\nc\\n'; exit 0; }}
while test "$1" != -o; do shift; done
{body}
"""


@pytest.fixture
def go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Put a `go` of our own on the PATH; its body sees the output path as $2."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("GO_CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def install(body: str) -> Path:
        path = folder / "go"
        path.write_text(FAKE_GO.format(body=body))
        path.chmod(0o755)
        return tmp_path / "calls"

    return install


def leftovers(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.parent.iterdir() if path.name != "lock")


def test_second_build_finds_the_first(go) -> None:
    calls = go("echo program > $2; chmod +x $2; echo github.com/one >&2")
    path = build(AMTOOL, CONFIGURATION)
    assert path == cached(AMTOOL, CONFIGURATION)
    assert path.stat().st_mode & stat.S_IXUSR
    done = calls.read_text()
    assert done.count("build -v") == 1
    assert "-mod=readonly" in done
    assert build(AMTOOL, CONFIGURATION) == path
    assert calls.read_text() == done


def test_progress_counts_packages_and_not_downloads(go) -> None:
    go("printf 'go: downloading x v1\\nexample.com/a\\nexample.com/b\\n' >&2; touch $2")
    seen: list[tuple[int, int]] = []
    build(AMTOOL, CONFIGURATION, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3)]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            "go: go.mod requires go >= 1.26.7 (running go 1.22.1; GOTOOLCHAIN=local)",
            r"Go 1\.22\.1 is too old, 1\.26\.7",
        ),
        (
            "x: dial tcp: lookup proxy on [::1]:53: connection refused",
            "the Go modules cannot be fetched: is the network",
        ),
        ("verifying x@v1: checksum mismatch", "not the one that go.sum pins"),
        ("write /tmp/x: no space left on device", "the disk is full"),
        ("x.go:3:1: undefined: y", r"failed:\n.*undefined: y"),
    ],
)
def test_failed_build_says_why_and_leaves_nothing(go, said: str, words: str) -> None:
    go(f"echo '{said}' >&2; echo half > $2; exit 1")
    with pytest.raises(StackError, match=words) as caught:
        build(AMTOOL, CONFIGURATION)
    assert said in str(caught.value)
    assert "amtool v0." in str(caught.value)
    assert leftovers(cached(AMTOOL, CONFIGURATION)) == []


def test_without_go_a_person_is_told_where_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(StackError, match=r"built with Go, which is not installed: https://go\.dev/dl"):
        build(AMTOOL, CONFIGURATION)


def test_cache_that_cannot_be_written_is_named(go, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    go("touch $2")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(StackError, match=r"cannot write to the cache .*XDG_CACHE_HOME moves it"):
        build(AMTOOL, CONFIGURATION)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_build_leaves_no_program_and_the_next_one_succeeds(go, tmp_path: Path, how: int) -> None:
    go("echo half > $2; touch $GO_CALLS.begun; exec sleep 30")
    code = (
        "from ocr_otel.stack import *; build(BINARIES['amtool'], configuration_directory(), lambda done, total: None)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    began = time.monotonic()
    while not (tmp_path / "calls.begun").exists():
        assert time.monotonic() - began < 20
        time.sleep(0.02)
    process.send_signal(how)
    process.wait(10)
    target = cached(AMTOOL, CONFIGURATION)
    assert not target.exists()
    go("echo whole > $2")
    assert build(AMTOOL, CONFIGURATION).read_text() == "whole\n"
    assert leftovers(target) == [target.parent.name]


def test_two_builds_at_once_compile_once(go) -> None:
    calls = go("sleep 0.3; echo program > $2")
    threads = [threading.Thread(target=build, args=(AMTOOL, CONFIGURATION)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls.read_text().count("build -v") == 1


def test_the_users_flags_and_workspace_do_not_reach_the_build(go, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOFLAGS", "-mod=vendor")
    monkeypatch.setenv("GOWORK", "/somewhere/go.work")
    go('echo "flags=$GOFLAGS work=$GOWORK cgo=$CGO_ENABLED" > $2')
    assert build(AMTOOL, CONFIGURATION).read_text() == "flags= work=off cgo=0\n"
    assert os.environ["GOWORK"] == "/somewhere/go.work"
