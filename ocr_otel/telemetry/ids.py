"""Random trace and span ids that leave the training's random numbers alone."""

from __future__ import annotations

from random import Random

from opentelemetry.sdk.trace.id_generator import IdGenerator


class PrivateRandomIds(IdGenerator):
    """Random ids from a generator of its own.

    The SDK's takes them from Python's global one: a training that seeds it would get the same ids after each seeding,
    and other random numbers than without telemetry.
    """

    def __init__(self) -> None:
        self._bits = Random().getrandbits

    def generate_trace_id(self) -> int:
        """Return 128 random bits, not all zero."""
        return self._bits(128) or 1

    def generate_span_id(self) -> int:
        """Return 64 random bits, not all zero."""
        return self._bits(64) or 1

    def is_trace_id_random(self) -> bool:
        """Return True: the ids meet the randomness of W3C Trace Context level 2."""
        return True
