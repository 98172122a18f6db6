"""What a process says of itself: no command line, no secret, and a commit that is one."""

from __future__ import annotations

from pathlib import Path

import pytest
from opentelemetry.sdk.resources import Resource

from ocr_otel import semconv
from ocr_otel.redaction import REDACTED
from ocr_otel.telemetry import RunIdentity
from ocr_otel.telemetry.resource import describe_process

COMMIT = "0123456789abcdef" * 2 + "01234567"


def described(monkeypatch: pytest.MonkeyPatch, attributes: str = "", detectors: str = "otel") -> dict[str, object]:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", attributes)
    monkeypatch.setenv("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", detectors)
    return dict(describe_process(RunIdentity("run")).attributes)


def test_the_command_line_stays_whichever_detector_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = described(monkeypatch, detectors="process,os,otel")
    assert found["process.pid"]
    assert [name for name in found if name.startswith(("process.command", "process.executable.path"))] == []


def test_attributes_of_the_user_go_before_ours_and_lose_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    found = described(
        monkeypatch, "service.name=reader,team.api_key=abcdef,store=https://me:pa55@store.example,host.name=cell-3"
    )
    assert (found["service.name"], found["host.name"]) == ("reader", "cell-3")
    assert found["team.api_key"] == REDACTED
    assert found["store"] == f"https://{REDACTED}@store.example"
    assert found[semconv.RUN_ID] == "run"


def test_it_is_equal_to_one_of_the_sdk_and_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = describe_process(RunIdentity("run"))
    same = Resource(found.attributes, found.schema_url)
    assert found == same
    assert same == found
    assert hash(found) == hash(same)

    def hashed_again(*_: object, **__: object) -> str:
        raise AssertionError("its text is made again")

    monkeypatch.setattr("opentelemetry.sdk.resources.dumps", hashed_again)
    with pytest.raises(AssertionError):
        hash(same)
    assert {found: 1}[found] == 1


@pytest.mark.parametrize("packed", [False, True])
def test_the_commit_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, packed: bool) -> None:
    git = tmp_path / ".git"
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    if packed:
        (git / "packed-refs").write_text(f"# pack-refs\n{COMMIT} refs/heads/main\n")
    else:
        (git / "refs" / "heads" / "main").write_text(f"{COMMIT}\n")
    monkeypatch.chdir(tmp_path)
    assert described(monkeypatch)[semconv.VCS_REVISION] == COMMIT


@pytest.mark.parametrize("head", ["ref: ../hidden.txt", "ref: /etc/hostname", "hidden", ""])
def test_a_head_that_names_another_file_tells_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, head: str
) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text(head)
    (tmp_path / "hidden.txt").write_text("hidden")
    monkeypatch.chdir(tmp_path)
    assert semconv.VCS_REVISION not in described(monkeypatch)
