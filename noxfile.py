"""The versions that ocr_otel is tested with: a session for each Python and set of versions; see docs/compatibility.md.

`make test-matrix` runs all of them, `make test-matrix ARGS=--list` lists them, and with `--python 3.12` or
`--session 'tests-3.12(lightning-2.5)'` it runs some. A Python that is not found is skipped, as the summary says; on CI
it is an error.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import nox

nox.needs_version = ">=2025.10"
nox.options.default_venv_backend = "uv"
nox.options.download_python = "never"

ROOT = Path(__file__).parent
PYTHONS = ("3.11", "3.12", "3.13")

UNIT_TESTS = [f"tests/unit/{room}" for room in ("recording", "training", "callbacks", "telemetry", "profiling/windows")]
"""The rooms that call Lightning, PyTorch and the OpenTelemetry SDK."""
SCRIPTS = "tests/integration/test_unchanged_scripts.py"
SOME_SCRIPTS = (
    "two-forked-workers or two-spawned-workers or pytorch-lightning or manual or resume or entries or exception"
)
"""Of the scripts that are trained with and without us; `make test` runs all of them."""
SHOWN = ("torch", "lightning", "pytorch-lightning", "opentelemetry-sdk", "opentelemetry-instrumentation", "numpy")
"""Packages whose versions a session prints."""


def lowest(prefix: str) -> list[str]:
    """Return the dependencies whose names begin so, each at the lowest version that pyproject.toml allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = (each for extra in project["optional-dependencies"].values() for each in extra)
    return [each.replace(">=", "==") for each in [*project["dependencies"], *extras] if each.startswith(prefix)]


VERSIONS: dict[str, tuple[str | None, list[str]]] = {
    "pinned": ("", []),
    "lightning-2.5": ("(pytorch-)?lightning", ["lightning==2.5.*", "pytorch-lightning==2.5.*"]),
    "opentelemetry-lowest": ("opentelemetry-.*", lowest("opentelemetry-")),
    "latest": (None, []),
}
"""By name: which packages constraints.txt does not pin (None: it pins nothing), and what is asked for instead."""


@nox.session(python=PYTHONS)
@nox.parametrize("versions", [nox.param(name, id=name) for name in VERSIONS])
def tests(session: nox.Session, versions: str) -> None:
    """Install a set of versions and run the tests that meet them."""
    free, wanted = VERSIONS[versions]
    pinned = [] if free is None else ["--constraint", _constraints(session, free)]
    session.install(*pinned, "--editable", ".[all]", "--group", "test-core", *wanted)
    _say_versions(session, wanted)
    workers = ("--numprocesses", "auto", "--maxprocesses", "4", "--dist", "loadfile")
    session.run("python", "-m", "pytest", "--quiet", *UNIT_TESTS, *workers)
    session.run("python", "-m", "pytest", "--quiet", SCRIPTS, "-k", SOME_SCRIPTS)


def _constraints(session: nox.Session, without: str) -> str:
    # Beside a constraint a requirement of another version has no solution.
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not re.fullmatch(without, line.partition("==")[0])]
    path = Path(session.create_tmp()) / "constraints.txt"
    path.write_text("\n".join(kept), encoding="utf-8")
    return str(path)


def _say_versions(session: nox.Session, wanted: list[str]) -> None:
    """Print what was installed, and fail where it is not what was asked for."""
    session.run(
        "python",
        "-c",
        "import json, sys; from importlib.metadata import version; from packaging.requirements import Requirement\n"
        "shown, wanted = json.loads(sys.argv[1]), map(Requirement, json.loads(sys.argv[2]))\n"
        "print(*(f'{name} {version(name)}' for name in shown), sep=', ')\n"
        "wrong = [str(each) for each in wanted if not each.specifier.contains(version(each.name), prereleases=True)]\n"
        "sys.exit(f'not installed: {wrong}' if wrong else 0)",
        json.dumps(SHOWN),
        json.dumps(wanted),
    )
