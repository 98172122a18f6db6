"""Every file that a server reads is accepted by that server, and every rule does what its tests say."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from ocr_otel.stack import BINARIES, build

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "collector-config"
RULES = CONFIG / "prometheus" / "rules"
FLEET = CONFIG / "fleet"
KUBERNETES = sorted((CONFIG / "kubernetes").glob("*.yaml"))
KUBERNETES_FLEET = sorted((FLEET / "kubernetes").glob("*.yaml"))
OLDEST_KUBERNETES = "1.30"
SECONDS = 120


def run(binary: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the stack with no `STACK_*` variables but those given."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("STACK_")}
    return subprocess.run(
        [str(build(BINARIES[binary], CONFIG)), *map(str, arguments)],
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.fixture
def required(tmp_path: Path) -> dict[str, str]:
    """What has no default."""
    return {
        "STACK_DATA_DIRECTORY": str(tmp_path),
        "STACK_TLS_DIRECTORY": str(tmp_path),
        "STACK_GATEWAY_TOKEN": "token",
    }


@pytest.mark.parametrize("name", ["agent", "gateway", "single"])
def test_the_collector_accepts_its_file(name: str, required: dict[str, str]) -> None:
    done = run("otelcol", "validate", f"--config=file:{CONFIG / name}.yaml", **required)
    assert done.returncode == 0, done.stderr


def test_the_collector_accepts_the_balancer_and_refuses_it_without_gateways(required: dict[str, str]) -> None:
    file = f"--config=file:{FLEET / 'balancer.yaml'}"
    gateways = "[gateway-0.gateways:14317, gateway-1.gateways:14317]"
    done = run("otelcol", "validate", file, **required, STACK_FLEET_GATEWAYS=gateways)
    assert done.returncode == 0, done.stderr
    done = run("otelcol", "validate", file, **required)
    assert done.returncode != 0
    assert "no endpoints specified" in done.stderr


@pytest.mark.parametrize("name", ["agent", "gateway", "fleet/balancer"])
def test_without_a_token_the_collector_does_not_start(name: str, required: dict[str, str]) -> None:
    del required["STACK_GATEWAY_TOKEN"]
    required["STACK_FLEET_GATEWAYS"] = "[gateway:14317]"
    done = run("otelcol", "validate", f"--config=file:{CONFIG / name}.yaml", **required)
    assert done.returncode != 0
    assert "no bearer token provided" in done.stderr


def test_the_agent_accepts_what_kubernetes_and_compose_set(required: dict[str, str]) -> None:
    containers = {"STACK_HOST_NAME": "node-7", "STACK_HOST_ROOT": "/", "STACK_IGNORED_INTERFACES": ".*"}
    done = run("otelcol", "validate", f"--config=file:{CONFIG / 'agent.yaml'}", **required, **containers)
    assert done.returncode == 0, done.stderr


def test_a_share_that_is_no_number_is_refused(required: dict[str, str]) -> None:
    file = f"--config=file:{CONFIG / 'gateway.yaml'}"
    assert run("otelcol", "validate", file, **required, STACK_KEEP_REGULAR_PERCENT="12.5").returncode == 0
    assert run("otelcol", "validate", file, **required, STACK_KEEP_REGULAR_PERCENT="few").returncode != 0


def test_jaeger_accepts_its_file(required: dict[str, str]) -> None:
    done = run("jaeger", "validate", f"--config=file:{CONFIG / 'jaeger.yaml'}", **required)
    assert done.returncode == 0, done.stderr


def test_prometheus_accepts_its_file_and_reads_every_rule() -> None:
    done = run("promtool", "check", "config", "--lint=all", "--lint-fatal", CONFIG / "prometheus" / "prometheus.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(list(RULES.glob('*.yaml')))} rule files found" in done.stdout


@pytest.mark.parametrize("targets", ["kubernetes/targets", "fleet/kubernetes/targets"])
def test_prometheus_accepts_the_targets_of_kubernetes(tmp_path: Path, targets: str) -> None:
    folder = tmp_path / "prometheus"
    folder.mkdir()
    for name in ("prometheus.yaml", "rules"):
        (folder / name).symlink_to(CONFIG / "prometheus" / name)
    (folder / "targets").mkdir()
    # A fleet replaces some of the files.
    for path in (*(CONFIG / "kubernetes" / "targets").iterdir(), *(CONFIG / targets).iterdir()):
        (folder / "targets" / path.name).unlink(missing_ok=True)
        (folder / "targets" / path.name).symlink_to(path)
    done = run("promtool", "check", "config", folder / "prometheus.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", sorted(RULES.glob("*.yaml")), ids=lambda path: path.stem)
def test_rules_are_well_formed(path: Path) -> None:
    done = run("promtool", "check", "rules", "--lint=all", "--lint-fatal", path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", sorted((RULES / "tests").glob("*_test.yaml")), ids=lambda path: path.stem)
def test_rules_do_what_their_tests_say(path: Path) -> None:
    done = run("promtool", "test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("group", ["runs", "resources", "telemetry"])
@pytest.mark.parametrize("broken", ["vector(0) > 1", "vector(1)"], ids=["never-fires", "always-fires"])
def test_an_alert_that_is_broken_is_found_by_its_tests(tmp_path: Path, group: str, broken: str) -> None:
    rules, tests = tmp_path / "rules", tmp_path / "rules" / "tests"
    tests.mkdir(parents=True)
    alerts = yaml.safe_load((RULES / f"alerts-{group}.yaml").read_text(encoding="utf-8"))
    for rule in alerts["groups"][0]["rules"]:
        rule["expr"] = broken
    (rules / f"alerts-{group}.yaml").write_text(yaml.safe_dump(alerts), encoding="utf-8")
    (rules / "recording.yaml").symlink_to(RULES / "recording.yaml")
    (tests / "t.yaml").symlink_to(RULES / "tests" / f"{group}_test.yaml")
    done = run("promtool", "test", "rules", tests / "t.yaml")
    assert done.returncode != 0
    for rule in alerts["groups"][0]["rules"]:
        assert f"alertname: {rule['alert']}," in done.stdout + done.stderr


def test_alertmanager_accepts_its_file() -> None:
    done = run("amtool", "check-config", CONFIG / "alertmanager" / "alertmanager.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["alertname=TrainingRunKilled", "severity=critical"], "webhook"),
        (["alertname=TrainingThroughputFell", "severity=warning"], "webhook"),
        (["alertname=TrainingGPUMemoryNearlyFull", "severity=info"], "nobody"),
    ],
)
def test_an_alert_is_sent_to_who_should_hear_of_it(labels: list[str], receiver: str) -> None:
    file = f"--config.file={CONFIG / 'alertmanager' / 'alertmanager.yaml'}"
    done = run("amtool", "config", "routes", "test", file, *labels)
    assert done.stdout.split() == [receiver], done.stderr


# Containers.


def has_compose() -> bool:
    """Say whether there is a Docker client that knows `compose`."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not has_compose(), reason="no `docker compose` here; the file is checked by its schema anyway")
def test_compose_accepts_the_file_and_refuses_it_without_secrets(tmp_path: Path) -> None:
    def config(**environment: str) -> subprocess.CompletedProcess[str]:
        command = ["docker", "compose", f"--project-directory={ROOT}", f"--file={ROOT / 'docker-compose.yml'}"]
        (tmp_path / "none.env").touch()
        return subprocess.run(
            [*command, f"--env-file={tmp_path / 'none.env'}", "config", "--quiet"],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)} | environment,
            capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip

    done = config(GRAFANA_ADMIN_PASSWORD="p", STACK_GATEWAY_TOKEN="t")
    assert done.returncode == 0, done.stderr
    assert "there is no default password" in config(STACK_GATEWAY_TOKEN="t").stderr


def _documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", KUBERNETES + KUBERNETES_FLEET, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_kubernetes_accepts_a_manifest(path: Path) -> None:
    for document in _documents(path):
        kubernetes_validate.validate(document, OLDEST_KUBERNETES, strict=True)


def test_the_validator_refuses_a_field_that_does_not_exist() -> None:
    document = _documents(CONFIG / "kubernetes" / "gateway.yaml")[0]
    document["spec"]["template"]["spec"]["containers"][0]["memory"] = "1Gi"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, OLDEST_KUBERNETES, strict=True)


def test_the_kustomization_lists_every_manifest_and_the_files_that_all_forms_share() -> None:
    kustomization = yaml.safe_load((CONFIG / "kustomization.yaml").read_text(encoding="utf-8"))
    listed = {CONFIG / name for name in kustomization["resources"]}
    assert listed == set(KUBERNETES)
    generated = {each["name"]: each["files"] for each in kustomization["configMapGenerator"]}
    for files in generated.values():
        assert all((CONFIG / name).is_file() for name in files)
    assert {f"prometheus/rules/{path.name}" for path in RULES.glob("*.yaml")} == set(generated["prometheus-rules"])
    used = json.dumps([document for path in KUBERNETES for document in _documents(path)])
    for name, files in generated.items():
        assert f'"configMap": {{"name": "{name}"' in used
        assert name != "prometheus-rules" or all(Path(file).name in used for file in files)


def test_kubernetes_runs_the_images_that_compose_runs() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    pinned = {service["image"] for service in compose.values()}
    for path in KUBERNETES + KUBERNETES_FLEET:
        for document in _documents(path):
            pod = document.get("spec", {}).get("template", {}).get("spec", {})
            for container in (*pod.get("initContainers", []), *pod.get("containers", [])):
                assert container["image"] in pinned
                assert container["resources"]["limits"]["memory"]
                assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]


@pytest.mark.parametrize(
    ("manifest", "file"),
    [
        *((f"kubernetes/{name}", name) for name in ("agent", "gateway", "jaeger")),
        ("fleet/kubernetes/gateways", "gateway"),
        ("fleet/kubernetes/balancer", "fleet/balancer"),
    ],
)
def test_a_pod_is_given_what_has_no_default_and_nothing_that_is_not_read(manifest: str, file: str) -> None:
    text = (CONFIG / f"{file}.yaml").read_text(encoding="utf-8")
    container = _documents(CONFIG / f"{manifest}.yaml")[0]["spec"]["template"]["spec"]["containers"][0]
    given = {variable["name"] for variable in container["env"] if variable["name"].startswith("STACK_")}
    assert all(f"${{env:{variable}" in text for variable in given)
    for variable in ("STACK_DATA_DIRECTORY", "STACK_TLS_DIRECTORY", "STACK_GATEWAY_TOKEN", "STACK_FLEET_GATEWAYS"):
        assert (f"${{env:{variable}}}" in text) == (variable in given)


# The fleet on Kubernetes.


def test_the_gateways_of_a_fleet_are_the_one_gateway_several_times() -> None:
    one = _documents(CONFIG / "kubernetes" / "gateway.yaml")[0]["spec"]["template"]
    fleet = _documents(FLEET / "kubernetes" / "gateways.yaml")[0]["spec"]
    # The queue of each comes from a claim of its own.
    (claim,) = fleet["volumeClaimTemplates"]
    one["spec"]["volumes"] = [each for each in one["spec"]["volumes"] if each["name"] != claim["metadata"]["name"]]
    assert fleet["template"] == one


def test_the_balancer_knows_every_gateway_of_the_stateful_set_by_its_name() -> None:
    fleet, service = _documents(FLEET / "kubernetes" / "gateways.yaml")
    pod = _documents(FLEET / "kubernetes" / "balancer.yaml")[0]["spec"]["template"]["spec"]
    told = next(each["value"] for each in pod["containers"][0]["env"] if each["name"] == "STACK_FLEET_GATEWAYS")
    assert fleet["spec"]["serviceName"] == service["metadata"]["name"]
    assert yaml.safe_load(told) == [
        f"{fleet['metadata']['name']}-{number}.{service['metadata']['name']}:14317"
        for number in range(fleet["spec"]["replicas"])
    ]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no `kubectl` here to build the kustomization with")
def test_kustomize_builds_both_forms(tmp_path: Path) -> None:
    def build_with(*components: str) -> dict[tuple[str, str], dict[str, Any]]:
        folder = tmp_path / "-".join(["config", *components])
        shutil.copytree(CONFIG, folder, ignore=shutil.ignore_patterns("build"))
        if components:
            with (folder / "kustomization.yaml").open("a", encoding="utf-8") as file:
                file.write(f"\ncomponents: [{', '.join(components)}]\n")
        command = ["kubectl", "kustomize", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.returncode == 0, done.stderr
        return {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(done.stdout)}

    one, fleet = build_with(), build_with("fleet")
    assert ("Deployment", "gateway") in one
    assert ("Deployment", "gateway") not in fleet
    assert ("PersistentVolumeClaim", "gateway-queue") not in fleet
    assert {("StatefulSet", "gateway"), ("StatefulSet", "balancer")} <= set(fleet)
    # Agents keep their address.
    assert fleet["Service", "gateway"]["spec"]["selector"] == {"app.kubernetes.io/name": "balancer"}
    assert fleet["DaemonSet", "agent"] == one["DaemonSet", "agent"]
    for document in fleet.values():
        kubernetes_validate.validate(document, OLDEST_KUBERNETES, strict=True)
