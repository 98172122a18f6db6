"""Reads what W&B writes offline: protocol buffers in a log of LevelDB's format."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_BLOCK = 32 * 1024
_FILE_HEADER = 7
_HEADER = struct.Struct("<IHB")
_FULL, _LAST = 1, 4


def records(path: Path) -> Iterator[Any]:
    """The records of an offline run."""
    from wandb.proto import wandb_internal_pb2

    data = path.read_bytes()
    at, parts = _FILE_HEADER, b""
    while at + _HEADER.size <= len(data):
        if _BLOCK - at % _BLOCK < _HEADER.size:
            at += _BLOCK - at % _BLOCK
            continue
        _, length, kind = _HEADER.unpack_from(data, at)
        at += _HEADER.size
        parts += data[at : at + length]
        at += length
        if kind in (_FULL, _LAST):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(parts)
            parts = b""
            yield record


def items(updates: Any) -> dict[str, Any]:
    """What an update of configuration, summary or history holds, by key."""
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in updates}
