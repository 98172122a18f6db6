"""Numbers with their units as people read them; the page's script writes the same ones for what it draws."""

from __future__ import annotations

from typing import Final

from ocr_otel.diagnosis.words import digits, duration, plural, size

_DECIMAL: Final = (("G", 1e9), ("M", 1e6), ("k", 1e3), ("", 1.0))
_SCALED: Final = {"W": "W", "J": "J", "Hz": "Hz", "V": "V"}
_RATES: Final = {"s": "1", "J": "W"}
"""What a unit becomes when it is divided by a second: CPU seconds a second are a share of one CPU."""


def per_second(unit: str) -> str:
    """Return the unit of a counter's rate."""
    return _RATES.get(unit, f"{unit}/s")


def quantity(value: float, unit: str) -> str:
    """Write a number with a UCUM unit: `1.5 GiB`, `62 %`, `480 W`, `1.98 GHz`, `3 errors`."""
    base, _, per = unit.partition("/")
    ending = f"/{_word(per)}" if per else ""
    if unit == "s":
        return f"−{duration(-value)}" if value < 0 else duration(value)
    if unit == "1":
        return f"{digits(100 * value)} %"
    if unit == "Cel":
        return f"{digits(value)} °C"
    if base == "By":
        return f"{size(value)}{ending}"
    if base in _SCALED:
        prefix, factor = next(((name, by) for name, by in _DECIMAL if abs(value) >= 0.9995 * by), ("", 1.0))
        return f"{digits(value / factor)} {prefix}{_SCALED[base]}{ending}"
    if base.startswith("{"):
        word = _word(base)
        return f"{digits(value)} {word if value == 1 else plural(word)}{ending}"
    return f"{digits(value)} {unit}".rstrip()


def _word(unit: str) -> str:
    return {"cpu": "CPU"}.get(unit.strip("{}"), unit.strip("{}").replace("_", " "))
