"""Writes the vocabulary as a registry of OpenTelemetry's semantic conventions: `make semconv`.

`docs/semconv/registry.yaml` is in the form that OpenTelemetry Weaver and the conventions' own repository read. With
`--release` it is also kept as `docs/semconv/released/<version>.yaml`, which later vocabularies are compared with.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

import ocr_otel
from ocr_otel import semconv
from ocr_otel.semconv import Name

FOLDER = Path(__file__).parent / "semconv"
REGISTRY = FOLDER / "registry.yaml"
RELEASED = FOLDER / "released"
CHANGES = FOLDER / "changes.yaml"

HEADER = """\
# The names that ocr_otel emits, in OpenTelemetry's form for semantic conventions. Made by `make semconv` from
# ocr_otel/semconv; see docs/reference.md. Attributes of OpenTelemetry's own conventions (`hw.id`, `cpu.mode`, ...) are
# named in the notes of the metrics that have them, and are not repeated here.
"""
STABILITY = "development"
ATTRIBUTES = "registry.ocr_otel"
"""The group that defines the attributes; the others refer to them."""
RUN = "ocr_otel.run"
"""The group of attributes that every span has by its resource; the form wants one of each span."""
FATES = ("renamed_to", "removed", "changed")
"""What the changes file says of a name: its new name, why it is gone, or what became of its unit, kind or type."""


def registry() -> dict[str, Any]:
    """Return the vocabulary as a registry: its attributes, then metrics, spans and events, each by name."""
    metrics = semconv.METRICS | semconv.RESOURCE_METRICS
    values = _values()
    return {
        "groups": [
            {
                "id": ATTRIBUTES,
                "type": "attribute_group",
                "brief": "Attributes of ocr_otel.",
                "stability": STABILITY,
                "attributes": [_attribute(each, values) for each in _sorted(semconv.ATTRIBUTES)],
            },
            {
                "id": RUN,
                "type": "attribute_group",
                "brief": "What the resource of every span says of its run.",
                "stability": STABILITY,
                "attributes": [{"ref": name} for name in (semconv.RUN_ID, semconv.RANK, semconv.WORLD_SIZE)],
            },
            *(
                _group(each, "metric", {"metric_name": each.name, "instrument": each.kind, "unit": each.unit})
                for each in _sorted(metrics)
            ),
            *(_group(each, "span", {"span_kind": "internal"}) for each in _sorted(semconv.SPANS)),
            *(_group(each, "event", {"name": each.name}) for each in _sorted(semconv.EVENTS)),
        ]
    }


def written(found: Mapping[str, Any]) -> str:
    """Return a registry as the text of its file."""
    return HEADER + yaml.safe_dump(dict(found), sort_keys=False, allow_unicode=True, width=118)


def described(found: Mapping[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what must stay as it is of each name of a registry, by signal and name.

    Of an attribute its type and unit, with the values that it may have; of a metric its kind and unit.
    """
    names: dict[tuple[str, str], dict[str, Any]] = {}
    for group in found["groups"]:
        match group["type"]:
            case "attribute_group":
                for each in group["attributes"]:
                    if "id" in each:
                        names["attribute", each["id"]] = _of_attribute(each)
            case "metric":
                names["metric", group["metric_name"]] = {"kind": group["instrument"], "unit": group["unit"]}
            case "span":
                names["span", group["display_name"]] = {}
            case "event":
                names["event", group["name"]] = {}
    return names


def unannounced(before: Mapping[str, Any], now: Mapping[str, Any], changes: Iterable[Mapping[str, Any]]) -> list[str]:
    """Compare two registries, and return in sentences what changed and is not in the changes file.

    A name that is gone needs an entry that says `renamed_to` or `removed`; one with another unit, kind or type, or
    without one of its values, an entry that says `changed`. New names and new values need none.
    """
    listed = {(each["signal"], each["name"]): each for each in changes}
    old, new = described(before), described(now)
    told = []
    for (signal, name), was in old.items():
        fate = listed.get((signal, name), {})
        if (signal, name) not in new:
            to = fate.get("renamed_to")
            if to is not None and (signal, to) not in new:
                told.append(f"{signal} {name} was renamed to {to}, which is not there")
            elif to is None and "removed" not in fate:
                told.append(f"{signal} {name} is gone")
            continue
        for what, value in was.items():
            current = new[signal, name].get(what)
            lost = sorted(set(value) - set(current or ())) if what == "values" else []
            if "changed" not in fate and (lost or (what != "values" and current != value)):
                told.append(
                    f"{signal} {name} lost the values {', '.join(lost)}"
                    if lost
                    else f"{signal} {name} has the {what} {current!r} and not {value!r} any more"
                )
    return told


def _of_attribute(attribute: Mapping[str, Any]) -> dict[str, Any]:
    kind, unit = attribute["type"], attribute.get("annotations", {}).get("unit", "")
    if isinstance(kind, Mapping):
        return {"type": "string", "unit": unit, "values": [member["value"] for member in kind["members"]]}
    return {"type": kind, "unit": unit}


def _attribute(name: Name, values: Mapping[str, type[StrEnum]]) -> dict[str, Any]:
    kind: Any = name.kind
    if name.name in values:
        members = [each.value for each in values[name.name]]
        kind = {"members": [{"id": _id(each), "value": each, "stability": STABILITY} for each in members]}
    made = {"id": name.name, "type": kind, "stability": STABILITY, "brief": name.meaning, "note": name.present}
    # The form has no units of attributes.
    return made | ({"annotations": {"unit": name.unit}} if name.unit else {})


def _group(name: Name, signal: str, own: Mapping[str, str]) -> dict[str, Any]:
    made = {"id": f"{signal}.{_id(name.name)}", "type": signal, **own}
    if signal == "span":
        # The form has no names of spans.
        made |= {"display_name": name.name, "extends": RUN}
    has = [{"ref": each.name} for each in _sorted(semconv.ATTRIBUTES) if _belongs(each, name)]
    made |= {"brief": name.meaning, "note": name.present, "stability": STABILITY}
    return made | ({"attributes": has} if has else {})


def _belongs(attribute: Name, signal: Name) -> bool:
    """Return whether one of the two says that the other has it, or is of it."""
    return f"`{attribute.name}`" in signal.present or f"`{signal.name}`" in attribute.present


def _values() -> dict[str, type[StrEnum]]:
    """Return the values of attributes that have a fixed set of them: each set says in its docstring whose it is."""
    found = {}
    for each in vars(semconv).values():
        if isinstance(each, type) and issubclass(each, StrEnum) and each is not StrEnum:
            told = re.match(r"Values of `([^`]+)`", each.__doc__ or "")
            if told is None:
                raise ValueError(f"the docstring of {each.__name__} does not say of which attribute its values are")
            found[told[1]] = each
    return found


def _sorted(names: Mapping[str, Name]) -> list[Name]:
    return [names[each] for each in sorted(names)]


def _id(name: str) -> str:
    return re.sub(r"[^a-z0-9_.]", "_", name)


def main(arguments: list[str] | None = None) -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(prog="make semconv", description=__doc__)
    parser.add_argument("--release", action="store_true", help="keep it as that of the current version too")
    options = parser.parse_args(arguments)
    text = written(registry())
    paths = [REGISTRY, RELEASED / f"{ocr_otel.__version__}.yaml"] if options.release else [REGISTRY]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path, file=sys.stderr)


if __name__ == "__main__":
    main()
