"""Takes OTLP/HTTP and keeps it as run directories, so that any run that exports here can be watched."""

from __future__ import annotations

import json
import re
import time
import zlib
from pathlib import Path
from typing import Any, Final, get_args

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from ocr_otel import semconv
from ocr_otel.otlp import protobuf
from ocr_otel.private import private_directory, private_opener, write_private
from ocr_otel.runs import finite, otlp
from ocr_otel.runs.reader import FORMAT
from ocr_otel.settings import RUN_ID
from ocr_otel.spool import Signal

LARGEST_REQUEST: Final = 16_000_000
"""Bytes of a request, decompressed; the SDK's are a hundredth of it."""
LARGEST_FILE: Final = 2_000_000_000
"""Bytes of a signal of a rank; what comes then is refused."""
_JSON: Final = "application/json"
_PROTOBUF: Final = "application/x-protobuf"
_KINDS: Final = {"traces": "Spans", "metrics": "Metrics", "logs": "Logs"}


class Receiver:
    """Keeps what is sent below a directory.

    Args:
        runs_dir: Where the run directories are made.
    """

    def __init__(self, runs_dir: Path) -> None:
        self._runs_dir = runs_dir

    async def take(self, request: Request) -> Response:
        """Answer an export request: 200, also where a part of it belongs to no run and is rejected."""
        signal = request.path_params["signal"]
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if signal not in get_args(Signal):
            return PlainTextResponse("Signals are traces, metrics and logs.\n", 404)
        if kind not in (_JSON, _PROTOBUF):
            return PlainTextResponse(f"Send {_PROTOBUF} or {_JSON}.\n", 415)
        try:
            body = await _body(request)
            message = protobuf.parse_line(signal, body) if kind == _JSON else protobuf.parse(signal, body)
        except _TooLarge:
            return PlainTextResponse(f"A request holds at most {LARGEST_REQUEST:,} bytes.\n", 413)
        except (ValueError, zlib.error, DecodeError, ClientDisconnect) as error:
            return PlainTextResponse(f"This is no OTLP request: {error}\n", 400)
        try:
            rejected = self._keep(signal, protobuf.as_json(message))
        except OSError as error:
            return PlainTextResponse(f"It cannot be kept: {error.strerror or error}\n", 507)
        answer = protobuf.response(signal, rejected, "its resource names no run in training.run.id")
        return Response(answer if kind == _PROTOBUF else b"{}", media_type=kind)

    def _keep(self, signal: Signal, request: dict[str, Any]) -> int:
        """Append a request to the files of its runs, and return how many resources belong to none."""
        key = f"resource{_KINDS[signal]}"
        rejected = 0
        for resource in request.get(key, []):
            part = self._part(otlp.attributes(resource.get("resource")))
            if part is None:
                rejected += 1
                continue
            path = part / f"{signal}.jsonl"
            if path.is_file() and path.stat().st_size > LARGEST_FILE:
                raise OSError(0, f"{path.name} of this run is full")
            line = json.dumps({key: [resource]}, separators=(",", ":")).encode() + b"\n"
            with open(path, "ab", buffering=0, opener=private_opener) as file:
                file.write(line)
        return rejected

    def _part(self, resource: dict[str, Any]) -> Path | None:
        """Return the directory of a rank, made where it is not there; None for what belongs to no run."""
        run_id = str(resource.get(semconv.RUN_ID, ""))
        if not re.fullmatch(RUN_ID, run_id):
            return None
        directory = self._runs_dir / run_id
        size, rank = finite(resource.get(semconv.WORLD_SIZE), 1), int(finite(resource.get(semconv.RANK)))
        part = directory / f"rank-{rank}" if size > 1 and rank >= 0 else directory
        private_directory(part)
        if not (part / "traces.jsonl").exists():
            # What metrics are sent of before the first span is a run too.
            open(part / "traces.jsonl", "ab", opener=private_opener).close()
            told = {"format": FORMAT, "run_id": run_id, "started_unix_nano": time.time_ns()}
            write_private(part / "run.json", json.dumps(told))
        return part


class _TooLarge(Exception):
    pass


async def _body(request: Request) -> bytes:
    gzipped = request.headers.get("content-encoding", "").lower() == "gzip"
    inflate = zlib.decompressobj(wbits=31) if gzipped else None
    parts: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        part = inflate.decompress(chunk, LARGEST_REQUEST + 1) if inflate is not None else chunk
        size += len(part)
        if size > LARGEST_REQUEST or (inflate is not None and inflate.unconsumed_tail):
            raise _TooLarge
        parts.append(part)
    return b"".join(parts)
