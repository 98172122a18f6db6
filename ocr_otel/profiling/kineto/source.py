"""The bytes of a trace file, piece by piece: plain or gzipped, told by its content; cut off, what is left of it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

PIECE: Final = 4 * 2**20
"""Bytes of text at a time: large enough that the work per piece is nothing, small beside the events."""
_READ: Final = 2**20
_GZIP: Final = b"\x1f\x8b"

Progress = Callable[[int, int], None]
"""Told the bytes of the file that were read, and its size."""


class TraceError(Exception):
    """A file is not a trace that could be read; the message is one sentence that names the file and the reason."""


class Source:
    """Reads a file once, in pieces of text.

    Args:
        path: The file.
        progress: Told how far it is.

    Attributes:
        path: The file.
        intact: Whether the bytes were all there; False once a gzip stream ended early or turned out to be damaged.
    """

    def __init__(self, path: Path, progress: Progress | None = None) -> None:
        self.path = path
        self.intact: bool = True
        self._progress = progress

    def pieces(self) -> Iterator[bytes]:
        """Yield the text.

        Raises:
            TraceError: The file cannot be read, or holds nothing.
        """
        try:
            size = self.path.stat().st_size
            with self.path.open("rb") as file:
                yield from self._compressed(file, size) if file.peek(2)[:2] == _GZIP else self._plain(file, size)
        except FileNotFoundError:
            raise TraceError(f"{self.path} is not there.") from None
        except IsADirectoryError:
            raise TraceError(f"{self.path} is a directory, not a trace file.") from None
        except OSError as error:
            raise TraceError(f"{self.path} cannot be read: {error.strerror or error}.") from error

    def _plain(self, file: BinaryIO, size: int) -> Iterator[bytes]:
        while piece := file.read(PIECE):
            self._tell(file.tell(), size)
            yield piece

    def _compressed(self, file: BinaryIO, size: int) -> Iterator[bytes]:
        # Not `gzip.GzipFile`: it throws away what it has decompressed when the stream ends early.
        stream = zlib.decompressobj(wbits=31)
        held = b""
        while held or (held := file.read(_READ)):
            try:
                piece = stream.decompress(held, PIECE)
            except zlib.error:
                self.intact = False
                return
            held = stream.unconsumed_tail
            if stream.eof:
                # Gzip files may be several streams, one after the other; zeros after the last one are padding.
                held = stream.unused_data.lstrip(b"\0")
                stream = zlib.decompressobj(wbits=31)
                ended = True
            else:
                ended = False
            self._tell(file.tell(), size)
            if piece:
                yield piece
        self.intact = ended

    def _tell(self, done: int, size: int) -> None:
        if self._progress is not None:
            self._progress(done, size)
