"""What goes wrong with the stack, in words for the person who started it."""

from __future__ import annotations


class StackError(Exception):
    """A server could not be built, started or stopped; the message says which, why and what to do."""
