"""Rules, runbooks and routes agree with each other and with the vocabulary."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ocr_otel import semconv

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "collector-config"
RULES = CONFIG / "prometheus" / "rules"

OTHER_METRICS = {
    "up",
    "process_start_time_seconds",
    "prometheus_tsdb_head_series",
    "http_server_request_duration_seconds_count",
    "otelcol_exporter_enqueue_failed_metric_points_total",
    "otelcol_exporter_enqueue_failed_spans_total",
    "otelcol_exporter_queue_capacity",
    "otelcol_exporter_queue_size",
    "otelcol_exporter_send_failed_metric_points_total",
    "otelcol_exporter_send_failed_spans_total",
    "otelcol_exporter_sent_metric_points_total",
    "otelcol_exporter_sent_spans_total",
    "otelcol_process_memory_rss_bytes",
    "otelcol_receiver_refused_metric_points_total",
    "otelcol_receiver_refused_spans_total",
    "system_cpu_load_average_1m",
    "system_disk_io_time_seconds_total",
    "system_filesystem_usage_bytes",
    "system_memory_usage_bytes",
}
"""What the servers say of themselves, and the agent of its host, beside the vocabulary."""


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def rules(kind: str) -> list[dict[str, Any]]:
    files = sorted(RULES.glob("*.yaml"))
    assert files
    return [rule for path in files for group in load(path)["groups"] for rule in group["rules"] if kind in rule]


ALERTS = {rule["alert"]: rule for rule in rules("alert")}
RECORDED = {rule["record"] for rule in rules("record")}

KEYWORDS = {
    *("and", "or", "unless", "by", "on", "ignoring", "group_left", "group_right", "without", "offset", "bool"),
    *("sum", "avg", "max", "min", "count", "rate", "increase", "deriv", "time", "timestamp", "predict_linear"),
    *("last_over_time", "avg_over_time", "max_over_time", "count_over_time"),
}


def metrics_of(expression: str) -> set[str]:
    """Return the names of metrics in a PromQL expression that is made of `KEYWORDS`."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", bare)
    bare = re.sub(r"\b(?:by|on|ignoring|group_left|group_right|without)\s*\([^)]*\)", " ", bare)
    bare = re.sub(r"\boffset\s+\w+", " ", bare)
    return set(re.findall(r"(?<![\w.])[a-zA-Z_][\w:]*", bare)) - KEYWORDS


def known_metrics() -> set[str]:
    names = set()
    for metric in semconv.all_metrics().values():
        name = semconv.prometheus_name(metric)
        names |= {f"{name}_{part}" for part in ("bucket", "sum", "count")} if metric.kind == "histogram" else {name}
    return names | RECORDED | OTHER_METRICS


def test_names_are_read_out_of_an_expression() -> None:
    expression = 'max by (a, b) (x_total{c=~"d(e)"}[5m] offset 1m) > on (f) group_left () 0.1 * run:y:mean1h and 1e9'
    assert metrics_of(expression) == {"x_total", "run:y:mean1h"}


@pytest.mark.parametrize(
    "rule", [*rules("alert"), *rules("record")], ids=lambda rule: rule.get("alert", rule.get("record"))
)
def test_a_rule_reads_metrics_that_exist(rule: dict[str, Any]) -> None:
    assert metrics_of(rule["expr"])
    assert metrics_of(rule["expr"]) <= known_metrics()


def test_recorded_series_are_read_by_an_alert_or_dashboard() -> None:
    readers = "".join(str(rule["expr"]) for rule in rules("alert"))
    readers += "".join(str(rule["expr"]) for rule in rules("record"))
    readers += "".join(path.read_text(encoding="utf-8") for path in (ROOT / "dashboards" / "json").glob("*.json"))
    assert {name for name in RECORDED if name not in readers} == set()


@pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS)
def test_an_alert_says_how_bad_it_is_what_it_saw_and_where_to_read_on(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert re.fullmatch(r"\d+[sm]", alert.get("for", "")), "an alert needs `for` in seconds or minutes, such as 10m"
    annotations = alert["annotations"]
    assert set(annotations) == {"summary", "description", "runbook_url"}
    assert "{{" in annotations["summary"]
    # These two say that something is absent: there is no number to tell.
    if alert["alert"] not in {"TrainingRunNotStarting", "TelemetryServerDown"}:
        assert "$value" in annotations["description"], "the description tells the number: $value"
    page = ROOT / annotations["runbook_url"]
    assert page.stem == alert["alert"]
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {alert['alert']}: "), f"{page.name} begins with the alert's name as its title"
    assert f"Severity: {alert['labels']['severity']}." in text, f"{page.name} tells the severity as the rule does"
    for heading in ("What it means", "How to check", "What to do"):
        assert f"\n## {heading}\n" in text, f"{page.name} lacks the heading {heading}"


def test_there_is_no_page_without_an_alert_and_the_index_has_all() -> None:
    folder = ROOT / "docs" / "runbooks"
    pages = {page.stem for page in folder.glob("*.md")} - {"index"}
    assert pages == set(ALERTS), "each alert has a page docs/runbooks/<Name>.md, and each page an alert"
    index = (folder / "index.md").read_text(encoding="utf-8")
    for name, alert in ALERTS.items():
        assert f"| [{name}]({name}.md) | {alert['labels']['severity']} |" in index


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "runbooks").glob("*.md")), ids=lambda page: page.stem)
def test_a_runbook_asks_for_metrics_that_exist_and_links_to_pages_that_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"```promql\n(.*?)```", text, re.S):
        assert metrics_of(block) <= known_metrics()
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / link).exists(), link


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_is_tested_in_both_directions_and_after_a_clean_end(name: str) -> None:
    fires = quiet = after_clean_end = 0
    for path in (RULES / "tests").glob("*_test.yaml"):
        for case in load(path)["tests"]:
            for check in case["alert_rule_test"]:
                if check["alertname"] == name:
                    fires += bool(check.get("exp_alerts"))
                    quiet += not check.get("exp_alerts") and path.stem != "quiet_test"
                    after_clean_end += path.stem == "quiet_test"
    assert fires, f"no case of rules/tests/ in which {name} fires"
    assert quiet, f"no case of rules/tests/ in which {name} does not fire"
    assert after_clean_end >= 6, f"quiet_test.yaml names {name} {after_clean_end} times, not at each time of its cases"


def test_prometheus_promotes_what_rules_group_by_and_no_more() -> None:
    promoted = load(CONFIG / "prometheus" / "prometheus.yaml")["otlp"]["promote_resource_attributes"]
    labels = {re.sub(r"[^a-z0-9]", "_", name) for name in promoted}
    grouped = {
        label.strip()
        for rule in (*rules("alert"), *rules("record"))
        for labels_of in re.findall(r"\b(?:by|on) \(([^)]+)\)", rule["expr"])
        for label in labels_of.split(",")
    }
    assert {label for label in grouped if label.startswith(("service_", "training_r", "host_"))} <= labels
    assert {semconv.RUN_ID, semconv.RANK} <= set(promoted)
    assert len(promoted) <= 6


def test_alertmanager_names_alerts_and_receivers_that_exist() -> None:
    config = load(CONFIG / "alertmanager" / "alertmanager.yaml")
    for rule in config["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            label, names = re.fullmatch(r'(\w+)=~?"(.+)"', matcher).groups()  # type: ignore[union-attr]
            if label == "alertname":
                assert set(names.split("|")) <= set(ALERTS)
    receivers = {receiver["name"] for receiver in config["receivers"]}
    assert {config["route"]["receiver"], *(route["receiver"] for route in config["route"]["routes"])} == receivers


def test_a_dead_run_silences_its_own_stall_alert_and_no_other_runs() -> None:
    inhibitions = load(CONFIG / "alertmanager" / "alertmanager.yaml")["inhibit_rules"]
    found = [
        rule
        for rule in inhibitions
        if "TrainingRunKilled" in str(rule["source_matchers"]) and "TrainingRunStalled" in str(rule["target_matchers"])
    ]
    assert found
    assert all({"service_name", "training_run_id"} <= set(rule["equal"]) for rule in found)


def test_the_example_receiver_prints_an_alert_in_one_line() -> None:
    spec = importlib.util.spec_from_file_location("webhook_receiver", CONFIG / "alertmanager" / "webhook_receiver.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    alert = {"status": "firing", "labels": {"alertname": "A", "severity": "critical"}, "annotations": {"summary": "S"}}
    assert module.describe({"alerts": [alert, {"status": "resolved"}]}) == [
        "FIRING   critical A | S",
        "RESOLVED -        ?",
    ]
