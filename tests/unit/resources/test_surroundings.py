"""What is said of an epoch and of a slow batch from the readings of its time."""

from __future__ import annotations

import pytest

from ocr_otel import semconv
from ocr_otel.resources.readings import Series, series
from ocr_otel.resources.surroundings import of_loop, of_slow_batch
from ocr_otel.resources.timeline import Timeline

SECOND = 1_000_000_000
MB = 1e6


def gpu(number: int) -> Series:
    return series(semconv.GPU_UTILIZATION, hw_id=f"GPU-{number}", hw_gpu_task="general")


def of_process(metric: str, role: str, **attributes: str) -> Series:
    return Series(metric, tuple(sorted([(semconv.PROCESS_ROLE, role), *attributes.items()])))


READ = {"disk.io.direction": "read"}
PRESSURE = series(semconv.PRESSURE_TIME, resource="io", kind="some")


def lines(seconds: int, **changed: dict[int, float]) -> Timeline:
    """A minute of an even training; a name's seconds may be changed: a value, or a counter's growth."""
    timeline = Timeline()
    totals: dict[Series, float] = {}
    grows = {
        "read": (of_process(semconv.PROCESS_DISK_IO, "worker", **READ), 1 * MB),
        "asked": (of_process(semconv.IO_REQUESTED, "worker", **READ), 10 * MB),
        "written": (of_process(semconv.IO_REQUESTED, "main", **{"disk.io.direction": "write"}), 50 * MB),
        "cpu": (of_process(semconv.PROCESS_CPU_TIME, "main", **{"cpu.mode": "user"}), 0.9),
        "worker": (of_process(semconv.PROCESS_CPU_TIME, "worker", **{"cpu.mode": "user"}), 0.5),
        "pressure": (PRESSURE, 0.02),
    }
    for second in range(seconds):
        now = second * SECOND
        for name, (each, step) in grows.items():
            totals[each] = totals.get(each, 0.0) + changed.get(name, {}).get(second, step)
            timeline.add(now, each, totals[each])
        timeline.add(now, gpu(0), changed.get("gpu", {}).get(second, 0.9))
        timeline.add(now, gpu(1), changed.get("gpu", {}).get(second, 0.7))
        timeline.add(now, series(semconv.GPU_UTILIZATION, hw_id="GPU-0", hw_gpu_task="encoder"), 0.0)
        timeline.add(now, of_process(semconv.PROCESS_MEMORY, "main"), 100 * MB + second)
        for worker in range(2):
            line = Series(semconv.PROCESS_MEMORY, ((semconv.WORKER_ID, worker), (semconv.PROCESS_ROLE, "worker")))
            timeline.add(now + worker * 1000, line, 30 * MB)
    return timeline


def test_an_epoch_is_described_by_what_was_read_in_it() -> None:
    found = of_loop(lines(60), 10 * SECOND, 50 * SECOND, samples=4000)
    assert found[semconv.GPU_USED_MEAN] == pytest.approx(0.8)
    assert found[semconv.GPU_USED_P95] == pytest.approx(0.9)
    assert found[semconv.MAIN_CPU] == pytest.approx(0.9)
    assert found[semconv.WORKERS_CPU] == pytest.approx(0.5)
    assert found[semconv.MAIN_MEMORY_MAX] == 100 * MB + 50
    assert found[semconv.WORKERS_MEMORY_MAX] == 60 * MB
    assert found[semconv.READ_DEVICE] == pytest.approx(1 * MB)
    assert found[semconv.READ_REQUESTED] == pytest.approx(10 * MB)
    assert found[semconv.CACHE_SHARE] == pytest.approx(0.9)
    assert found[semconv.READ_BY_SAMPLE] == pytest.approx(10 * MB * 40 / 4000)
    assert found[semconv.PRESSURE_IO] == pytest.approx(0.02)
    # What nobody read is not there: no zero stands for it.
    assert not {semconv.GPU_MEMORY_MAX, semconv.SWAPPED, semconv.CPU_HELD_BACK, semconv.PRESSURE_CPU} & found.keys()
    assert set(found) <= set(semconv.ATTRIBUTES)


def test_the_thinned_beginning_of_a_long_epoch_counts_for_its_time() -> None:
    timeline = Timeline()
    # Idle for the first quarter of four hours, of which every other reading after the other goes.
    for second in range(4 * 3600):
        timeline.add(second * SECOND, gpu(0), 0.0 if second < 3600 else 1.0)
    found = of_loop(timeline, 0, 4 * 3600 * SECOND, samples=1)
    assert found[semconv.GPU_USED_MEAN] == pytest.approx(0.75, abs=0.01)
    assert found[semconv.GPU_USED_P95] == 1


def test_without_readings_nothing_is_said() -> None:
    assert of_loop(Timeline(), 0, SECOND, 5) == {}
    assert of_slow_batch(Timeline(), 0, SECOND, 0) == {}


def test_of_a_batch_like_the_others_nothing_is_said() -> None:
    assert of_slow_batch(lines(60), int(40.2 * SECOND), int(40.6 * SECOND), 0) == {}


def test_what_was_different_in_a_slow_batch_is_told_with_the_epochs_median() -> None:
    timeline = lines(60, gpu={41: 0.1}, pressure={41: 0.8}, read={41: 90 * MB})
    found = of_slow_batch(timeline, int(40.2 * SECOND), int(40.6 * SECOND), 0)
    assert found[semconv.SLOW_REASONS] == ("gpu_fell", "io_rose", "io_pressure")
    assert found[semconv.SLOW_GPU] == pytest.approx(0.1)
    assert found[f"{semconv.SLOW_GPU}.median"] == pytest.approx(0.8)
    assert found[semconv.SLOW_READ] == pytest.approx(90 * MB)
    assert found[f"{semconv.SLOW_READ}.median"] == pytest.approx(1 * MB)
    assert found[semconv.SLOW_PRESSURE_IO] == pytest.approx(0.8)
    assert set(found) <= set(semconv.ATTRIBUTES)
    # The next batch but one is like the others again.
    assert of_slow_batch(timeline, int(43.2 * SECOND), int(43.6 * SECOND), 0) == {}
