"""The compose file and the files of Collector and Jaeger agree with each other and with the compose specification."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from ocr_otel import semconv

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "collector-config"
COMPOSE = ROOT / "docker-compose.yml"
SCHEMA = ROOT / "tests" / "support" / "schemas" / "compose-spec.json"
BALANCER = CONFIG / "fleet" / "balancer.yaml"
SERVERS_FILES = [*(CONFIG / f"{name}.yaml" for name in ("agent", "gateway", "single", "jaeger")), BALANCER]

STACK_VARIABLES = {
    *("STACK_LISTEN", "STACK_METRICS_LISTEN", "STACK_DATA_DIRECTORY", "STACK_TLS_DIRECTORY"),
    *("STACK_AGENT_GRPC_PORT", "STACK_AGENT_HTTP_PORT", "STACK_AGENT_METRICS_PORT", "STACK_AGENT_HEALTH_PORT"),
    *("STACK_GATEWAY_GRPC_PORT", "STACK_GATEWAY_HTTP_PORT", "STACK_GATEWAY_METRICS_PORT", "STACK_GATEWAY_HEALTH_PORT"),
    *("STACK_BALANCER_GRPC_PORT", "STACK_BALANCER_HTTP_PORT"),
    *("STACK_BALANCER_METRICS_PORT", "STACK_BALANCER_HEALTH_PORT"),
    *("STACK_FLEET_GATEWAYS", "STACK_FLEET_GATEWAY_NAME"),
    *("STACK_GATEWAY_TOKEN", "STACK_GATEWAY_ENDPOINT", "STACK_KEEP_REGULAR_PERCENT"),
    *("STACK_JAEGER_GRPC_PORT", "STACK_JAEGER_QUERY_PORT", "STACK_JAEGER_QUERY_GRPC_PORT"),
    *("STACK_JAEGER_METRICS_PORT", "STACK_JAEGER_HEALTH_PORT", "STACK_JAEGER_ENDPOINT", "STACK_JAEGER_RETENTION"),
    *("STACK_PROMETHEUS_OTLP_ENDPOINT", "STACK_HOST_ROOT", "STACK_HOST_NAME", "STACK_IGNORED_INTERFACES"),
}
"""All variables of the servers' files. Who starts the servers sets some of them; a new one must be known there too."""
WITHOUT_DEFAULT = {"STACK_DATA_DIRECTORY", "STACK_TLS_DIRECTORY", "STACK_GATEWAY_TOKEN", "STACK_FLEET_GATEWAYS"}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


SERVICES: dict[str, Any] = load(COMPOSE)["services"]
ONCE = {"prepare", "gateway-ready"}
WITHOUT_SHELL = {"agent", "gateway", "gateway-2", "balancer"}
"""Images that hold the Collector alone: nothing in them could ask its health endpoint."""


def file_of(name: str) -> Path:
    """Return the file that a service of the compose file reads."""
    return BALANCER if name == "balancer" else CONFIG / f"{name.removesuffix('-2')}.yaml"


# The compose file.


def test_the_compose_file_follows_the_specification() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.Draft7Validator(schema).validate(load(COMPOSE))


def test_the_schema_refuses_what_is_wrong() -> None:
    validator = jsonschema.Draft7Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    broken = load(COMPOSE)
    broken["services"]["jaeger"]["memory_limit"] = "1g"
    assert not validator.is_valid(broken)


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_pinned_to_a_full_version(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9./-]+:v?\d+\.\d+\.\d+[a-z0-9.-]*", SERVICES[name]["image"])


def test_images_are_of_the_versions_that_are_built_without_docker() -> None:
    build = CONFIG / "build"
    collector = load(build / "otelcol" / "builder.yaml")["dist"]["version"]
    assert SERVICES["agent"]["image"].endswith(f":{collector}")
    assert {SERVICES[name]["image"] for name in WITHOUT_SHELL} == {SERVICES["agent"]["image"]}

    def module(server: str, path: str) -> str:
        found = re.search(rf"^\s*(?:require )?{path} v(\S+)", (build / server / "go.mod").read_text("utf-8"), re.M)
        assert found, server
        return found[1]

    assert SERVICES["alertmanager"]["image"].endswith(
        f":v{module('alertmanager', 'github.com/prometheus/alertmanager')}"
    )
    # As a Go module Prometheus 3.16.0 is v0.316.0, and Jaeger 2.13.0 is v1.76.0 (its tags point to one commit).
    minor, patch = module("prometheus", "github.com/prometheus/prometheus").split(".")[1:]
    assert SERVICES["prometheus"]["image"].endswith(f":v3.{int(minor) - 300}.{patch}")
    minor, patch = module("jaeger", "github.com/jaegertracing/jaeger").split(".")[1:]
    assert SERVICES["jaeger"]["image"].endswith(f":2.{int(minor) - 63}.{patch}")


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if "ports" in service])
def test_ports_are_on_loopback(name: str) -> None:
    for port in SERVICES[name]["ports"]:
        assert port.startswith(("127.0.0.1:", f"${{{name.upper()}_PUBLISH:-127.0.0.1}}:"))
    # What may be opened to other hosts has TLS and a token.
    assert name in {"gateway", "balancer"} or not any("PUBLISH" in port for port in SERVICES[name]["ports"])


@pytest.mark.parametrize("name", SERVICES)
def test_memory_is_limited_and_privileges_are_dropped(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.get("privileged")


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONCE))
def test_a_lasting_service_has_a_health_check_and_restarts(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert ("healthcheck" in SERVICES[name]) == (name not in WITHOUT_SHELL)


def test_who_waits_for_health_waits_for_a_service_that_has_a_check() -> None:
    for service in SERVICES.values():
        for name, condition in service.get("depends_on", {}).items():
            expected = {"service_healthy": "healthcheck" in SERVICES[name],
                        "service_completed_successfully": name in ONCE,
                        "service_started": True}  # fmt: skip
            assert expected[condition["condition"]], name


def test_secrets_are_required_and_have_no_default() -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    secret = {"GRAFANA_ADMIN_PASSWORD", "STACK_GATEWAY_TOKEN"}
    for name in secret:
        uses = re.findall(rf"\$\{{{name}([^}}]*)\}}", text)
        assert uses
        assert all(use.startswith(":?") and len(use) > 10 for use in uses), name
    for line in (ROOT / ".env.example").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition("=")
        if name in secret:
            assert value == ""
    assert SERVICES["grafana"]["environment"]["GF_AUTH_ANONYMOUS_ENABLED"] == "false"


def test_the_example_environment_names_every_variable_of_the_compose_file() -> None:
    used = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", COMPOSE.read_text(encoding="utf-8")))
    named = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.M))
    assert named == used


def test_what_is_mounted_from_the_repository_is_there_and_read_only() -> None:
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            if isinstance(volume, str) and volume.startswith("./"):
                source, _, mode = volume.removeprefix("./").split(":")
                assert (ROOT / source).exists(), (name, source)
                assert mode == "ro"


def test_a_container_is_given_only_variables_that_its_file_reads() -> None:
    for name in ("agent", "gateway", "gateway-2", "balancer", "jaeger"):
        read = variables(file_of(name))
        given = {key for key in SERVICES[name]["environment"] if key.startswith("STACK_")}
        assert given <= read
        assert read & WITHOUT_DEFAULT <= given


def test_grafana_finds_dashboards_and_data_sources_where_they_are_mounted() -> None:
    provisioning = ROOT / "dashboards" / "provisioning"
    (provider,) = load(provisioning / "dashboards" / "ocr-otel.yaml")["providers"]
    assert f"./dashboards/json:{provider['options']['path']}:ro" in SERVICES["grafana"]["volumes"]
    sources = "".join(path.read_text(encoding="utf-8") for path in (provisioning / "datasources").glob("*.yaml"))
    read = set(re.findall(r"url: \$([A-Z_]+)", sources))
    assert read == {name for name in SERVICES["grafana"]["environment"] if not name.startswith("GF_")}


def test_every_container_with_metrics_is_scraped_under_its_own_name() -> None:
    targets = load(CONFIG / "prometheus" / "targets" / "servers.yaml")
    for target in targets:
        host = target["targets"][0].split(":")[0]
        assert target["labels"]["server"] == ("prometheus" if host == "localhost" else host)
        assert host == "localhost" or host in SERVICES


# The fleet.


def test_without_the_profile_nothing_of_a_fleet_is_started_or_missed() -> None:
    of_fleet = {name for name, service in SERVICES.items() if service.get("profiles") == ["fleet"]}
    assert of_fleet == {"gateway-2", "balancer"}
    for name in set(SERVICES) - of_fleet:
        assert not of_fleet & set(SERVICES[name].get("depends_on", {})), name
    scraped = {target["targets"][0].split(":")[0] for target in load(CONFIG / "prometheus/targets/servers.yaml")}
    assert not scraped & of_fleet
    (found,) = load(CONFIG / "prometheus" / "targets" / "scrape-fleet.yaml")["scrape_configs"]
    assert {name for each in found["dns_sd_configs"] for name in each["names"]} == of_fleet


def test_the_balancer_of_compose_knows_every_gateway_and_has_its_certificate() -> None:
    gateways = {name for name in SERVICES if re.fullmatch(r"gateway(-\d+)?", name)}
    told = yaml.safe_load(SERVICES["balancer"]["environment"]["STACK_FLEET_GATEWAYS"])
    assert set(told) == {f"{name}:14317" for name in gateways}
    assert "make-certificates.sh /tls gateway balancer" in SERVICES["prepare"]["command"][0]
    queues = [volume for name in gateways for volume in SERVICES[name]["volumes"] if volume.endswith(":/data")]
    assert len(set(queues)) == len(gateways), "two gateways would open one queue"


def test_gateway_and_balancer_ask_the_same_of_who_sends() -> None:
    gateway, balancer = load(CONFIG / "gateway.yaml"), load(BALANCER)
    assert gateway["extensions"]["bearertokenauth"] == balancer["extensions"]["bearertokenauth"]
    for protocol in ("grpc", "http"):
        asked = [each["receivers"]["otlp"]["protocols"][protocol] for each in (gateway, balancer)]
        assert asked[0]["auth"] == asked[1]["auth"]
        assert asked[0]["tls"] == asked[1]["tls"]
    assert gateway["exporters"]["otlp_http/prometheus"] == balancer["exporters"]["otlp_http/prometheus"]


def test_the_balancer_sends_a_trace_to_one_gateway_and_each_part_of_a_request_once() -> None:
    exporter = load(BALANCER)["exporters"]["load_balancing"]
    assert exporter["routing_key"] == "traceID"
    # A list that changes with what is up just now would hand running traces over.
    assert set(exporter["resolver"]) == {"static"}
    otlp = exporter["protocol"]["otlp"]
    assert otlp["sending_queue"]["enabled"] is False
    assert otlp["retry_on_failure"]["max_elapsed_time"] == "0s"


# The files of Collector and Jaeger.


def variables(path: Path) -> set[str]:
    return set(re.findall(r"\$\{env:([A-Z_]+)", path.read_text(encoding="utf-8")))


def test_every_variable_is_in_the_list_and_used() -> None:
    assert set.union(*(variables(path) for path in SERVERS_FILES)) == STACK_VARIABLES


@pytest.mark.parametrize("path", SERVERS_FILES, ids=lambda path: path.stem)
def test_every_variable_but_the_required_has_one_default_everywhere(path: Path) -> None:
    for name, default in re.findall(r"\$\{env:([A-Z_]+)((?::-[^}]*)?)\}", path.read_text(encoding="utf-8")):
        assert bool(default) == (name not in WITHOUT_DEFAULT), name
        assert name != "STACK_LISTEN" or default == ":-127.0.0.1"


def test_no_two_servers_have_one_port_by_default() -> None:
    found: dict[str, str] = {}
    for path in SERVERS_FILES:
        for name, port in re.findall(r"\$\{env:(STACK_\w+_PORT):-(\d+)\}", path.read_text(encoding="utf-8")):
            assert found.setdefault(port, name) == name


def test_agent_and_single_collector_measure_and_take_out_alike() -> None:
    agent, single = load(CONFIG / "agent.yaml"), load(CONFIG / "single.yaml")
    assert agent["receivers"] == single["receivers"]
    for name in ("resource_detection", "transform/private_resource", "redaction"):
        assert agent["processors"][name] == single["processors"][name]


@pytest.mark.parametrize("name", ["agent", "single"])
def test_what_a_training_sends_is_redacted_in_every_pipeline(name: str) -> None:
    pipelines = load(CONFIG / f"{name}.yaml")["service"]["pipelines"]
    from_trainings = [pipeline for pipeline in pipelines.values() if "otlp" in pipeline["receivers"]]
    assert len(from_trainings) == 3
    for pipeline in from_trainings:
        assert {"transform/private_resource", "redaction"} <= set(pipeline["processors"])


@pytest.mark.parametrize("name", ["agent", "gateway", "balancer", "single"])
def test_memory_is_limited_first_and_queues_are_on_disk(name: str) -> None:
    config = load(file_of(name))
    for pipeline in config["service"]["pipelines"].values():
        assert pipeline["processors"][0] == "memory_limiter"
        # A Collector's own log needs no queue.
        for exporter in set(pipeline["exporters"]) - {"debug"}:
            assert config["exporters"][exporter]["sending_queue"]["storage"] == "file_storage"


def test_the_gateway_keeps_every_kind_of_batch_by_its_own_policy() -> None:
    policies = load(CONFIG / "gateway.yaml")["processors"]["tail_sampling"]["policies"]
    by_name = {policy["name"]: policy for policy in policies}
    kept = by_name["slow-profiled-first"]["string_attribute"]
    regular = by_name["not-a-regular-batch"]["not"]["not_sub_policy"]["string_attribute"]
    assert kept["key"] == regular["key"] == semconv.KEPT
    assert {*kept["values"], *regular["values"]} == {str(kind) for kind in semconv.Kept}


def test_memory_of_a_container_is_above_the_limiter_inside() -> None:
    for name in ("agent", "gateway", "gateway-2", "balancer", "jaeger"):
        limit = load(file_of(name))["processors"]["memory_limiter"]["limit_mib"]
        number, unit = re.fullmatch(r"(\d+)([mg])", SERVICES[name]["mem_limit"]).groups()  # type: ignore[union-attr]
        assert limit * 1.4 <= int(number) * {"m": 1, "g": 1024}[unit]
