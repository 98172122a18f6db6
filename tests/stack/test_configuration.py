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
KUBERNETES = sorted((CONFIG / "kubernetes").glob("*.yaml"))
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


@pytest.mark.parametrize("name", ["agent", "gateway"])
def test_without_a_token_the_collector_does_not_start(name: str, required: dict[str, str]) -> None:
    del required["STACK_GATEWAY_TOKEN"]
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


def test_prometheus_accepts_the_targets_of_kubernetes(tmp_path: Path) -> None:
    folder = tmp_path / "prometheus"
    folder.mkdir()
    for name in ("prometheus.yaml", "rules"):
        (folder / name).symlink_to(CONFIG / "prometheus" / name)
    (folder / "targets").symlink_to(CONFIG / "kubernetes" / "targets")
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


@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.stem)
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
    for path in KUBERNETES:
        for document in _documents(path):
            pod = document.get("spec", {}).get("template", {}).get("spec", {})
            for container in (*pod.get("initContainers", []), *pod.get("containers", [])):
                assert container["image"] in pinned
                assert container["resources"]["limits"]["memory"]
                assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]


@pytest.mark.parametrize("name", ["agent", "gateway", "jaeger"])
def test_a_pod_is_given_what_has_no_default_and_nothing_that_is_not_read(name: str) -> None:
    text = (CONFIG / f"{name}.yaml").read_text(encoding="utf-8")
    container = _documents(CONFIG / "kubernetes" / f"{name}.yaml")[0]["spec"]["template"]["spec"]["containers"][0]
    given = {variable["name"] for variable in container["env"] if variable["name"].startswith("STACK_")}
    assert all(f"${{env:{variable}" in text for variable in given)
    for variable in ("STACK_DATA_DIRECTORY", "STACK_TLS_DIRECTORY", "STACK_GATEWAY_TOKEN"):
        assert (f"${{env:{variable}}}" in text) == (variable in given)
