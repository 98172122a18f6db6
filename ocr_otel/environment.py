"""Environment variables that are others for a while, with the standard library alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def changed_environment(set_to: Mapping[str, str], unset: Iterable[str] = ()) -> Iterator[None]:
    """Give variables other values, and those that they had back in the end.

    Args:
        set_to: Values by name.
        unset: Names of variables that are not there meanwhile.
    """
    without = tuple(unset)
    before = {name: os.environ.get(name) for name in (*set_to, *without)}
    for name in without:
        os.environ.pop(name, None)
    os.environ.update(set_to)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
