"""Writes what the servers read besides the files that are shipped: links to those, scrape targets, token, TLS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from ocr_otel.stack.credentials import ensure_certificates, ensure_token
from ocr_otel.stack.errors import StackError
from ocr_otel.stack.files import Layout
from ocr_otel.stack.plan import Plan

_WEBHOOK: Final = "http://127.0.0.1:9099/"
"""Where alerts go until somebody writes another address into `webhook-url`."""
_TARGETS: Final = {
    "agent": ("STACK_AGENT_METRICS_PORT", "agent"),
    "collector": ("STACK_AGENT_METRICS_PORT", "single"),
    "gateway": ("STACK_GATEWAY_METRICS_PORT", "gateway"),
    "jaeger": ("STACK_JAEGER_METRICS_PORT", "jaeger"),
    "prometheus": ("PROMETHEUS", "prometheus"),
    "alertmanager": ("ALERTMANAGER", "alertmanager"),
}
"""The port where Prometheus asks a server for its metrics, and the label `server` that rules call it by."""


def prepare(plan: Plan, layout: Layout, configuration: Path) -> dict[str, str]:
    """Make the stack's directory ready for a start.

    Args:
        plan: What will run.
        layout: The stack's directory.
        configuration: `collector-config/`.

    Returns:
        Variables with secrets that every server gets; the plan does not hold them.

    Raises:
        StackError: The directory cannot be written, or the certificates cannot be made.
    """
    try:
        layout.root.mkdir(parents=True, exist_ok=True)
        # Its own .gitignore: the token must not end in a repository, wherever the directory lies.
        (layout.root / ".gitignore").write_text("*\n", encoding="utf-8")
        _prepare_prometheus(plan, layout, configuration)
        _prepare_alertmanager(layout, configuration)
        for server in plan.servers:
            layout.data(server.name).mkdir(parents=True, exist_ok=True)
        if not plan.team:
            return {}
        ensure_certificates(layout.tls, configuration)
        return {"STACK_GATEWAY_TOKEN": ensure_token(layout.token)}
    except OSError as error:
        raise StackError(f"cannot write to {layout.root}: {error.strerror or error}") from error


def _prepare_prometheus(plan: Plan, layout: Layout, configuration: Path) -> None:
    targets = layout.prometheus / "targets"
    targets.mkdir(parents=True, exist_ok=True)
    for name in ("prometheus.yaml", "rules"):
        _link(layout.prometheus / name, configuration / "prometheus" / name)
    scraped = [
        {"targets": [plan.address(key)], "labels": {"server": label}}
        for key, label in (_TARGETS[server.name] for server in plan.servers)
    ]
    # JSON is YAML.
    (targets / "servers.yaml").write_text(json.dumps(scraped) + "\n", encoding="utf-8")
    alerted = [{"targets": [plan.address("ALERTMANAGER")]}]
    (targets / "alertmanager.yaml").write_text(json.dumps(alerted) + "\n", encoding="utf-8")


def _prepare_alertmanager(layout: Layout, configuration: Path) -> None:
    layout.alertmanager.mkdir(parents=True, exist_ok=True)
    _link(layout.alertmanager / "alertmanager.yaml", configuration / "alertmanager" / "alertmanager.yaml")
    webhook = layout.alertmanager / "webhook-url"
    if not webhook.exists():
        webhook.write_text(_WEBHOOK + "\n", encoding="utf-8")


def _link(link: Path, target: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target)
