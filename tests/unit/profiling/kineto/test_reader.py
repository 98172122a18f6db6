"""Any trace of PyTorch's profiler is read; what is none, or is cut off, is told in one sentence."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ocr_otel.profiling.kineto import reader, source
from ocr_otel.profiling.kineto.reader import Trace, read
from ocr_otel.profiling.kineto.source import TraceError
from tests.support.kineto_cpu import record
from tests.support.kineto_traces import Workload, render

SMALL = Workload(batches=2, layers=3)


def event(name: str = "aten::add", start: float = 0.0, seconds: float = 1.0, **more: Any) -> dict[str, Any]:
    return {"ph": "X", "cat": "cpu_op", "name": name, "pid": 1, "tid": 1, "ts": start, "dur": seconds, **more}


@pytest.fixture
def read_text(tmp_path: Path) -> Callable[[str | bytes], Trace]:
    def read_it(text: str | bytes) -> Trace:
        path = tmp_path / "trace"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read(path)

    return read_it


def same(one: Trace, other: Trace) -> bool:
    columns = (
        np.array_equal(getattr(one.columns, name), getattr(other.columns, name)) for name in one.columns.__slots__
    )
    return all(columns) and one.names == other.names and one.texts == other.texts and one.events == other.events


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    path = tmp_path_factory.mktemp("whole") / "trace.json"
    path.write_text(render(SMALL))
    return read(path)


def test_every_event_of_the_file_is_read(whole: Trace) -> None:
    events = json.loads(render(SMALL))["traceEvents"]
    assert whole.events == len(events)
    known = [each for each in events if each["ph"] == "X" and each["cat"] not in ("Trace", "cuda_sync")]
    assert len(whole.columns) == len(known)
    assert [whole.names[number] for number in whole.columns.name] == [each["name"] for each in known]
    assert whole.columns.start.tolist() == [round(each["ts"] * 1000) for each in known]
    assert whole.columns.duration.tolist() == [round(each["dur"] * 1000) for each in known]
    assert whole.complete
    assert whole.metadata["deviceProperties"][0]["name"] == "NVIDIA A100-SXM4-80GB"
    assert whole.metadata["traceName"] == "trace.json"


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(lambda text: gzip.compress(text.encode()), id="gzip"),
        pytest.param(
            lambda text: gzip.compress(text[:1000].encode()) + gzip.compress(text[1000:].encode()), id="two streams"
        ),
        pytest.param(lambda text: gzip.compress(text.encode()) + bytes(512), id="padded gzip"),
        pytest.param(lambda text: b"\xef\xbb\xbf" + text.encode(), id="byte order mark"),
        pytest.param(lambda text: json.dumps(json.loads(text)), id="on one line"),
        pytest.param(lambda text: json.dumps(json.loads(text), indent=4), id="indented"),
        pytest.param(lambda text: json.dumps(json.loads(text)["traceEvents"]), id="list alone"),
        pytest.param(
            lambda text: json.dumps({"traceEvents": json.loads(text)["traceEvents"], "deviceProperties": []}),
            id="metadata behind",
        ),
        pytest.param(
            lambda text: json.dumps(
                {"nested": {"traceEvents": [1]}, "named": 'a "traceEvents": [', **json.loads(text)}
            ),
            id="other traceEvents before",
        ),
    ],
)
def test_the_form_of_the_file_does_not_matter(
    form: Callable[[str], str | bytes], read_text: Callable[[str | bytes], Trace], whole: Trace
) -> None:
    found = read_text(form(render(SMALL)))
    assert same(found, whole)
    assert found.complete


@pytest.mark.parametrize("size", [1, 7, 100, 4096])
def test_where_pieces_end_does_not_matter(
    size: int, monkeypatch: pytest.MonkeyPatch, read_text: Callable[[str], Trace]
) -> None:
    text = json.dumps(
        {
            "schemaVersion": 1,
            "traceEvents": [
                event('a "quoted" {[ name ]}', args={"External id": 3, "Input Dims": [[1, 2], []]}),
                event("back\\slash\\", start=1.5),
                event('\\"', args={"x": '}],"', "correlation": 7}),
                event("ünïcode ✓"),
            ],
            "traceName": "x",
        },
        ensure_ascii=False,
    )
    monkeypatch.setattr(source, "PIECE", size)
    found = read_text(text)
    assert found.names == ['a "quoted" {[ name ]}', "back\\slash\\", '\\"', "ünïcode ✓"]
    assert found.columns.external.tolist() == [3, 0, 0, 0]
    assert found.columns.correlation.tolist() == [0, 0, 7, 0]
    assert found.complete
    assert found.metadata["traceName"] == "x"


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_off_is_read_up_to_there(
    kept: float, read_text: Callable[[str | bytes], Trace], whole: Trace
) -> None:
    text = render(SMALL)
    found = read_text(text[: int(len(text) * kept)])
    assert not found.complete
    assert 0 < len(found.columns) <= len(whole.columns)
    assert np.array_equal(found.columns.start, whole.columns.start[: len(found.columns)])


@pytest.mark.parametrize("damage", ["cut off", "damaged"])
def test_a_gzip_file_that_is_broken_is_read_up_to_there(
    damage: str, read_text: Callable[[bytes], Trace], whole: Trace
) -> None:
    packed = gzip.compress(render(Workload(batches=40)).encode())
    half = len(packed) // 2
    found = read_text(packed[:half] if damage == "cut off" else packed[:half] + b"\xff" * 64 + packed[half + 64 :])
    assert not found.complete
    assert found.events > 1000


def test_numbers_that_are_no_json_cost_no_event(read_text: Callable[[str], Trace]) -> None:
    copy = event("Memcpy HtoD (Pinned -> Device)", args={"bytes": 4, "correlation": 9})
    text = json.dumps([event(), copy, event("aten::mul")]).replace('"bytes": 4', '"bytes": 4, "GB/s": inf, "x": -nan')
    found = read_text(text)
    assert len(found.columns) == 3
    assert found.unreadable == 0
    assert found.columns.correlation.tolist() == [0, 9, 0]


def test_quotes_that_pytorch_forgot_to_escape_cost_one_event(read_text: Callable[[str], Trace]) -> None:
    # Names of code that dynamo made hold dictionaries, which older PyTorch wrote as they were.
    text = json.dumps([event(), event("NAME", cat="python_function"), event("aten::mul")], indent=2)
    found = read_text(text.replace("NAME", '<eval_with_key>.3 {"device": "cpu"}(5): forward'))
    assert [found.names[number] for number in found.columns.name] == ["aten::add", "aten::mul"]
    assert found.unreadable == 1
    assert found.complete


def test_events_of_another_shape_are_counted_and_left_out(read_text: Callable[[str], Trace]) -> None:
    found = read_text(json.dumps([event(), {"ph": "X", "ts": "yesterday"}, event("aten::mul"), {"ph": ["X"]}]))
    assert found.names == ["aten::add", "aten::mul"]
    assert found.unreadable == 2


def test_addresses_in_names_are_left_out(read_text: Callable[[str], Trace]) -> None:
    name = "<built-in method item of Tensor object at 0x7eff579fb7{}0>"
    found = read_text(json.dumps([event(name.format(place), cat="python_function") for place in range(10)]))
    assert found.names == ["<built-in method item of Tensor object"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("  \n ", "is empty"),
        (gzip.compress(b"", mtime=0), "is empty"),
        ("hello", "it is no JSON"),
        (b"\x00\x01\x02", "it is no JSON"),
        ("{}", 'no "traceEvents"'),
        ('{"a": {"traceEvents": [1]}}', 'no "traceEvents"'),
        ('{"run": 3, "loss": [0.1, 0.2]}', 'no "traceEvents"'),
        ('{"run": {"loss": [', "cut off before its first event"),
        ('{"traceEvents": [', "cut off before its first event"),
        ('{"traceEvents": [{"ph": "X", "ca', "cut off before its first event"),
        ("[1, 2, 3]", "are no events"),
        ('["a", {"b": 1}]', "are no events"),
        ('[{"loss": 1}, {"loss": 2}]', "no event that has a duration"),
        ('[{"ts": "a"}, {"ts": "b"}]', "are no events"),
        ('{"traceEvents": []}', "holds no events"),
        ("[]", "holds no events"),
        (json.dumps([event(cat="FEE"), event(cat="other")]), "not of PyTorch's profiler"),
        (json.dumps({"traceEvents": [{"ph": "M", "name": "process_name", "args": {"name": "x"}}]}), "has a duration"),
    ],
)
def test_what_is_no_trace_is_told(text: str | bytes, message: str, read_text: Callable[[str | bytes], Trace]) -> None:
    with pytest.raises(TraceError) as failure:
        read_text(text)
    assert message in str(failure.value)
    assert str(failure.value).count(".") <= str(failure.value).count("/trace") + 3
    assert "\n" not in str(failure.value)


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="is not there"):
        read(tmp_path / "nothing.json")
    with pytest.raises(TraceError, match="is a directory"):
        read(tmp_path)


def test_a_list_without_end_is_not_held_in_memory(
    monkeypatch: pytest.MonkeyPatch, read_text: Callable[[str], Trace]
) -> None:
    monkeypatch.setattr(reader, "_MAX_HEAD", 10_000)
    with pytest.raises(TraceError, match="one of its events is longer"):
        read_text('[{"name": "' + "x" * 20_000)
    with pytest.raises(TraceError, match='no "traceEvents"'):
        read_text('{"other": [' + "1," * 20_000)


def test_how_far_it_is_is_told(tmp_path: Path) -> None:
    path = tmp_path / "trace.json.gz"
    path.write_bytes(gzip.compress(render(SMALL).encode()))
    told: list[tuple[int, int]] = []
    read(path, lambda done, size: told.append((done, size)))
    assert told[-1] == (path.stat().st_size, path.stat().st_size)


def test_a_real_trace_is_read_with_everything_that_can_be_recorded(tmp_path: Path) -> None:
    path = tmp_path / "trace.json.gz"
    record(path, with_stack=True, record_shapes=True, profile_memory=True, with_flops=True)
    found = read(path)
    events = json.loads(gzip.decompress(path.read_bytes()))["traceEvents"]
    assert found.events == len(events)
    assert found.unreadable == 0
    assert len(found.allocations.at) == sum(each["name"] == "[memory]" for each in events)
    assert found.metadata["with_stack"] == 1
    shapes = {found.texts[number] for number in found.shapes.values}
    assert "[[8, 512], [10, 512], [10]]" in shapes
    assert found.flops.values.sum() > 0
    lines = {found.texts[number] for number in found.calls.values}
    assert any("kineto_cpu.py:" in line for line in lines)
