"""`ocr-otel doctor --stack` with the real servers: it says which station has lost what was sent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stack import RunningStack

LONGEST = 120


def doctor(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {key: value for key, value in os.environ.items() if not key.startswith(("OCR_OTEL_", "OTEL_"))}
    for bundle in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        # They overrule OTEL_EXPORTER_OTLP_CERTIFICATE, as the doctor says.
        own.pop(bundle, None)
    return subprocess.run(
        [Path(sys.executable).with_name("ocr-otel"), "doctor", *arguments],
        env=own | environment, capture_output=True, text=True, timeout=LONGEST, check=False,
    )  # fmt: skip


def failures(printed: str) -> list[str]:
    return [line for line in printed.splitlines() if line.startswith("fail")]


@pytest.mark.timeout(300)
def test_what_is_sent_is_found_at_both_ends(stack: RunningStack) -> None:
    done = doctor("--stack", "--directory", str(stack.layout.root))
    assert done.returncode == 0, done.stdout
    assert not failures(done.stdout)
    found = [line.split()[1] for line in done.stdout.splitlines() if "has it" in line]
    assert sorted(found) == ["jaeger", "prometheus"]


@pytest.mark.timeout(400)
def test_the_station_that_holds_it_back_is_named(own_stack: RunningStack) -> None:
    stack = ("--stack", "--directory", str(own_stack.layout.root))

    own_stack.stop("jaeger")
    done = doctor(*stack)
    assert done.returncode == 1
    (line,) = failures(done.stdout)
    assert line.split()[1] == "gateway"
    assert "span" in line
    assert "jaeger" in line
    assert "gateway.log" in done.stdout

    own_stack.start("jaeger")
    own_stack.stop("prometheus")
    done = doctor(*stack)
    assert done.returncode == 1
    (line,) = failures(done.stdout)
    assert line.split()[1] == "gateway"
    assert "metric point" in line
    assert "prometheus" in line

    own_stack.stop("gateway")
    done = doctor(*stack)
    assert done.returncode == 1
    assert {line.split()[1] for line in failures(done.stdout)} == {"agent"}
    assert all("gateway" in line for line in failures(done.stdout))

    own_stack.stop("agent")
    done = doctor(*stack)
    assert done.returncode == 1
    assert [line.split()[1] for line in failures(done.stdout)] == ["traces", "metrics"]
    assert "nothing listens" in done.stdout


@pytest.mark.timeout(400)
def test_what_refuses_what_it_is_sent_is_named(own_stack: RunningStack) -> None:
    stack = ("--stack", "--directory", str(own_stack.layout.root))

    own_stack.stop("gateway")
    own_stack.start("gateway", STACK_GATEWAY_TOKEN="another")
    done = doctor(*stack)
    assert done.returncode == 1
    found = failures(done.stdout)
    assert [line.split()[1] for line in found] == ["agent", "agent"]
    assert all("gateway" in line and "refuses its token" in line for line in found), done.stdout
    assert "another" not in done.stdout

    own_stack.stop("gateway")
    # A server that answers, and has no place for metrics.
    wrong = f"{own_stack.plan.url('ALERTMANAGER')}/api/v1/otlp"
    own_stack.start("gateway", STACK_PROMETHEUS_OTLP_ENDPOINT=wrong)
    done = doctor(*stack)
    assert done.returncode == 1
    (line,) = failures(done.stdout)
    assert line.split()[1] == "gateway"
    assert "gave the metric point up: prometheus does not take it" in line
    assert "not found" in line


@pytest.mark.timeout(300)
def test_without_a_stack_of_ours_the_usual_ports_are_asked(tmp_path: Path) -> None:
    done = doctor("--stack", "--directory", str(tmp_path / "nothing"))
    assert done.returncode == 1
    assert [line.split()[1] for line in failures(done.stdout)] == ["traces", "metrics"]
    assert "nothing listens on port 4317" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.timeout(300)
def test_a_training_that_sends_to_the_gateway_without_its_token_is_warned(stack: RunningStack) -> None:
    target = {
        "OCR_OTEL_ENABLED": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"https://{stack.plan.address('STACK_GATEWAY_HTTP_PORT')}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": str(stack.layout.tls / "ca.pem"),
    }
    for headers in ({}, {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20wrong"}):
        done = doctor(**target, **headers)
        assert done.returncode == 1
        # Both signals fail alike, and are told in one line.
        (line,) = failures(done.stdout)
        assert line.split()[1:3] == ["traces,", "metrics"]
        assert "credentials" in line, line
    right = {"OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{stack.secrets['STACK_GATEWAY_TOKEN']}"}
    assert doctor(**target, **right).returncode == 0
    plain = doctor(
        **target | {"OTEL_EXPORTER_OTLP_ENDPOINT": target["OTEL_EXPORTER_OTLP_ENDPOINT"].replace("https", "http")}
    )
    assert plain.returncode == 1
    (line,) = failures(plain.stdout)
    assert "TLS" in line
