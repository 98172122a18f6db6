"""Parts that are not installed, or whose installation is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reliability.hard import check_same, end, train, train_both
from tests.reliability.test_limits import spans


@pytest.mark.parametrize("missing", ["pynvml", "httpx", "jinja2"])
def test_what_is_recorded_without_an_optional_part(tmp_path: Path, missing: str) -> None:
    assert train_both(tmp_path, "none", f"--without={missing}").code == 0
    assert [span["name"] for span in spans(tmp_path)].count("train_epoch") == 2


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("psutil", "psutil"),
        ("opentelemetry.sdk.trace", "opentelemetry"),
        ("opentelemetry.exporter.otlp.json.file", "opentelemetry.exporter.otlp.json"),
        ("opentelemetry.instrumentation.system_metrics", "opentelemetry.instrumentation"),
        ("pydantic_settings", "pydantic_settings"),
    ],
)
def test_what_cannot_be_recorded_at_all_is_said_and_the_training_goes_on(
    tmp_path: Path, missing: str, named: str
) -> None:
    ended = train_both(tmp_path, "none", f"--without={missing}")
    assert ended.code == 0
    assert any(named in line for line in ended.ours), ended.err


@pytest.mark.parametrize("error", ["OSError('planted')", "AttributeError('planted')"])
def test_a_part_whose_installation_is_broken(tmp_path: Path, error: str) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "psutil.py").write_text(f"raise {error}\n")
    without = train(tmp_path / "without", "none", on=False)
    with_ours = train(tmp_path / "with", "none", PYTHONPATH=str(parts))
    assert check_same(end(without), end(with_ours)).code == 0


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OCR_OTEL_FLUSH_TIMEOUT", "soon"),
        ("OCR_OTEL_BATCH_SPAN", "3"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon"),
        ("OTEL_TRACES_EXPORTER", "nowhere"),
    ],
)
def test_a_setting_that_is_wrong_ends_the_training_at_its_start_and_says_which(
    tmp_path: Path, variable: str, value: str
) -> None:
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"} if variable.endswith("PROTOCOL") else {}
    ended = end(train(tmp_path, "none", **endpoint, **{variable: value}))
    assert ended.code == 1
    assert "loss" not in ended.out
    assert f"{variable}" in ended.err.splitlines()[-1]
