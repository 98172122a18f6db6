"""Who may see the pages: who has the token, and asks under a name of this machine."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
OTLP: Final = "/v1/"
"""Under which OTLP/HTTP is taken: from programs, which have no cookies and tell the token in a header."""
_TOKEN: Final = "token"  # noqa: S105
_HEADERS: Final = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Gate:
    """Lets requests through that bear the token, once in the address and from then on in a cookie.

    A page of somebody else that has the browser ask here comes under another name (`Host`), from another origin, or
    without the cookie, which is sent to pages of this server alone.

    Args:
        app: What is behind it.
        token: The token.
        names: Names under which this server may be asked for; None for any.
        port: The server's port: cookies know none, and two servers are not to share one.
    """

    def __init__(self, app: ASGIApp, token: str, names: Collection[str] | None, port: int) -> None:
        self._app = app
        self._token = token
        self._names = names
        self._cookie = f"ocr_otel_watch_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refused = self._refused(scope)
        await (refused or self._app)(scope, receive, _forbidding(send))

    def _refused(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._names is not None and _name(host) not in self._names:
            return PlainTextResponse("This server answers under the name of this machine alone.\n", 421)
        if scope["path"].startswith(OTLP):
            kind, _, bearer = headers.get("authorization", "").partition(" ")
            allowed = kind.lower() == "bearer" and self._is_token(bearer)
            return None if allowed else PlainTextResponse("The token is missing in the header `authorization`.\n", 401)
        if scope["method"] not in ("GET", "HEAD") and urlsplit(headers.get("origin", "")).netloc != host:
            return PlainTextResponse("Only the page itself may ask for this.\n", 403)
        query = parse_qsl(scope["query_string"].decode("latin-1"))
        given = dict(query).get(_TOKEN)
        if given is not None and self._is_token(given) and scope["method"] == "GET":
            rest = urlencode([pair for pair in query if pair[0] != _TOKEN])
            # Without a second slash in front, which would name another server.
            answer = RedirectResponse("/" + scope["path"].lstrip("/") + (f"?{rest}" if rest else ""), 303)
            answer.set_cookie(self._cookie, self._token, httponly=True, samesite="strict")
            return answer
        if not self._is_token(self._of_cookie(headers)):
            return PlainTextResponse("Open the address that `ocr-otel watch` printed: it holds a token.\n", 401)
        return None

    def _of_cookie(self, headers: Headers) -> str:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return ""
        return found.value if found is not None else ""

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())


def _name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _forbidding(send: Send) -> Any:
    async def forbidding(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
        await send(message)

    return forbidding
