"""Attributes of spans as people read them: a short name from the attribute's own, the rest from the vocabulary."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from ocr_otel import semconv
from ocr_otel.report.quantities import quantity
from ocr_otel.report.readings import Column, Fact

_WORDS: Final = {
    "cpu": "CPU", "gpu": "GPU", "io": "I/O", "sm": "SM", "pcie": "PCIe", "nvlink": "NVLink", "rss": "resident memory",
    "ecc": "ECC", "torch": "PyTorch",
}  # fmt: skip
_MEDIAN: Final = ".median"
_STATISTICS: Final = frozenset({"mean", "max", "min", "median", "p50", "p95", "p99", "last"})


def short_name(attribute: str, prefix: str) -> str:
    """Return what an attribute is called in a table: `GPU utilization, mean` of `<prefix>gpu.utilization.mean`."""
    parts = attribute.removeprefix(prefix).split(".")
    statistic = parts.pop() if len(parts) > 1 and parts[-1] in _STATISTICS else ""
    words = [word for part in parts for word in part.split("_") if word]
    # The beginning of a line is a capital letter; of "I/O" and "GPU" it is one already.
    text = " ".join(_WORDS.get(word, word) for word in words)
    return f"{text[:1].upper()}{text[1:]}{', ' if statistic else ''}{statistic}"


def facts(attributes: Mapping[str, Any], prefix: str) -> list[Fact]:
    """Return the attributes with a prefix, in the order in which they were recorded; a median beside what it is of."""
    found = {name: value for name, value in attributes.items() if name.startswith(prefix)}
    rows = []
    for name, value in found.items():
        if value in (None, "", []) or name.removesuffix(_MEDIAN) in found.keys() - {name}:
            continue
        usual = found.get(name + _MEDIAN)
        beside = f" (median {written(name, usual)})" if usual is not None else ""
        rows.append(Fact(short_name(name, prefix), written(name, value) + beside, _described(name).meaning))
    return rows


def column(attribute: str, prefix: str) -> Column:
    """Return a numeric attribute as a column of a table."""
    described = _described(attribute)
    return Column(short_name(attribute, prefix), described.meaning, described.unit)


def written(name: str, value: Any) -> str:
    """Return an attribute's value as people read it, with its unit."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return quantity(value, _described(name).unit)
    words = value if isinstance(value, list) else [value]
    between = "; " if any("," in str(word) for word in words) else ", "
    return between.join(str(word).replace("_", " ") for word in words)


def _described(name: str) -> semconv.Name:
    return semconv.ATTRIBUTES.get(name) or semconv.Name(name, "", "", "", "")


def growth(attributes: Mapping[str, Any]) -> str:
    """Return in one sentence how memory grew, epoch by epoch; empty where that was not recorded."""
    slope = attributes.get(semconv.MEMORY_GROWTH)
    if not isinstance(slope, (int, float)) or isinstance(slope, bool) or not math.isfinite(slope) or slope <= 0:
        return ""
    others = [f"{fact.name.lower()} {fact.value}" for fact in facts(attributes, f"{semconv.MEMORY_GROWTH}.")]
    where = f" ({', '.join(others)})" if others else ""
    return (
        f"Resident memory of the training process grows by {quantity(slope, 'By')} an epoch{where}: "
        "something is kept from epoch to epoch."
    )
