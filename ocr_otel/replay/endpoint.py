"""Endpoints as people write them, and as they may be shown."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from ocr_otel.replay.lines import SIGNALS, ReplayError


def base_url(endpoint: str) -> str:
    """Return the base that `/v1/traces` is appended to; a URL of one signal is taken for its base.

    Raises:
        ReplayError: It is no URL of HTTP.
    """
    shown = endpoint.rpartition("@")[2]
    try:
        parts = urlsplit(endpoint)
        has_host, _ = bool(parts.hostname), parts.port
    except ValueError as error:
        raise ReplayError(f"--endpoint {shown} is not a URL: {error}.") from None
    if parts.scheme not in ("http", "https") or not has_host:
        raise ReplayError(
            f"--endpoint {shown} is not a URL of an OTLP/HTTP receiver: write it like http://localhost:4318."
        )
    path = parts.path.rstrip("/")
    for signal in SIGNALS:
        path = path.removesuffix(f"/v1/{signal}")
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def without_credentials(url: str) -> str:
    """Return the URL without user and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
