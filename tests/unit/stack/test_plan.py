"""Which servers run, with what ports and variables, and which files are written for them."""

from __future__ import annotations

import json
import re
import socket
import stat
from pathlib import Path

import pytest

from ocr_otel.stack import Layout, Plan, StackError, configuration_directory, make_plan
from ocr_otel.stack.credentials import ensure_token
from ocr_otel.stack.ports import explain_taken, ports, taken
from ocr_otel.stack.preparing import prepare
from tests.support.ports import free_offset

CONFIGURATION = configuration_directory()
VARIABLE = re.compile(r"\$\{env:(STACK_\w+)(:-)?[^}]*\}")
OPTIONAL = {"STACK_GATEWAY_TOKEN"}
"""Given at the start and never part of a plan."""


def plan_in(folder: Path, team: bool = False, offset: int = 0) -> Plan:
    return make_plan(Layout(folder), CONFIGURATION, team, offset)


def configuration_files(arguments: tuple[str, ...]) -> list[Path]:
    return [Path(each.removeprefix("--config=file:")) for each in arguments if each.startswith("--config=file:")]


@pytest.mark.parametrize(
    ("team", "servers"),
    [
        (False, ["jaeger", "prometheus", "alertmanager", "collector"]),
        (True, ["jaeger", "prometheus", "alertmanager", "gateway", "agent"]),
    ],
)
def test_receivers_start_before_their_senders(tmp_path: Path, team: bool, servers: list[str]) -> None:
    assert [server.name for server in plan_in(tmp_path, team).servers] == servers


@pytest.mark.parametrize("team", [False, True])
def test_every_variable_of_a_file_without_a_default_is_given(tmp_path: Path, team: bool) -> None:
    for server in plan_in(tmp_path, team).servers:
        for file in configuration_files(server.arguments):
            needed = {name for name, default in VARIABLE.findall(file.read_text()) if not default}
            assert needed <= server.environment.keys() | OPTIONAL, server.name


@pytest.mark.parametrize("team", [False, True])
def test_every_port_of_a_file_moves_with_the_offset(tmp_path: Path, team: bool) -> None:
    for server in plan_in(tmp_path, team, 1000).servers:
        for file in configuration_files(server.arguments):
            found = dict(re.findall(r"\$\{env:(STACK_\w+_PORT):-(\d+)\}", file.read_text()))
            assert found
            for name, default in found.items():
                assert int(server.environment[name]) == int(default) + 1000, f"{name} of {server.name}"


def test_offset_moves_endpoints_and_what_a_training_needs(tmp_path: Path) -> None:
    plan = plan_in(tmp_path, team=True, offset=300)
    agent = plan.servers[-1]
    assert agent.environment["STACK_GATEWAY_ENDPOINT"] == "127.0.0.1:14617"
    assert agent.environment["STACK_PROMETHEUS_OTLP_ENDPOINT"] == "http://127.0.0.1:9390/api/v1/otlp"
    assert plan.training_environment() == {
        "OCR_OTEL_ENABLED": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4617",
        "OTEL_SERVICE_NAME": "ocr-training",
    }


def test_no_two_servers_share_a_port_or_a_data_directory(tmp_path: Path) -> None:
    plan = plan_in(tmp_path, team=True)
    numbers = [port.number for port in plan.ports.values()]
    assert len(set(numbers)) == len(numbers)
    places = [server.environment["STACK_DATA_DIRECTORY"] for server in plan.servers if server.environment]
    assert len(set(places)) == len(places) == 3


@pytest.mark.parametrize("offset", [-1, 65535 - 24317 + 1])
def test_offset_out_of_range_is_refused_with_the_range(offset: int) -> None:
    with pytest.raises(StackError, match="must be from 0 to 41218"):
        ports(team=True, offset=offset)


def test_taken_port_is_named_with_its_server_and_who_holds_it() -> None:
    wanted = ports(team=False, offset=free_offset())
    number = wanted["STACK_JAEGER_QUERY_PORT"].number
    with socket.socket() as other:
        other.bind(("0.0.0.0", number))
        other.listen()
        (port,) = taken(wanted)
        said = explain_taken(port)
    assert said.startswith(f"port {number}, which jaeger needs for web page and query API, is taken by ")
    assert "(process " in said
    assert taken(wanted) == []


def test_prometheus_is_told_to_scrape_what_runs_by_the_names_that_rules_use(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "stack")
    for team, servers in ((True, {"agent", "gateway"}), (False, {"single"})):
        prepare(plan_in(layout.root, team, 50), layout, CONFIGURATION)
        scraped = json.loads((layout.prometheus / "targets/servers.yaml").read_text())
        found = {target["labels"]["server"]: target["targets"] for target in scraped}
        assert found.keys() == servers | {"jaeger", "prometheus", "alertmanager"}
        assert found["prometheus"] == ["127.0.0.1:9140"]
    alerted = json.loads((layout.prometheus / "targets/alertmanager.yaml").read_text())
    assert alerted == [{"targets": ["127.0.0.1:9143"]}]
    assert (layout.prometheus / "prometheus.yaml").samefile(CONFIGURATION / "prometheus/prometheus.yaml")
    assert list((layout.prometheus / "rules").glob("*.yaml"))


def test_webhook_address_that_somebody_wrote_is_kept(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "stack")
    prepare(plan_in(layout.root), layout, CONFIGURATION)
    webhook = layout.alertmanager / "webhook-url"
    assert webhook.read_text().startswith("http://127.0.0.1:")
    webhook.write_text("http://chat.example/hook\n")
    prepare(plan_in(layout.root), layout, CONFIGURATION)
    assert webhook.read_text() == "http://chat.example/hook\n"


def test_team_has_a_private_token_and_certificates_that_last(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "stack")
    first = prepare(plan_in(layout.root, team=True), layout, CONFIGURATION)
    assert len(first["STACK_GATEWAY_TOKEN"]) > 30
    for path in (layout.token, layout.tls / "server-key.pem"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    certificate = (layout.tls / "server.pem").read_bytes()
    assert prepare(plan_in(layout.root, team=True), layout, CONFIGURATION) == first
    assert (layout.tls / "server.pem").read_bytes() == certificate
    assert (layout.root / ".gitignore").read_text() == "*\n"


def test_empty_token_file_is_filled(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("\n")
    path.chmod(0o644)
    assert len(ensure_token(path)) > 30
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_one_machine_needs_no_openssl_and_a_team_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    layout = Layout(tmp_path / "stack")
    assert prepare(plan_in(layout.root), layout, CONFIGURATION) == {}
    with pytest.raises(StackError, match="openssl, which is not installed: install it, or leave --team out"):
        prepare(plan_in(layout.root, team=True), layout, CONFIGURATION)
