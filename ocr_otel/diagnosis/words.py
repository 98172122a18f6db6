"""Numbers as people read them, the same in verdicts, reports and the terminal."""

from __future__ import annotations

from typing import Final

_BINARY: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def percent(share: float) -> str:
    """Write a share: `62%`, `4.1%` where it is small."""
    return f"{share:.0%}" if share >= 0.0995 or share == 0 else f"{share:.1%}"


def duration(seconds: float) -> str:
    """Write a time as people read it: `12 µs`, `1.2 ms`, `4.5 s`, `3 min 20 s`, `2 h 05 min`."""
    if 0 < seconds < 0.0000995:
        return f"{seconds * 1e6:.3g} µs"
    # The borders lie where the rounding below would reach the next unit: 0.9996 s is "1 s", not "1e+03 ms".
    if seconds < 0.9995:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 59.95:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60:02d} min"


def seconds(value: float) -> str:
    """Write a time beside those of operators: as `duration`, and `410 µs` where that would be `0.41 ms`."""
    return f"{value * 1e6:.3g} µs" if value < 0.0009995 else duration(value)


def plural(noun: str) -> str:
    """Return the plural of a noun: `workers`, `batches`, `retries`."""
    if noun.endswith("y"):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "ch")) else f"{noun}s"


def count(number: float, noun: str) -> str:
    """Write a number of things: `1 worker`, `2 batches`, `1,200 tensors`."""
    shown = f"{number:,.0f}" if float(number).is_integer() else f"{number:,.1f}"
    return f"{shown} {noun if number == 1 else plural(noun)}"


def digits(value: float) -> str:
    """Write a number with three digits: `0.12`, `41`, `1,230`, `1.00e-05`."""
    rounded = float(f"{value:.3g}")
    if rounded == 0:
        return "0"
    if abs(rounded) < 1e-3 or abs(rounded) >= 1e15:
        return f"{rounded:.2e}"
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:,g}"


def size(number: float) -> str:
    """Write bytes: `1.5 GiB`."""
    steps = 0
    # The border lies where rounding to three digits would reach the next unit.
    while abs(number) >= 1023.5 and steps < len(_BINARY) - 1:
        number, steps = number / 1024, steps + 1
    return f"{digits(number)} {_BINARY[steps]}"
