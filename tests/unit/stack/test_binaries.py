"""Versions and places of the servers' programs."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from ocr_otel.stack import BINARIES, StackError, cached, configuration_directory, version
from ocr_otel.stack.binaries import cache_directory

CONFIGURATION = configuration_directory()


def copy_of_modules(folder: Path) -> Path:
    shutil.copytree(CONFIGURATION / "build", folder / "build")
    return folder


@pytest.mark.parametrize("name", BINARIES)
def test_every_program_is_pinned_to_a_version(name: str) -> None:
    assert re.fullmatch(r"v\d+\.\d+\.\d+", version(BINARIES[name], CONFIGURATION))


@pytest.mark.parametrize("folder", sorted({binary.folder for binary in BINARIES.values()}))
def test_every_module_has_checksums_of_what_it_requires(folder: str) -> None:
    module = CONFIGURATION / "build" / folder
    required = re.findall(r"^\s*(?:require )?(\S+\.\S+/\S+) (v\S+)", (module / "go.mod").read_text(), re.MULTILINE)
    sums = (module / "go.sum").read_text()
    assert required
    assert [pair for pair in required if f"{pair[0]} {pair[1]}/go.mod h1:" not in sums] == []


@pytest.mark.parametrize("name", [name for name, binary in BINARIES.items() if binary.package != "."])
def test_every_module_names_its_programs_as_tools(name: str) -> None:
    binary = BINARIES[name]
    text = (CONFIGURATION / "build" / binary.folder / "go.mod").read_text()
    assert re.search(rf"^(tool |\t){re.escape(binary.package)}$", text, re.MULTILINE)


def test_the_collector_is_made_of_what_its_manifest_names() -> None:
    module = CONFIGURATION / "build" / "otelcol"
    manifest = re.findall(r"- gomod: (\S+) (v\S+)", (module / "builder.yaml").read_text())
    generated = (module / "components.go").read_text() + (module / "main.go").read_text()
    pinned = (module / "go.mod").read_text()
    assert len(manifest) > 20
    for name, number in manifest:
        assert f'"{name}"' in generated, f"{name} is in builder.yaml and not in the generated sources"
        assert f"{name} {number}" in pinned, f"{name} is not at {number} in go.mod"
    imported = set(
        re.findall(r'^\t\w+ "(\S+/(?:receiver|processor|exporter|connector|extension)/\S+)"', generated, re.M)
    )
    assert imported <= {name for name, _ in manifest}


def test_cache_is_where_the_desktop_specification_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_directory({"XDG_CACHE_HOME": "/var/cache/me"}) == Path("/var/cache/me/ocr-otel/servers")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_directory({}) == tmp_path / ".cache/ocr-otel/servers"
    assert cache_directory({"XDG_CACHE_HOME": "relative"}) == tmp_path / ".cache/ocr-otel/servers"


def test_changed_dependency_makes_another_program(tmp_path: Path) -> None:
    copied = copy_of_modules(tmp_path)
    binary = BINARIES["otelcol"]
    before = cached(binary, copied)
    assert before == cached(binary, CONFIGURATION)
    with (copied / "build" / "otelcol" / "go.sum").open("a") as file:
        file.write("example.com/one v1.0.0 h1:x=\n")
    assert cached(binary, copied) != before


def test_comment_in_the_manifest_makes_no_other_program(tmp_path: Path) -> None:
    copied = copy_of_modules(tmp_path)
    with (copied / "build" / "otelcol" / "builder.yaml").open("a") as file:
        file.write("# a remark\n")
    assert cached(BINARIES["otelcol"], copied) == cached(BINARIES["otelcol"], CONFIGURATION)


def test_module_that_does_not_pin_its_program_is_named(tmp_path: Path) -> None:
    copied = copy_of_modules(tmp_path)
    path = copied / "build" / "jaeger" / "go.mod"
    path.write_text("module x\n")
    with pytest.raises(StackError, match=rf"{path} does not require github.com/jaegertracing/jaeger"):
        version(BINARIES["jaeger"], copied)
    path.unlink()
    with pytest.raises(StackError, match="cannot read"):
        version(BINARIES["jaeger"], copied)
