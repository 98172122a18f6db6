"""What the report says of the machine: rates, names, thinning, and what is said where there is nothing to draw."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ocr_otel import semconv
from ocr_otel.report import as_json, html, text
from ocr_otel.report.build import build
from ocr_otel.report.drawn import drawn_resources
from ocr_otel.report.panels import PANELS, UNDRAWN
from ocr_otel.report.quantities import per_second
from ocr_otel.report.readings import Kind, Plot, Resources
from ocr_otel.report.resources import MAX_LINES, MAX_MOMENTS, resources
from ocr_otel.runs import MetricPoint, Run, load
from tests.support import run_directory as make
from tests.support import synthetic_run
from tests.support.synthetic_run import Shape

SECOND = 1_000_000_000
Course = tuple[str, dict[str, Any], Iterable[tuple[float, float]]]


def read(*courses: Course, rank: int = 0, ranks: int = 1) -> Resources:
    """What is made of points, given by metric, attributes, and pairs of seconds and value."""
    points = [
        MetricPoint(metric, int(seconds * SECOND), attributes, value, 0, rank)
        for metric, attributes, course in courses
        for seconds, value in course
    ]
    return resources(Run("r", "r", {}, ranks, [], [], [], [], points, [], 0, 1), 0, None)


def plot(found: Resources, title: str) -> Plot:
    (wanted,) = [each for each in found.plots if each.title == title]
    return wanted


def written(directions: tuple[str, ...] = ("write",), **attributes: Any) -> Course:
    return semconv.IO_REQUESTED, {"disk.io.direction": directions[0], **attributes}, [(10, 0), (20, 500), (30, 2500)]


def test_a_counter_becomes_a_rate() -> None:
    (line,) = plot(read(written()), "Written").lines
    assert line.values == [None, 50.0, 200.0]
    assert (line.mean, line.low, line.high, line.last) == (125.0, 50.0, 200.0, 200.0)
    assert plot(read(written()), "Written").unit == "By/s"


def test_a_counter_that_begins_anew_has_no_rate_there() -> None:
    course = [(10, 100.0), (20, 300.0), (30, 50.0), (40, 150.0)]
    found = read((semconv.IO_REQUESTED, {"disk.io.direction": "write"}, course))
    assert plot(found, "Written").lines[0].values == [None, 20.0, None, 10.0]


def test_processes_are_added_up_where_one_number_is_asked_for() -> None:
    worker = {semconv.PROCESS_ROLE: "worker"}
    first, second = (written(**worker, **{semconv.WORKER_ID: number}) for number in range(2))
    (line,) = plot(read(first, second), "Written").lines
    assert (line.name, line.values) == ("asked for", [None, 100.0, 400.0])


def test_a_worker_that_ends_does_not_end_the_sum() -> None:
    worker = {semconv.PROCESS_ROLE: "worker", "disk.io.direction": "write"}
    courses: list[Course] = [
        (semconv.IO_REQUESTED, {**worker, semconv.WORKER_ID: 0}, [(10, 0), (20, 100), (30, 200)]),
        (semconv.IO_REQUESTED, {**worker, semconv.WORKER_ID: 1}, [(10, 0), (20, 100)]),
    ]
    assert plot(read(*courses), "Written").lines[0].values == [None, 20.0, 10.0]


def test_every_process_has_its_line_and_the_training_is_first() -> None:
    whose: list[dict[str, Any]] = [{semconv.PROCESS_ROLE: "worker", semconv.WORKER_ID: n} for n in (10, 2)]
    whose += [{semconv.PROCESS_ROLE: role} for role in ("worker", "other", "main")]
    found = read(*((semconv.PROCESS_MEMORY, each, [(10.0, 1e9)]) for each in whose))
    assert [line.name for line in plot(found, "Resident memory").lines] == [
        "training process", "further workers", "other processes", "worker 2", "worker 10"
    ]  # fmt: skip


def test_workers_that_are_one_series_have_one_name() -> None:
    courses: list[Course] = [
        (semconv.GPU_PROCESS_MEMORY, {"hw.id": "GPU-1", "hw.name": "gpu0", semconv.PROCESS_ROLE: role}, [(10, 1e9)])
        for role in ("worker", "main")
    ]
    assert [line.name for line in plot(read(*courses), "Device memory by process").lines] == [
        "GPU 0, its workers", "GPU 0, training process"
    ]  # fmt: skip


def test_a_gpu_is_named_as_nvidia_smi_counts_it() -> None:
    def utilization(**attributes: str) -> Course:
        dotted = {name.replace("_", "."): value for name, value in attributes.items()}
        return semconv.GPU_UTILIZATION, {"hw.gpu.task": "general", **dotted}, [(10, 0.5)]

    found = read(utilization(hw_id="GPU-604ac76c-d9cf", hw_name="gpu3"), utilization(hw_id="GPU-99aa01f2-0001"))
    assert [line.name for line in plot(found, "Utilization").lines] == ["GPU 3", "GPU 99aa01f2"]


def test_encoders_are_no_utilization() -> None:
    unit = {"hw.id": "GPU-1", "hw.name": "gpu0"}
    courses: list[Course] = [
        (semconv.GPU_UTILIZATION, {**unit, "hw.gpu.task": task}, [(10, share)])
        for task, share in (("general", 0.6), ("encoder", 0.9))
    ]
    courses.append((semconv.GPU_UTILIZATION_MAX, {**unit, "hw.gpu.task": "general"}, [(10, 1.0)]))
    lines = plot(read(*courses), "Utilization").lines
    assert [(line.name, line.kind, line.mean) for line in lines] == [
        ("GPU 0", Kind.USUAL, 0.6),
        ("GPU 0, highest", Kind.PEAK, 1.0),
    ]


def test_devices_with_the_same_limit_have_one_line_for_it() -> None:
    courses: list[Course] = []
    for number in range(4):
        unit = {"hw.id": f"GPU-{number}", "hw.name": f"gpu{number}"}
        courses += [
            (semconv.GPU_MEMORY_USAGE, unit, [(10, 30e9)]),
            (semconv.GPU_MEMORY_LIMIT, unit, [(10, 80e9)]),
        ]
    lines = plot(read(*courses), "Device memory").lines
    assert [line.name for line in lines if line.kind is Kind.LIMIT] == ["size"]


def test_a_limit_without_anything_to_limit_is_not_drawn() -> None:
    assert read((semconv.PROCESS_MEMORY_LIMIT, {}, [(10, 64e9)])).plots == []


def test_a_long_course_is_thinned_and_its_numbers_are_of_all_of_it() -> None:
    course = [(10.0 * index, 1e9 if index == 4321 else 1e6) for index in range(8640)]
    peaks = (semconv.TORCH_PEAK, {"device": "cuda:0"}, course)
    found = read((semconv.TORCH_ALLOCATED, {"device": "cuda:0"}, course), peaks)
    mean, peak = plot(found, "Allocator").lines
    assert len(found.times) == len(mean.values) == MAX_MOMENTS
    assert found.interval == pytest.approx(10.0)
    assert mean.high == 1e9
    assert max(value or 0 for value in mean.values) < 1e9
    # What is read for its highest value keeps it.
    assert max(value or 0 for value in peak.values) == 1e9


def test_points_of_one_export_are_one_moment() -> None:
    found = read(
        (semconv.PROCESS_OPEN_FILES, {}, [(10.0, 4.0), (20.0, 5.0)]),
        (semconv.PROCESS_MEMORY, {}, [(10.002, 1e9), (20.003, 1e9)]),
    )
    assert found.times == [10.0, 20.0]


def test_of_very_many_lines_the_highest_are_drawn_and_the_others_counted() -> None:
    courses: list[Course] = [
        (semconv.PROCESS_MEMORY, {semconv.PROCESS_ROLE: "worker", semconv.WORKER_ID: number}, [(10, 1e8 + number)])
        for number in range(20)
    ]
    drawn = plot(read(*courses), "Resident memory")
    assert [line.name for line in drawn.lines] == [f"worker {number}" for number in range(20 - MAX_LINES, 20)]
    assert drawn.left_out == 20 - MAX_LINES


def test_what_never_happened_is_a_sentence_and_no_plot() -> None:
    found = read((semconv.CGROUP_MEMORY_EVENTS, {"kind": "oom_kill"}, [(10, 0), (20, 0)]))
    assert found.plots == []
    assert "The container's memory was never short." in found.sentences
    happened = read((semconv.CGROUP_MEMORY_EVENTS, {"kind": "oom_kill"}, [(10, 0), (20, 1)]))
    assert [line.last for line in plot(happened, "Memory was short, so far").lines] == [1.0]


def test_a_metric_without_a_plot_of_its_own_is_shown_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    new = semconv.Name("training.new", "gauge", "By", "Something new.", "")
    monkeypatch.setitem(semconv.RESOURCE_METRICS, "training.new", new)
    assert [(each.group, each.title) for each in read(("training.new", {}, [(10, 5)])).plots] == [
        ("Other", "Something new")
    ]


def test_values_that_are_no_numbers_and_histograms_are_left_out() -> None:
    found = read(
        (semconv.PROCESS_OPEN_FILES, {}, [(10.0, math.nan)]),
        (semconv.GPU_UTILIZATION_DISTRIBUTION, {"hw.id": "GPU-1"}, [(10.0, 3.0)]),
    )
    assert (found.plots, found.times) == ([], [])


def test_several_ranks_show_the_first_and_say_so() -> None:
    found = read((semconv.PROCESS_OPEN_FILES, {}, [(10.0, 4.0)]), ranks=4)
    assert "Readings of rank 0; the other 3 have files of their own." in found.sentences
    assert read((semconv.PROCESS_OPEN_FILES, {}, [(10.0, 4.0)]), rank=1, ranks=2).plots == []


def test_where_the_files_lie_is_said() -> None:
    courses: list[Course] = [
        (semconv.PATH_COUNT, {"system.filesystem.type": kind, "kind": what}, [(10, 1)])
        for kind, what in (("nfs4", "network"), ("ext4", "disk"))
    ]
    assert "The run's files lie on nfs4 (network), ext4 (disk)." in read(*courses).sentences


def test_every_resource_metric_is_drawn_or_left_out_on_purpose() -> None:
    numbers = {name for name, each in semconv.RESOURCE_METRICS.items() if each.kind != "histogram"}
    drawn = {curve.metric for panel in PANELS for curve in panel.curves}
    assert drawn | UNDRAWN == numbers
    assert drawn & UNDRAWN == set()


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_what_is_in_one_plot_has_one_unit(panel: Any) -> None:
    units = set()
    for curve in panel.curves:
        metric = semconv.RESOURCE_METRICS[curve.metric]
        rate = metric.kind == "counter" and not curve.so_far
        units.add(per_second(metric.unit) if rate else metric.unit)
    if panel.title == "Retries and failures so far":
        assert all(unit.startswith("{") for unit in units)
    else:
        assert len(units) == 1 or panel.unit


def test_titles_are_unique() -> None:
    titles = [(panel.group, panel.title) for panel in PANELS]
    assert len(titles) == len(set(titles))


@pytest.mark.parametrize("machine", ["gpu", "cpu"])
def test_a_whole_run_is_shown_in_every_form(tmp_path: Path, machine: str) -> None:
    run = load(synthetic_run.make(tmp_path / "run", Shape(epochs=2, machine=machine)))
    found = json.loads(as_json.render(run))["resources"]
    groups = {each["group"] for each in found["plots"]}
    assert ("GPU" in groups) == (machine == "gpu")
    assert {"Processes", "I/O of the training", "Disks", "Pressure and limits"} <= groups
    documented = as_json.__doc__ or ""
    for holder in (found, found["plots"][0], found["plots"][0]["lines"][0]):
        assert [key for key in holder if f"`{key}`" not in documented] == []
    out = io.StringIO()
    text.render(run, out)
    assert "CPU use" in out.getvalue()
    assert ("GPU use" in out.getvalue()) == (machine == "gpu")
    html.render(run, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert 'id="h-resources"' in page
    assert ("No GPU was read" in page) == (machine == "cpu")
    assert "Resident memory of the training process grows by 41 MiB an epoch" in page


def test_what_held_the_memory_is_told_where_it_ran_out(tmp_path: Path) -> None:
    run = load(synthetic_run.make(tmp_path / "run", Shape(epochs=1, outcome="failed", machine="gpu")))
    held = {fact.name: fact.value for fact in build(run).resources.out_of_memory}
    assert held["Requested"] == "2 GiB"
    assert held["Largest"] == "float32 (256, 64, 128, 128), 1 GiB; float32 (256, 4096), 4 MiB"
    out = io.StringIO()
    text.render(run, out)
    assert "Memory ran out: device cuda:0" in out.getvalue()
    html.render(run, tmp_path / "report.html")
    assert "Memory ran out. What held it:" in (tmp_path / "report.html").read_text()
    assert json.loads(as_json.render(run))["resources"]["out_of_memory"][0]["name"] == "Device"


def test_a_run_without_readings_has_no_such_section(tmp_path: Path) -> None:
    run = load(synthetic_run.make(tmp_path / "run", Shape(epochs=1)))
    assert build(run).resources.sentences == []
    html.render(run, tmp_path / "report.html")
    assert 'id="h-resources"' not in (tmp_path / "report.html").read_text()


def test_epochs_have_their_summary_with_units_of_the_vocabulary(tmp_path: Path) -> None:
    text_valued = f"{semconv.RESOURCE_PREFIX}device"
    attributes = {semconv.EPOCH: 0, semconv.GPU_MEMORY_MAX: 3 * 2**30, text_valued: "cuda", semconv.MEMORY_RSS: 5}
    epoch = make.span(semconv.TRAIN_EPOCH, 5, 1, 0.0, 10.0, attributes=attributes)
    run = load(make.write(tmp_path / "made", make.line([make.start_span(), epoch, make.fit(10.0)])))
    data = build(run)
    assert data.epochs[0].resources == {semconv.GPU_MEMORY_MAX: 3 * 2**30}
    (column,) = data.resources.columns.values()
    assert (column.name, column.unit) == ("GPU memory, max", "By")
    html.render(run, tmp_path / "report.html")
    assert "<td>3 GiB</td>" in (tmp_path / "report.html").read_text()


def test_a_slow_batch_has_what_was_different(tmp_path: Path) -> None:
    data = build(load(synthetic_run.make(tmp_path / "run", Shape(epochs=1, machine="cpu"))))
    slow = [batch for batch in data.kept if batch.kept == "slow"]
    assert slow
    assert all([fact.name for fact in batch.differences] == ["Reasons", "I/O read", "Pressure I/O"] for batch in slow)
    assert all(batch.differences == [] for batch in data.kept if batch.kept != "slow")


def test_a_batch_has_the_time_of_its_phases_on_the_device_where_it_was_measured(tmp_path: Path) -> None:
    with_device = build(load(synthetic_run.make(tmp_path / "gpu", Shape(epochs=1, machine="gpu"))))
    for batch in with_device.kept:
        assert batch.device.keys() == {"forward", "backward"}
        assert batch.device["forward"] == pytest.approx(1.5 * batch.phases["forward"])
    without = build(load(synthetic_run.make(tmp_path / "cpu", Shape(epochs=1, machine="cpu"))))
    assert not any(batch.device for batch in without.kept)


def test_the_readings_of_hours_stay_a_small_part_of_the_page(tmp_path: Path) -> None:
    run = load(synthetic_run.make(tmp_path / "run", Shape(epochs=1, machine="gpu", workers=16)))
    series = {(point.name, str(point.attributes)): point for point in run.points}
    points = [
        MetricPoint(each.name, (10 + 10 * moment) * SECOND, each.attributes, each.value * moment, 0)
        for moment in range(1000)
        for each in series.values()
    ]
    found = resources(replace(run, points=points), 0, None)
    assert len(found.plots) > 25
    assert len(json.dumps(drawn_resources(found), separators=(",", ":"))) < 250_000
