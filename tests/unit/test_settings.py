"""Settings: typed, with errors that name the variable, the value and what is allowed."""

from pathlib import Path

import pytest

from ocr_otel.settings import SettingsError, load, variables


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in variables():
        monkeypatch.delenv(name, raising=False)


def test_defaults() -> None:
    settings = load()
    assert not settings.enabled
    assert settings.runs_dir == Path("runs")
    assert settings.batch_spans == 200


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("OCR_OTEL_BATCH_SPANS", "many", "integer"),
        ("OCR_OTEL_BATCH_SPANS", "-1", "greater than or equal to 0"),
        ("OCR_OTEL_BATCH_SPANS", "2001", "less than or equal to 2000"),
        ("OCR_OTEL_SLOW_BATCH_RATIO", "1", "greater than 1"),
        ("OCR_OTEL_SUMMARY", "perhaps", "boolean"),
        ("OCR_OTEL_RUN_ID", "../elsewhere", "letters, digits"),
        ("OCR_OTEL_FLUSH_TIMEOUT", "0", "greater than 0"),
        ("OCR_OTEL_ENABLED", "maybe", "boolean"),
        ("OCR_OTEL_TRACKERS", "everything", "'summaries', 'links' or 'report'"),
        ("OCR_OTEL_JAEGER_URL", "jaeger:16686", "http"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, allowed: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        load()
    assert name in str(error.value)
    assert repr(value) in str(error.value)
    assert allowed in str(error.value)


def test_an_unknown_variable_is_answered_by_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCR_OTEL_BATCHSPANS", "3")
    with pytest.raises(SettingsError, match="did you mean OCR_OTEL_BATCH_SPANS"):
        load()


def test_an_unknown_variable_that_resembles_none_lists_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCR_OTEL_ZZZZQQQQXXXXKKKK", "3")
    with pytest.raises(SettingsError, match="OCR_OTEL_ENABLED, OCR_OTEL_RUNS_DIR"):
        load()
