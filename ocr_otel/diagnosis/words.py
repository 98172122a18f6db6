"""Numbers as verdicts write them."""

from __future__ import annotations


def percent(share: float) -> str:
    """Write a share: `62%`, `4.1%` where it is small."""
    return f"{share:.0%}" if share >= 0.0995 or share == 0 else f"{share:.1%}"


def seconds(value: float) -> str:
    """Write a time: `41 ms`, `4.5 s`, `3 min 20 s`."""
    if value < 0.0009995:
        return f"{value * 1e6:.3g} µs"
    if value < 0.9995:
        return f"{value * 1e3:.3g} ms"
    if value < 59.95:
        return f"{value:.3g} s"
    whole = round(value)
    return f"{whole // 60} min {whole % 60} s"


def count(number: float, noun: str) -> str:
    """Write a number of things: `1 worker`, `2 workers`, `1,200 tensors`."""
    shown = f"{number:,.0f}" if float(number).is_integer() else f"{number:,.1f}"
    return f"{shown} {noun}{'' if number == 1 else 's'}"


def size(number: float) -> str:
    """Write bytes: `1.5 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.3g} {unit}"
        number /= 1024
    return f"{number:.3g} TiB"
