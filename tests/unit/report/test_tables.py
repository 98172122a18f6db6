"""Events of a window as tables: every event is one, whatever it is called."""

from __future__ import annotations

import math

from ocr_otel import semconv
from ocr_otel.report.tables import tables
from tests.support.synthetic_window import bottleneck


def test_events_of_one_kind_are_one_table() -> None:
    first, second = tables(
        [
            ("operator", {"t.operator.name": "aten::batch_norm", "t.operator.calls": 3, "t.operator.shapes": ""}),
            ("memory_copy", {"t.copy.name": "HtoD", "t.copy.bytes": 5}),
            ("operator", {"t.operator.name": "aten::relu", "t.operator.calls": 0, "t.operator.shapes": ""}),
        ]
    )
    assert (first.title, second.title) == ("Operators", "Memory copy")
    assert [column.name for column in first.columns] == ["Name", "Calls"]
    assert first.rows == [["aten::batch_norm", "3"], ["aten::relu", "0"]]
    assert first.numeric == [False, True]


def test_values_have_the_unit_of_their_attribute() -> None:
    (found,) = tables(
        [("window", {semconv.PROFILE_FILE: "a.gz", semconv.PROFILE_FILE_SIZE: 2**20, semconv.PROFILE_OVERHEAD: 0.02})]
    )
    assert found.rows == [["a.gz", "1 MiB", "20 ms"]]
    assert found.columns[1].meaning == semconv.ATTRIBUTES[semconv.PROFILE_FILE_SIZE].meaning


def test_text_stands_before_numbers() -> None:
    (found,) = tables([("gap", {"t.gap.seconds": 0.5, "t.gap.host": "fetch"})])
    assert [column.name for column in found.columns] == ["Host", "Seconds"]


def test_what_is_shown_elsewhere_or_is_nothing_has_no_table() -> None:
    assert tables([(semconv.BOTTLENECK_EVENT, bottleneck("data", 0.5)), ("empty", {})]) == []
    (found,) = tables([("kernel", {"t.kernel.name": "a", "t.kernel.flops": None, "t.kernel.share": math.nan})])
    assert found.rows == [["a"]]
