"""Secrets that are planted wherever a training has some: none is found in what is exported, written or printed."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ocr_otel.cli.main import app
from tests.support.scripts import FOLDER, run_python

MARKER = "harmless-marker"
"""What `canary_script` puts into texts and names that do leave."""
pytestmark = pytest.mark.timeout(400)

FROM_THE_ENVIRONMENT = (
    "WANDB_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_PASSWORD", "GITHUB_TOKEN", "COMET_API_KEY",
    "SSH_PRIVATE_KEY",
)  # fmt: skip
FROM_URLS_AND_HEADERS = (
    "the password of a URL", "a key in JSON", "a bearer in OTLP headers", "a value of OTLP headers",
    "an attribute by name", "an attribute with a URL",
)  # fmt: skip
FROM_THE_CODE = (
    "a hyper-parameter", "a field of a configuration", "an optimizer's group", "an attribute of a callback",
    "a password in a message", "a bearer in a message", "a URL in a message", "a folder in a message", "a cause",
    "a local variable", "a variable of a worker", "the text of a sample", "a label", "the folder of the data",
    "the folder of checkpoints", "the folder of logs", "the folder of the run", "the name of a logger",
    "the name of an experiment",
)  # fmt: skip
FROM_AROUND = ("an argument", "an option", "a Git remote", "a Git branch", "the working directory")
SECRETS = {
    name: f"Xq{number:02d}vKw{number * 7919 % 100_000:05d}Zr"
    for number, name in enumerate((*FROM_THE_ENVIRONMENT, *FROM_URLS_AND_HEADERS, *FROM_THE_CODE, *FROM_AROUND))
}
SECRETS["a label"] += " Jane Roe"
SECRETS["a number of a sample"] = "7654321"
SECRETS["SSH_PRIVATE_KEY"] = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRETS['SSH_PRIVATE_KEY'] * 4}\n-----END"
SOUGHT = {name: value.split("\n")[1][:14] if "\n" in value else value[:14] for name, value in SECRETS.items()}
"""What is searched for: the beginning of each."""


@dataclass
class Collector:
    """A receiver that keeps the bytes of every request's body."""

    bodies: dict[str, list[bytes]] = field(default_factory=dict)
    endpoint: str = ""


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    kept = Collector()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
            kept.bodies.setdefault(self.path, []).append(body)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    kept.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield kept
    server.shutdown()
    server.server_close()


def trained(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Train in a folder of which everything is secret, and make sure that the secrets were met."""
    work = folder / SECRETS["the working directory"]
    git = work / ".git"
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "HEAD").write_text(f"ref: refs/heads/{SECRETS['a Git branch']}\n")
    (git / "refs" / "heads" / SECRETS["a Git branch"]).write_text("0123456789" * 4 + "\n")
    (git / "config").write_text(f'[remote "origin"]\n\turl = https://me:{SECRETS["a Git remote"]}@git.example/x.git\n')
    (folder / "secrets.json").write_text(json.dumps(SECRETS))
    planted = {name: SECRETS[name] for name in FROM_THE_ENVIRONMENT} | {
        "DATABASE_URL": f"postgres://me:{SECRETS['the password of a URL']}@db.example/x",
        "SERVICE_CREDENTIALS": json.dumps({"private_key": SECRETS["a key in JSON"]}),
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{SECRETS['a bearer in OTLP headers']},"
        f"x-tenant={SECRETS['a value of OTLP headers']}",
        "OTEL_RESOURCE_ATTRIBUTES": f"team.api_key={SECRETS['an attribute by name']},"
        f"deployment.environment.name={MARKER},store=https://me:{SECRETS['an attribute with a URL']}@store.example/x",
        "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "process,os,otel",
        "OCR_OTEL_ENABLED": "true",
        "OCR_OTEL_RUNS_DIR": str(folder / "runs"),
        "OCR_OTEL_RUN_ID": "run",
        "OCR_OTEL_PROFILE": "start",
    }
    arguments = [folder, f"--password={SECRETS['an option']}", "--hf-token", SECRETS["an argument"]]
    done = run_python([FOLDER / "canary_script.py", *arguments], work, **planted | environment)
    assert done.returncode == 0, done.stderr
    assert "15 of 16 failed" in done.stdout, done.stdout
    assert (folder / SECRETS["the folder of checkpoints"]).is_dir()
    return done


def found(*texts: str | bytes) -> dict[str, str]:
    """Return which secrets are in texts, with what is around them."""
    hits = {}
    for text in texts:
        data = text if isinstance(text, bytes) else text.encode()
        for name, value in SOUGHT.items():
            for form in (value.encode(), base64.b64encode(value.encode())[:-4]):
                at = data.find(form)
                if at >= 0:
                    hits[name] = data[max(0, at - 90) : at + 50].decode(errors="replace")
    return hits


def written(directory: Path) -> dict[str, bytes]:
    """Return what lies in a directory, unpacked."""
    files = {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    return {name: gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data for name, data in files.items()}


def told(run: Path) -> dict[str, str]:
    """Return what the commands make of a run."""
    shown = {}
    for form in ("html", "text", "markdown", "json"):
        output = run.parent.parent / f"report.{form}"
        done = CliRunner().invoke(app, ["report", str(run), f"--format={form}", "--output", str(output)])
        assert done.exit_code == 0, done.output
        shown[form] = output.read_text(encoding="utf-8")
    return shown


def test_files_pages_and_the_terminal_hold_no_secret(tmp_path: Path) -> None:
    done = trained(tmp_path)
    run = tmp_path / "runs" / "run"
    files, pages = written(run), told(run)
    assert {"traces.jsonl", "metrics.jsonl", "run.json"} <= set(files)
    assert any(name.startswith("profiles/") for name in files)
    assert found(*files.values(), *pages.values(), done.stdout, done.stderr) == {}
    # The same search finds what is meant to be there.
    traces = files["traces.jsonl"].decode()
    assert traces.count('"exception.message"') >= 15
    assert traces.count(f"{MARKER}: ") >= 2 * 14
    assert f"{MARKER}-worker: 9.png, token=[redacted]" in traces
    assert "login failed: password=[redacted]" in traces
    assert '"[redacted]"' in traces
    assert "0123456789" * 4 in traces
    assert MARKER in files["metrics.jsonl"].decode()
    assert all(MARKER in page for page in pages.values())


def test_what_is_sent_holds_no_secret(tmp_path: Path, collector: Collector) -> None:
    done = trained(
        tmp_path,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint,
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
        OTEL_METRIC_EXPORT_INTERVAL="1000",
        OTEL_BSP_SCHEDULE_DELAY="200",
    )
    assert {"/v1/traces", "/v1/metrics"} <= set(collector.bodies)
    bodies = {path: b"\n".join(kept) for path, kept in collector.bodies.items()}
    runs = tmp_path / "runs"
    assert found(*bodies.values(), *written(runs).values(), done.stdout, done.stderr) == {}
    assert bodies["/v1/traces"].count(f"{MARKER}: ".encode()) >= 2 * 14
    assert b"password=[redacted]" in bodies["/v1/traces"]
    assert MARKER.encode() in bodies["/v1/metrics"]


def test_the_search_finds_each_secret_where_it_is(tmp_path: Path) -> None:
    for name, value in SECRETS.items():
        assert name in found(f"so {value} it"), name
        assert name in found(base64.b64encode(value.encode()) if "\n" not in value else value), name
    assert len(SECRETS) >= 30
    assert len(set(SOUGHT.values())) == len(SECRETS)
    packed = tmp_path / "packed.gz"
    packed.write_bytes(gzip.compress(SECRETS["HF_TOKEN"].encode()))
    assert set(found(*written(tmp_path).values())) == {"HF_TOKEN"}
