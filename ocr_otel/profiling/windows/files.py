"""The trace files of a run: their names, what is written beside them, and how many may stay."""

from __future__ import annotations

import gzip
import re
import shutil
from pathlib import Path
from typing import Final

from ocr_otel.private import private_directory, private_opener, write_private

DIRECTORY: Final = "profiles"
TRACE_SUFFIX: Final = ".pt.trace.json.gz"
"""What TensorBoard and HolisticTraceAnalysis look for."""
PROFILE_SUFFIX: Final = ".profile.json"
_LEVEL: Final = 4
"""Of gzip: nearly as small as the default, in half of the time."""
_CHUNK: Final = 2**20
_NUMBER: Final = re.compile(r"\d+-(\d+)-")
_given: Final[dict[tuple[Path, int], int]] = {}
"""The last number that this process gave, by directory and rank: the last trace of an entry may not be written yet when
the next entry begins."""


class TraceFiles:
    """The trace files of one rank.

    Args:
        directory: The rank's run directory; it is made when the first file is written.
        rank: The rank.
        limit: Bytes that all files together may take.
    """

    def __init__(self, directory: Path, rank: int, limit: int) -> None:
        self.directory: Path = directory / DIRECTORY
        self._rank = rank
        self._limit = limit

    def new_name(self, mode: str) -> str:
        """Return a window's name, from which its files have theirs: no other entry or attempt of the run has it."""
        of_rank = (self.directory, self._rank)
        if of_rank not in _given:
            found = (_NUMBER.match(path.name) for path in self.directory.glob(f"{self._rank}-*"))
            _given[of_rank] = max((int(each[1]) for each in found if each), default=0)
        _given[of_rank] += 1
        return f"{self._rank}-{_given[of_rank]:03d}-{mode}"

    def scratch(self, name: str) -> Path:
        """Return where a trace is written before it is compressed."""
        return private_directory(self.directory) / f"{name}.tmp.json"

    def compress(self, scratch: Path, name: str) -> Path:
        """Compress a trace and return where it is.

        Raises:
            OSError: It cannot be written; nothing is left of it.
        """
        path = self.directory / (name + TRACE_SUFFIX)
        try:
            with (
                scratch.open("rb") as source,
                open(path, "wb", opener=private_opener) as file,
                gzip.GzipFile(fileobj=file, mode="wb", compresslevel=_LEVEL) as target,
            ):
                shutil.copyfileobj(source, target, _CHUNK)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return path

    def write_profile(self, name: str, text: str) -> None:
        """Write what was read out of a trace beside it."""
        write_private(self.directory / (name + PROFILE_SUFFIX), text)

    def make_room(self) -> list[str]:
        """Remove the oldest traces, with what lies beside them, until the limit holds; the newest stays.

        Returns:
            The names of the windows whose files were removed.
        """
        found = sorted(self.directory.glob("*" + TRACE_SUFFIX), key=lambda path: path.stat().st_mtime_ns)
        sizes = {path: path.stat().st_size for path in found}
        total = sum(sizes.values())
        removed = []
        for path in found[:-1]:
            if total <= self._limit:
                break
            total -= sizes[path]
            name = path.name.removesuffix(TRACE_SUFFIX)
            path.unlink(missing_ok=True)
            (self.directory / (name + PROFILE_SUFFIX)).unlink(missing_ok=True)
            removed.append(name)
        return removed
