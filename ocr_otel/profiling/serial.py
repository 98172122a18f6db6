"""A window's profile as JSON and back: how it comes out of the process that reads the trace."""

from __future__ import annotations

import msgspec

from ocr_otel.profiling.profile import WindowProfile

_DECODER = msgspec.json.Decoder(WindowProfile)


def dumps(profile: WindowProfile) -> str:
    """Return a profile as one line of JSON."""
    return msgspec.json.encode(profile).decode()


def loads(text: str | bytes) -> WindowProfile:
    """Return the profile that `dumps` wrote.

    Raises:
        ValueError: The text is something else; the message says where it differs.
    """
    # What msgspec raises is a ValueError.
    return _DECODER.decode(text)
