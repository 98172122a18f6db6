"""Who gets in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from ocr_otel.watch.gate import LOOPBACK_NAMES, Gate

TOKEN = "t" * 32


async def answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse("inside")


@pytest.fixture
def client() -> Iterator[TestClient]:
    routes = [Route("/{path:path}", answer, methods=["GET", "POST"])]
    gate = Gate(Starlette(routes=routes), TOKEN, LOOPBACK_NAMES, 8765)
    with TestClient(gate, base_url="http://127.0.0.1:8765", follow_redirects=False) as client:
        yield client


def test_without_the_token_nothing_is_shown(client: TestClient) -> None:
    for path in ("/", "/runs/x", "/?token=wrong", "/?token="):
        refused = client.get(path)
        assert refused.status_code == 401
        assert "ocr-otel watch" in refused.text


def test_token_becomes_a_cookie_for_this_server_alone_and_leaves_the_address(client: TestClient) -> None:
    given = client.get(f"/runs/x?token={TOKEN}&a=1")
    assert (given.status_code, given.headers["location"]) == (303, "/runs/x?a=1")
    cookie = given.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "ocr_otel_watch_8765=" in cookie
    assert client.get("/runs/x").text == "inside"


def test_redirect_leads_to_no_other_server(client: TestClient) -> None:
    assert client.get(f"http://127.0.0.1:8765//evil.example/?token={TOKEN}").headers["location"] == "/evil.example/"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "[", "10.0.0.1"])
def test_other_names_of_this_server_are_refused_even_with_the_token(client: TestClient, host: str) -> None:
    client.get(f"/?token={TOKEN}")
    assert client.get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:9999", "127.0.0.1", "[::1]:8765", "LOCALHOST"])
def test_names_of_this_machine_are_taken_also_through_a_tunnel(client: TestClient, host: str) -> None:
    client.get(f"/?token={TOKEN}")
    cookie = f"ocr_otel_watch_8765={TOKEN}"
    assert client.get("/", headers={"host": host, "cookie": cookie}).text == "inside"


def test_only_the_page_itself_may_ask_for_something(client: TestClient) -> None:
    client.get(f"/?token={TOKEN}")
    assert client.post("/runs/x/profile").status_code == 403
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", "http://localhost:8765"):
        assert client.post("/runs/x/profile", headers={"origin": origin}).status_code == 403
    assert client.post("/runs/x/profile", headers={"origin": "http://127.0.0.1:8765"}).text == "inside"


def test_answers_forbid_frames_caches_and_guesses(client: TestClient) -> None:
    client.get(f"/?token={TOKEN}")
    headers = client.get("/").headers
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("cookie", ["ocr_otel_watch_8765=\xff", "=;=;", "ocr_otel_watch_8765", "a=" + "b" * 5000])
def test_damaged_cookies_are_no_token(client: TestClient, cookie: str) -> None:
    assert client.get("/", headers={"cookie": cookie.encode("latin-1")}).status_code == 401
