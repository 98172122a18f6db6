"""What a run trace came from: the trace that it is part of, and those that it is to be found beside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import Link


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an entry comes from.

    Attributes:
        parent: The context in which its span is a child; None for the one that is current.
        links: Links to others.
        attributes: What is known of them.
    """

    parent: Context | None = None
    links: tuple[Link, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
