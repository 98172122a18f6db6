"""Numbers with units are written as people read them."""

from __future__ import annotations

import pytest

from ocr_otel.report.described import facts, growth, short_name
from ocr_otel.report.quantities import per_second, quantity
from ocr_otel.semconv import MEMORY_GROWTH, RESOURCE_PREFIX, SLOW_PREFIX, SLOW_PRESSURE_IO


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0, "By", "0 B"),
        (1023.6, "By", "1 KiB"),
        (1.5 * 2**30, "By", "1.5 GiB"),
        (-3 * 2**20, "By", "-3 MiB"),
        (2**21, "By/s", "2 MiB/s"),
        (0.625, "1", "62.5 %"),
        (4, "1", "400 %"),
        (71, "Cel", "71 °C"),
        (612.4, "W", "612 W"),
        (1.98e9, "Hz", "1.98 GHz"),
        (999.9e6, "Hz", "1 GHz"),
        (0.0042, "s", "4.2 ms"),
        (-0.0042, "s", "−4.2 ms"),
        (1, "{retry}", "1 retry"),
        (3, "{retry}", "3 retries"),
        (2, "{context_switch}/s", "2 context switches/s"),
        (2.5, "{cpu}", "2.5 CPUs"),
        (3e5, "By/{sample}", "293 KiB/sample"),
        (12, "{process}", "12 processes"),
        (0.5, "", "0.5"),
        (1234567, "", "1,230,000"),
        (1e-7, "", "1.00e-07"),
    ],
)
def test_a_quantity(value: float, unit: str, shown: str) -> None:
    assert quantity(value, unit) == shown


def test_rates_have_units_of_their_own() -> None:
    assert [per_second(unit) for unit in ("By", "s", "J", "{error}")] == ["By/s", "1", "W", "{error}/s"]


@pytest.mark.parametrize(
    ("tail", "name"),
    [
        ("gpu.utilization.p95", "GPU utilization, p95"),
        ("io.pressure", "I/O pressure"),
        ("page_cache.share", "Page cache share"),
        ("workers.cpu", "Workers CPU"),
        ("max", "Max"),
    ],
)
def test_a_short_name(tail: str, name: str) -> None:
    assert short_name(RESOURCE_PREFIX + tail, RESOURCE_PREFIX) == name


def test_facts_are_of_any_kind_and_empty_ones_are_left_out() -> None:
    attributes = {
        f"{SLOW_PREFIX}gpu.throttled": True,
        f"{SLOW_PREFIX}reasons": ["io_rose", "swapped"],
        f"{SLOW_PREFIX}nothing": "",
        SLOW_PRESSURE_IO: 0.34,
        f"{SLOW_PRESSURE_IO}.median": 0.02,
        "training.other": 4,
    }
    assert [(fact.name, fact.value) for fact in facts(attributes, SLOW_PREFIX)] == [
        ("GPU throttled", "yes"),
        ("Reasons", "io rose, swapped"),
        ("Pressure I/O", "34 % (median 2 %)"),
    ]


@pytest.mark.parametrize("slope", [None, 0, -5.0, float("nan"), "41", True])
def test_memory_that_does_not_grow_is_not_spoken_of(slope: object) -> None:
    assert growth({MEMORY_GROWTH: slope}) == ""


def test_memory_that_grows_has_its_slope() -> None:
    assert "grows by 41 MiB an epoch" in growth({MEMORY_GROWTH: 41.0 * 2**20})
