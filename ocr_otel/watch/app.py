"""The pages and what they ask for: the list of runs, a run, its state as it changes, and a window of the profiler."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from ocr_otel.profiling.requests import Progress, State
from ocr_otel.runs import RunError
from ocr_otel.watch import pages
from ocr_otel.watch.followed import Followed
from ocr_otel.watch.gate import OTLP
from ocr_otel.watch.library import Library

if TYPE_CHECKING:
    # What decodes protobuf takes several megabytes, and most do not need it.
    from ocr_otel.watch.receiving import Receiver

_T = TypeVar("_T")
_SECONDS: Final = 1.0
"""Between two looks at a run whose page is open."""
_LIST_SECONDS: Final = 3.0


class App:
    """The application.

    Args:
        library: The runs that are shown.
        receiver: Takes what trainings send; None takes nothing.
    """

    def __init__(self, library: Library, receiver: Receiver | None = None) -> None:
        self._library = library
        self._receiver = receiver
        # Few threads: each has memory of its own for what it reads.
        self._threads = ThreadPoolExecutor(2, "watch")

    def routes(self) -> Starlette:
        """Return what a server runs."""
        taken = [Route(f"{OTLP}{{signal}}", self._receiver.take, methods=["POST"])] if self._receiver else []
        return Starlette(
            routes=[
                *taken,
                Route("/", self._front),
                Route("/events", self._list_events),
                Route("/runs/{name}", self._run),
                Route("/runs/{name}/fresh", self._fresh),
                Route("/runs/{name}/events", self._run_events),
                Route("/runs/{name}/profile", self._profile, methods=["POST"]),
            ],
            exception_handlers={RunError: _no_run},
        )

    async def _off(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """Call what reads files or waits for a process, off the loop that serves."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(function, *arguments))

    async def _front(self, request: Request) -> Response:
        if self._library.only is not None:
            return RedirectResponse(pages.address(self._library.only))
        return HTMLResponse(await self._off(pages.of_list, self._library))

    async def _run(self, request: Request) -> Response:
        return await self._page(request, fresh=False)

    async def _fresh(self, request: Request) -> Response:
        return await self._page(request, fresh=True)

    async def _page(self, request: Request, fresh: bool) -> Response:
        name = request.path_params["name"]
        followed = await self._off(self._library.followed, name)
        return HTMLResponse(await self._off(pages.of_run, followed, name, self._library.only is None, fresh))

    async def _list_events(self, request: Request) -> Response:
        async def events() -> AsyncIterator[dict[str, str]]:
            while True:
                found = await self._off(self._library.listed)
                lines = [
                    {"name": name, "address": pages.address(name), "error": error, **(asdict(now) if now else {})}
                    for name, now, error in found
                ]
                yield {"event": "runs", "data": _json(lines)}
                await asyncio.sleep(_LIST_SECONDS)

        return EventSourceResponse(events())

    async def _run_events(self, request: Request) -> Response:
        name = request.path_params["name"]
        await self._off(self._library.followed, name)

        async def events() -> AsyncIterator[dict[str, str]]:
            while True:
                try:
                    # Asked for each time: the run may have been let go of meanwhile, or its directory removed.
                    followed = await self._off(self._library.followed, name)
                    now = await self._off(followed.now)
                except (RunError, OSError) as error:
                    yield {"event": "gone", "data": _json({"error": str(error)})}
                else:
                    yield {"event": "now", "data": _json(asdict(now) | _beside(followed))}
                await asyncio.sleep(_SECONDS)

        return EventSourceResponse(events())

    async def _profile(self, request: Request) -> Response:
        followed = await self._off(self._library.followed, request.path_params["name"])
        if followed.window is not None and not followed.window.over:
            return JSONResponse(_window(followed.window), 409)

        def tell(progress: Progress) -> None:
            followed.window = progress

        tell(Progress(State.WAITING))
        # It goes on when the page is closed: the training was asked.
        threading.Thread(target=followed.process.profile, args=(tell,), daemon=True).start()
        return JSONResponse(_window(Progress(State.WAITING)), 202)


def _beside(followed: Followed) -> dict[str, Any]:
    return {"version": followed.version, "window": _window(followed.window) if followed.window else None}


def _window(progress: Progress) -> dict[str, Any]:
    return {
        "state": str(progress.state),
        "batches": progress.batches,
        "of": progress.of,
        "message": progress.message,
        "over": progress.over,
    }


async def _no_run(request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}\n", 404)


def _json(value: Any) -> str:
    return json.dumps(_finite(value), allow_nan=False, separators=(",", ":"))


def _finite(value: Any) -> Any:
    # What a module logs may be no number; JSON has no word for that.
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
