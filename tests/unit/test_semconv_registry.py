"""The vocabulary as a registry: it is what the code emits, in OpenTelemetry's form, and keeps what was released."""

from __future__ import annotations

import copy
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
import yaml
from packaging.version import Version

import ocr_otel
from ocr_otel import semconv

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "tests" / "support" / "schemas" / "semconv.schema.json"
GROUP_OF_SIGNAL = {
    "attribute_group": "SemanticConvention",
    "metric": "MetricSemanticConvention",
    "span": "SpanSemanticConvention",
    "event": "EventSemanticConvention",
}


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_registry", ROOT / "docs" / "make_registry.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


made = _load()


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


NOW: dict[str, Any] = read(made.REGISTRY)
CHANGES: list[dict[str, Any]] = read(made.CHANGES)["changes"]


def last_released() -> Path:
    return max(made.RELEASED.glob("*.yaml"), key=lambda path: Version(path.stem))


def test_the_file_is_what_the_code_makes() -> None:
    assert made.REGISTRY.read_text(encoding="utf-8") == made.written(made.registry()), "run `make semconv`"


def test_it_has_every_name_that_we_emit() -> None:
    emitted = {
        "attribute": semconv.ATTRIBUTES,
        "metric": semconv.METRICS | semconv.RESOURCE_METRICS,
        "span": semconv.SPANS,
        "event": semconv.EVENTS,
    }
    declared = {(signal, name) for signal, names in emitted.items() for name in names}
    assert set(made.described(NOW)) == declared, "run `make semconv`"


def test_it_follows_the_schema_of_semantic_conventions() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator
    validator.check_schema(schema)
    validator(schema).validate(NOW)
    for group in NOW["groups"]:
        # The whole takes a group for right that is so by any signal; by its own it says more.
        of_its_signal = {"$ref": f"#/$defs/{GROUP_OF_SIGNAL[group['type']]}", "$defs": schema["$defs"]}
        validator(of_its_signal).validate(group)


def test_each_id_is_there_once_and_each_reference_leads_to_an_attribute() -> None:
    ids = [group["id"] for group in NOW["groups"]]
    assert len(set(ids)) == len(ids)
    for group in NOW["groups"]:
        for attribute in group.get("attributes", []):
            if "ref" in attribute:
                assert attribute["ref"] in semconv.ATTRIBUTES


def test_a_metric_an_event_and_a_span_have_their_attributes() -> None:
    has = {group["id"]: {each.get("ref") for each in group.get("attributes", [])} for group in NOW["groups"]}
    assert has["metric.training.phase.duration"] == {semconv.STAGE, semconv.PHASE}
    assert has["metric.training.pressure.time"] == {"kind", "resource"}
    assert has["event.profile.kernel"] == {
        semconv.PROFILE_KERNEL_NAME,
        semconv.PROFILE_KERNEL_CALLS,
        semconv.PROFILE_KERNEL_DURATION,
        semconv.PROFILE_KERNEL_SHARE,
    }
    assert semconv.PROFILE_MODE in has["span.profile"]


def test_what_was_released_is_kept_or_its_change_is_announced() -> None:
    assert made.unannounced(read(last_released()), NOW, CHANGES) == []


def test_no_change_is_announced_that_the_release_does_not_know() -> None:
    released = {name for path in made.RELEASED.glob("*.yaml") for name in made.described(read(path))}
    assert {(each["signal"], each["name"]) for each in CHANGES} <= released
    for each in CHANGES:
        assert sum(fate in each for fate in made.FATES) == 1, each
        assert Version(each["since"]) > min(Version(path.stem) for path in made.RELEASED.glob("*.yaml")), each


def test_no_vocabulary_was_released_by_a_version_to_come() -> None:
    assert Version(last_released().stem) <= Version(ocr_otel.__version__)


def _group(found: dict[str, Any], group_id: str) -> dict[str, Any]:
    return next(group for group in found["groups"] if group["id"] == group_id)


def _attribute(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in _group(found, made.ATTRIBUTES)["attributes"] if each["id"] == name)


def without_a_metric(found: dict[str, Any]) -> None:
    found["groups"].remove(_group(found, "metric.training.batches"))


def without_an_attribute(found: dict[str, Any]) -> None:
    _group(found, made.ATTRIBUTES)["attributes"].remove(_attribute(found, semconv.EPOCH))


def without_a_span(found: dict[str, Any]) -> None:
    found["groups"].remove(_group(found, "span.fit"))


def without_an_event(found: dict[str, Any]) -> None:
    found["groups"].remove(_group(found, "event.bottleneck"))


def other_unit(found: dict[str, Any]) -> None:
    _group(found, "metric.training.batch.duration")["unit"] = "ms"


def other_kind(found: dict[str, Any]) -> None:
    _group(found, "metric.training.batch.duration")["instrument"] = "gauge"


def other_type(found: dict[str, Any]) -> None:
    _attribute(found, semconv.EPOCH)["type"] = "string"


def other_unit_of_an_attribute(found: dict[str, Any]) -> None:
    _attribute(found, semconv.BATCH_P50)["annotations"]["unit"] = "ms"


def without_a_value(found: dict[str, Any]) -> None:
    del _attribute(found, semconv.STAGE)["type"]["members"][0]


def values_set_free(found: dict[str, Any]) -> None:
    _attribute(found, semconv.STAGE)["type"] = "string"


breaks = pytest.mark.parametrize(
    ("change", "signal", "name", "says", "fate"),
    [
        (without_a_metric, "metric", semconv.METRIC_BATCHES, "metric training.batches is gone", "removed"),
        (without_an_attribute, "attribute", semconv.EPOCH, "attribute training.epoch is gone", "removed"),
        (without_a_span, "span", semconv.FIT, "span fit is gone", "removed"),
        (without_an_event, "event", semconv.BOTTLENECK_EVENT, "event bottleneck is gone", "removed"),
        (other_unit, "metric", semconv.METRIC_BATCH_DURATION, "has the unit 'ms' and not 's' any more", "changed"),
        (other_kind, "metric", semconv.METRIC_BATCH_DURATION, "has the kind 'gauge' and not 'histogram'", "changed"),
        (other_type, "attribute", semconv.EPOCH, "has the type 'string' and not 'int'", "changed"),
        (other_unit_of_an_attribute, "attribute", semconv.BATCH_P50, "has the unit 'ms' and not 's'", "changed"),
        (without_a_value, "attribute", semconv.STAGE, "training.stage lost the values train", "changed"),
        (values_set_free, "attribute", semconv.STAGE, "lost the values predict, sanity_check", "changed"),
    ],
)


@breaks
def test_a_break_is_told_unless_it_is_announced(change: Any, signal: str, name: str, says: str, fate: str) -> None:
    changed = copy.deepcopy(NOW)
    change(changed)
    (told,) = made.unannounced(NOW, changed, [])
    assert says in told
    announced = {"signal": signal, "name": name, "since": "9.0.0", fate: "because"}
    assert made.unannounced(NOW, changed, [announced]) == []


def test_a_new_name_is_no_break() -> None:
    smaller = copy.deepcopy(NOW)
    without_a_metric(smaller)
    without_a_value(smaller)
    assert made.unannounced(smaller, NOW, []) == []


def test_a_name_is_renamed_to_one_that_is_there() -> None:
    renamed = copy.deepcopy(NOW)
    _group(renamed, "metric.training.batches")["metric_name"] = "training.batches.done"
    entry = {"signal": "metric", "name": semconv.METRIC_BATCHES, "since": "9.0.0"}
    assert made.unannounced(NOW, renamed, [entry | {"renamed_to": "training.batches.done"}]) == []
    (told,) = made.unannounced(NOW, renamed, [entry | {"renamed_to": "training.batches.finished"}])
    assert told == "metric training.batches was renamed to training.batches.finished, which is not there"
