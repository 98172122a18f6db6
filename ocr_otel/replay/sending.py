"""Posts export requests to an OTLP/HTTP receiver: encodings, retries within a bound, and errors in plain words."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import httpx
import tenacity

from ocr_otel.otlp import protobuf
from ocr_otel.otlp.retry_after import seconds_to_wait
from ocr_otel.replay.endpoint import without_credentials
from ocr_otel.replay.lines import RESOURCES, ReplayError, Signal

RETRYABLE: Final = frozenset({429, 502, 503, 504})
"""Statuses after which OTLP asks the sender to try again."""
_REJECTED: Final[dict[Signal, str]] = {
    "traces": "rejectedSpans",
    "metrics": "rejectedDataPoints",
    "logs": "rejectedLogRecords",
}
_SHOWN_BODY: Final = 200
"""Characters of a receiver's error text that are shown."""
_FORMS: Final = (("json", True), ("protobuf", True), ("protobuf", False), ("json", False))
"""Encoding, and whether with gzip: tried in this order while the receiver answers 415."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one request is tried.

    Attributes:
        attempts: Tries of one request.
        seconds: Seconds after which no further try begins.
        longest_wait: Longest wait between two tries; a receiver that asks for more is taken at its word, and the
            replay ends.
        first_contact: Tries while the receiver has never answered, which is more often a wrong address than an outage.
    """

    attempts: int = 8
    seconds: float = 60.0
    longest_wait: float = 30.0
    first_contact: int = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver said to a request that it took.

    Attributes:
        rejected: Items that it did not take all the same.
        message: Its reason or warning.
    """

    rejected: int
    message: str


class GivenUp(Exception):
    """The replay cannot go on: the message is a sentence for the user."""


class LineRefused(Exception):
    """The receiver does not take what is in the request."""


class SignalNotTaken(Exception):
    """The receiver has no place for this signal."""


class _Transient(Exception):
    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Sender:
    """A connection to one receiver.

    Args:
        base: Base URL, as `base_url` returns it.
        headers: Sent with each request; their values appear in no message.
        timeout: Seconds that one try may take.
        patience: How long one request is tried.
        on_wait: Told the reason and the seconds before each further try.
        stopping: Once it is set, no wait and no further try begins.
    """

    def __init__(
        self,
        base: str,
        headers: Mapping[str, str],
        timeout: float,
        patience: Patience,
        on_wait: Callable[[str, float], None],
        stopping: threading.Event,
    ) -> None:
        self.shown: str = without_credentials(base)
        self._base = base
        self._secrets = tuple(value for value in headers.values() if value)
        self._patience = patience
        self._on_wait = on_wait
        self._stopping = stopping
        self._form = 0
        self._answered = False
        try:
            self._client = httpx.Client(headers=dict(headers), timeout=timeout)
        except (UnicodeEncodeError, ValueError, OSError) as error:
            raise ReplayError(f"The connection cannot be made: {self._clean(str(error))}.") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def send(self, signal: Signal, resources: list[Any]) -> Answer:
        """Send one request.

        Raises:
            GivenUp: The receiver is not there, does not answer, or lets nobody in.
            LineRefused: It is there and refuses this content, or its size.
            SignalNotTaken: It does not know the path of this signal.
        """
        request = {RESOURCES[signal]: resources}
        while True:
            response = self._try(signal, *self._encode(signal, request))
            if response.status_code != httpx.codes.UNSUPPORTED_MEDIA_TYPE or self._form + 1 == len(_FORMS):
                break
            self._form += 1
        return self._judge(signal, response)

    def _encode(self, signal: Signal, request: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        encoding, zipped = _FORMS[self._form]
        if encoding == "json":
            body = json.dumps(request, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
            headers = {"Content-Type": "application/json"}
        else:
            try:
                body = protobuf.encode(signal, request)
            except ValueError as error:
                raise LineRefused(f"it does not fit OTLP/protobuf: {error}") from None
            headers = {"Content-Type": "application/x-protobuf"}
        if zipped:
            body = gzip.compress(body, compresslevel=5)
            headers["Content-Encoding"] = "gzip"
        return body, headers

    def _try(self, signal: Signal, body: bytes, headers: dict[str, str]) -> httpx.Response:
        tries = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Transient),
            wait=self._wait,
            stop=self._is_enough,
            sleep=tenacity.sleep_using_event(self._stopping),
            before_sleep=self._before_sleep,
            reraise=True,
        )
        try:
            return tries(self._post, f"{self._base}/v1/{signal}", body, headers)
        except _Transient as error:
            wait = f", and asks to wait {error.retry_after:.0f} s" if error.retry_after else ""
            raise GivenUp(f"{self.shown} {error}{wait}") from None

    def _post(self, url: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
        try:
            response = self._client.post(url, content=body, headers=headers)
        except httpx.ConnectTimeout:
            raise _Transient("does not accept a connection in time") from None
        except httpx.TimeoutException:
            raise _Transient("took the connection and did not answer in time") from None
        except httpx.RemoteProtocolError as error:
            if "disconnected" in str(error):
                raise _Transient("closed the connection without an answer") from None
            raise GivenUp(
                f"{self.shown} does not speak HTTP/1.1: is it the gRPC port? OTLP/HTTP is usually on port 4318"
            ) from None
        except httpx.LocalProtocolError as error:
            raise GivenUp(f"The request cannot be made: {self._clean(str(error))}") from None
        except httpx.TransportError as error:
            text = self._clean(str(error)) or type(error).__name__
            if "CERTIFICATE_VERIFY_FAILED" in text or "WRONG_VERSION_NUMBER" in text:
                raise GivenUp(f"TLS with {self.shown} failed: {text}") from None
            raise _Transient(f"cannot be reached ({text})") from None
        self._answered = True
        if response.status_code in RETRYABLE:
            raise _Transient(
                f"answers {response.status_code} {response.reason_phrase}",
                seconds_to_wait(response.headers.get("Retry-After", "")),
            )
        return response

    def _judge(self, signal: Signal, response: httpx.Response) -> Answer:
        status = response.status_code
        is_protobuf = "protobuf" in response.headers.get("Content-Type", "")
        if 200 <= status < 300:
            return _answer(signal, response, is_protobuf)
        text = protobuf.decode_error(response.content) if is_protobuf else _error_text(response)
        said = f"{status} {response.reason_phrase}".strip() + (f": {self._clean(text)}" if text else "")
        match status:
            case 404 | 405:
                raise SignalNotTaken(said)
            case 400 | 413 | 422:
                raise LineRefused(said)
            case 401 | 403:
                raise GivenUp(f"{self.shown} lets nobody in without the right credentials ({said}); give --header")
            case 415:
                raise GivenUp(f"{self.shown} takes neither OTLP/JSON nor OTLP/protobuf ({said})")
            case _ if 300 <= status < 400:
                target = without_credentials(response.headers.get("Location", ""))
                raise GivenUp(f"{self.shown} redirects ({said}) to {target or 'nowhere'}; name that as the --endpoint")
            case _:
                raise GivenUp(f"{self.shown} answers {said}")

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, _Transient) and error.retry_after is not None:
            return error.retry_after
        return float(min(0.5 * 2 ** (state.attempt_number - 1), self._patience.longest_wait))

    def _is_enough(self, state: tenacity.RetryCallState) -> bool:
        attempts = self._patience.attempts if self._answered else self._patience.first_contact
        wait = self._wait(state)
        return (
            self._stopping.is_set()
            or state.attempt_number >= attempts
            or wait > self._patience.longest_wait
            or (state.seconds_since_start or 0.0) + wait > self._patience.seconds
        )

    def _before_sleep(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self._on_wait(f"{self.shown} {error}", state.next_action.sleep if state.next_action else 0.0)

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return " ".join(text.split())[:_SHOWN_BODY]


def _answer(signal: Signal, response: httpx.Response, is_protobuf: bool) -> Answer:
    try:
        body = protobuf.decode_response(signal, response.content) if is_protobuf else response.json()
        partial = body.get("partialSuccess") or {}
        return Answer(int(partial.get(_REJECTED[signal], 0)), str(partial.get("errorMessage", "")))
    except (AttributeError, TypeError, ValueError):
        return Answer(0, "")


def _error_text(response: httpx.Response) -> str:
    try:
        return str(response.json()["message"])
    except (KeyError, TypeError, ValueError):
        return "" if "html" in response.headers.get("Content-Type", "") else response.text
