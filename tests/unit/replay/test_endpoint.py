"""Endpoints as people write them, and secrets in them."""

from __future__ import annotations

import pytest

from ocr_otel.replay import ReplayError, base_url, without_credentials


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("http://localhost:4318", "http://localhost:4318"),
        ("http://localhost:4318/", "http://localhost:4318"),
        ("https://host/otlp", "https://host/otlp"),
        ("https://host/otlp/v1/traces", "https://host/otlp"),
        ("http://[::1]:4318/v1/metrics/", "http://[::1]:4318"),
        ("http://user:password@host", "http://user:password@host"),
    ],
)
def test_base_url(given: str, base: str) -> None:
    assert base_url(given) == base


@pytest.mark.parametrize("given", ["", "localhost", "localhost:4318", "grpc://host:4317", "http://", "http://host:x"])
def test_what_is_no_url(given: str) -> None:
    with pytest.raises(ReplayError, match="is not a URL"):
        base_url(given)


def test_password_is_not_repeated() -> None:
    assert without_credentials("http://user:password@host:1/x") == "http://host:1/x"
    with pytest.raises(ReplayError) as caught:
        base_url("user:password@host")
    assert "password" not in str(caught.value)
