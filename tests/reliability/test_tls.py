"""OTLP over TLS with an authority of one's own and a client certificate; who cannot be trusted gets nothing."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.reliability.collectors import PROTOCOLS, listening
from tests.reliability.hard import end_deliveries
from tests.support.certificates import Authority, Certificate
from tests.support.otlp_server import OtlpGrpcServer, OtlpServer
from tests.support.scripts import train

both = pytest.mark.parametrize("protocol", PROTOCOLS)


@dataclass(frozen=True)
class Keys:
    """Who may be trusted, and who not."""

    ours: Authority
    theirs: Authority
    server: Certificate
    elsewhere: Certificate
    client: Certificate
    stranger: Certificate


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    folder = tmp_path_factory.mktemp("keys")
    ours, theirs = Authority(folder, "ours"), Authority(folder, "theirs")
    return Keys(
        ours=ours,
        theirs=theirs,
        server=ours.issue("server", "IP:127.0.0.1"),
        elsewhere=ours.issue("elsewhere", "DNS:other.example"),
        client=ours.issue("client"),
        stranger=theirs.issue("stranger"),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder; what still tries to deliver from it is ended."""
    yield tmp_path
    end_deliveries(tmp_path)


def trained(
    folder: Path,
    protocol: str,
    server: OtlpGrpcServer | OtlpServer,
    authority: Authority | None,
    client: Certificate | None = None,
) -> subprocess.CompletedProcess[str]:
    """Train, and send to a receiver."""
    # The two variables of `requests` overrule what OpenTelemetry is told; `ocr-otel doctor` says so.
    environment = {"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": ""}
    environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": server.endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    if authority is not None:
        environment["OTEL_EXPORTER_OTLP_CERTIFICATE"] = str(authority.certificate)
    if client is not None:
        environment["OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"] = str(client.certificate)
        environment["OTEL_EXPORTER_OTLP_CLIENT_KEY"] = str(client.key)
    done = train("limits", folder, OCR_OTEL_FLUSH_TIMEOUT="3", **environment)
    assert done.returncode == 0, done.stderr
    assert len(json.loads((folder / "losses.json").read_text())) > 5
    return done


def arrived(server: OtlpGrpcServer | OtlpServer) -> set[str]:
    return {span.name for span in server.spans} | {metric.name for metric in server.metrics}


@both
def test_everything_arrives_with_an_authority_of_our_own(folder: Path, keys: Keys, protocol: str) -> None:
    with listening(protocol, keys.server, clients=None) as server:
        done = trained(folder, protocol, server, keys.ours)
    assert {"fit", "fit.start", "train_epoch", "training.runs"} <= arrived(server)
    assert "lost" not in done.stderr


@both
def test_everything_arrives_with_a_client_certificate(folder: Path, keys: Keys, protocol: str) -> None:
    with listening(protocol, keys.server, clients=keys.ours) as server:
        done = trained(folder, protocol, server, keys.ours, keys.client)
    assert {"fit", "fit.start", "train_epoch", "training.runs"} <= arrived(server)
    assert "lost" not in done.stderr


REFUSED = {
    "an authority that is not known": ("server", None, "theirs", None),
    "another name": ("elsewhere", None, "ours", None),
    "no client certificate": ("server", "ours", "ours", None),
    "a client certificate of another authority": ("server", "ours", "ours", "stranger"),
}


@both
@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_who_is_not_trusted_gets_nothing_and_nothing_is_lost_in_silence(
    folder: Path, keys: Keys, protocol: str, case: tuple[str, str | None, str | None, str | None]
) -> None:
    shown, clients, authority, client = case
    with listening(protocol, getattr(keys, shown), getattr(keys, clients) if clients else None) as server:
        done = trained(
            folder,
            protocol,
            server,
            getattr(keys, authority) if authority else None,
            getattr(keys, client) if client else None,
        )
        assert server.requests == []
    assert done.stderr.count("the endpoint takes no telemetry") == 1, done.stderr
    assert "Traceback" not in done.stderr
    if clients is None and protocol == "http/protobuf":
        # gRPC does not tell its callers why; of a client's certificate nobody does.
        assert "certificate" in done.stderr.lower(), done.stderr
    # What was not taken waits, for `ocr_otel.telemetry.delivery` or `ocr-otel replay`.
    waiting = (folder / "runs" / "run" / "spool").glob("traces-*.jsonl")
    assert any(b"resourceSpans" in path.read_bytes() for path in waiting), done.stderr
