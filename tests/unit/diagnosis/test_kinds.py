"""Each kind by table: it fires on what is planted, and not on what is usual."""

from __future__ import annotations

from typing import Any

import pytest

from ocr_otel import semconv
from ocr_otel.profiling.profile import Host, Range, WindowProfile
from ocr_otel.semconv import Bottleneck
from tests.unit.diagnosis.observing import BALANCED, ON_CPU, ON_GPU, diagnosed

WORK = {"forward": 40.0, "backward": 40.0}
MODEL = {"forward": 20.0, "backward": 20.0, "optimizer": 5.0}


@pytest.mark.parametrize(
    ("kind", "seconds", "more", "known"),
    [
        ("data", MODEL | {"fetch": 25}, {}, ON_CPU),
        ("data", {"forward": 5, "fetch": 90}, {}, {}),
        ("transfer", MODEL | {"transfer": 30}, {}, {}),
        ("transfer", MODEL | {"transfer": 16}, {}, ON_GPU | {semconv.GPU_USED_MEAN: 0.6}),
        ("optimizer", {"forward": 20, "optimizer": 45}, {}, {}),
        ("optimizer", {"forward": 25, "optimizer": 32}, {}, {semconv.CONFIG_OPTIMIZER_IMPLEMENTATION: "for-loop"}),
        ("logging", MODEL | {"callbacks": 20}, {}, {}),
        ("logging", MODEL | {"loop": 20}, {}, {}),
        ("communication", WORK | {"communication": 12}, {}, ON_CPU),
        # A thread that waits for another rank does not stand still for nothing.
        ("communication", MODEL | {"communication": 45}, {"main_cpu": 45.0}, ON_CPU),
        ("checkpoint", WORK | {"checkpoint": 12}, {"checkpoints": 4}, {}),
        ("validation", MODEL | {"validation": 35}, {"validations": 10}, {}),
        ("compile", WORK, {"recompiling": 12.0, "compiling": 20.0, "recompilations": 9}, {}),
        ("memory", WORK, {"collecting": 30.0, "collections": 900}, {}),
        ("memory", WORK, {}, {semconv.PRESSURE_MEMORY: 0.3, semconv.SWAPPED: 5000.0}),
        ("cpu_contention", WORK, {"cpu_delay": 30.0}, ON_CPU | {semconv.CONFIG_THREADS: 32}),
        (
            "cpu_contention",
            WORK,
            {"cpu_delay": 30.0},
            ON_CPU
            | {
                semconv.CONFIG_WORKERS: 16,
                semconv.CONFIG_THREADS: 8,
                semconv.MAIN_CPU: 2.0,
                semconv.WORKERS_CPU: 5.5,
            },
        ),
        ("cpu_contention", WORK, {}, ON_CPU | {semconv.CPU_HELD_BACK: 1.0, semconv.MAIN_CPU: 2.0}),
        ("cpu_contention", WORK, {"cpu_delay": 50.0}, ON_CPU | {semconv.CONFIG_THREADS: 8}),
        ("launch", WORK, {"main_cpu": 30.0}, ON_CPU),
        ("launch", WORK, {}, ON_GPU | {semconv.GPU_USED_MEAN: 0.2}),
        ("compute", WORK | {"optimizer": 10}, {"main_cpu": 95.0}, ON_CPU),
        ("compute", WORK | {"optimizer": 10}, {}, ON_GPU | {semconv.GPU_USED_MEAN: 0.97}),
    ],
)
def test_what_is_planted_is_named(kind: str, seconds: dict[str, float], more: dict[str, Any], known: Any) -> None:
    found = diagnosed(seconds, known, **more)
    assert found.verdict.kind == kind, found.causes
    assert found.verdict.evidence
    assert found.verdict.advice
    assert 0 < found.verdict.share <= 1


@pytest.mark.parametrize(
    ("seconds", "more", "known"),
    [
        (BALANCED, {}, ON_CPU),
        (BALANCED | {"fetch": 15}, {}, ON_CPU),
        (BALANCED | {"optimizer": 28}, {}, ON_CPU | {semconv.CONFIG_OPTIMIZER_IMPLEMENTATION: "for-loop"}),
        (BALANCED | {"validation": 25}, {"validations": 3}, {}),
        (BALANCED | {"checkpoint": 6}, {"checkpoints": 3}, {}),
        (BALANCED | {"communication": 8}, {}, ON_CPU),
        (BALANCED, {"collecting": 5.0, "collections": 3}, {}),
        # The first compilation is start-up.
        (BALANCED, {"compiling": 40.0, "recompiling": 1.0, "recompilations": 1}, {}),
        # As many workers as there is room for, and threads that got their CPUs.
        (BALANCED, {"cpu_delay": 8.0}, ON_CPU | {semconv.CONFIG_THREADS: 32}),
        # Others on the machine, for less than would be called a hindrance.
        (BALANCED, {"cpu_delay": 30.0}, ON_CPU | {semconv.CONFIG_THREADS: 2}),
        # The fixed cost of tiny steps: a million batches of 0.1 ms.
        ({"forward": 25, "callbacks": 25, "loop": 25, "transfer": 20}, {"batches": 1_000_000}, ON_CPU),
        # Workers that started before the epoch: nothing could have been ready.
        (BALANCED | {"fetch": 30}, {"first_wait": 20.0}, ON_CPU | {semconv.CONFIG_WORKERS: 4}),
        # A host that waits for a device which is busy all the time.
        (BALANCED | {"transfer": 25, "forward": 5}, {}, ON_GPU | {semconv.GPU_USED_MEAN: 0.95}),
    ],
)
def test_what_is_usual_is_not_accused(seconds: dict[str, float], more: dict[str, Any], known: Any) -> None:
    found = diagnosed(seconds, known, **more)
    assert [cause.kind for cause in found.causes] == [Bottleneck.NONE]


def window(forward: Range, host: Host) -> WindowProfile:
    return WindowProfile(
        seconds=1.0, batches=(0.25,) * 4, host=host, phases=(forward, Range("backward", 4, 0.3, operators=0.3))
    )


@pytest.mark.parametrize(
    ("forward", "host", "kind"),
    [
        # Half of the time is Python, in which no operator runs.
        (Range("forward", 4, 0.6, operators=0.1), Host(operators=0.4, operator_calls=400), "launch"),
        # Operators of 6 µs are mostly the cost of calling them.
        (Range("forward", 4, 0.6, operators=0.55), Host(operators=0.85, operator_calls=140_000), "launch"),
        (
            Range("forward", 4, 0.6, operators=0.59),
            Host(operators=0.89, operator_calls=900, compute_bound=0.7, memory_bound=0.15),
            "compute",
        ),
        (
            Range("forward", 4, 0.6, operators=0.59),
            Host(operators=0.89, operator_calls=900, compute_bound=0.1, memory_bound=0.75),
            "memory_bandwidth",
        ),
    ],
)
def test_a_window_tells_what_forward_and_backward_are_made_of(forward: Range, host: Host, kind: str) -> None:
    found = diagnosed({"forward": 60.0, "backward": 30.0}, ON_CPU, window(forward, host))
    assert found.verdict.kind == kind
    assert "profiler window" in found.basis


def test_without_a_window_it_says_so() -> None:
    assert "without a profiler window" in diagnosed(WORK).basis


def test_the_slowest_callback_is_named_with_its_part() -> None:
    found = diagnosed(
        MODEL | {"callbacks": 40}, slowest_callback="RichProgressBar", slowest_callback_seconds=30.0
    ).verdict
    assert "RichProgressBar alone 30%" in found.summary
    assert "refresh_rate" in found.advice


@pytest.mark.parametrize(
    ("callback", "advised"),
    [
        ("LightningModule.log", "self.log"),
        ("CSVLogger.log_metrics", "log_every_n_steps 1 → 50"),
        ("GradientNorms", "GradientNorms"),
    ],
)
def test_advice_on_logging_is_about_who_takes_the_time(callback: str, advised: str) -> None:
    found = diagnosed(
        MODEL | {"callbacks": 40},
        {semconv.CONFIG_LOG_EVERY: 1},
        slowest_callback=callback,
        slowest_callback_seconds=35.0,
    )
    assert advised in found.verdict.advice


@pytest.mark.parametrize(
    ("known", "advised"),
    [
        ({semconv.CONFIG_VAL_CHECK_INTERVAL: 0.1, semconv.CONFIG_CHECK_VAL_EVERY: 1}, "val_check_interval 0.1 → 0.9"),
        ({semconv.CONFIG_VAL_CHECK_INTERVAL: 1.0, semconv.CONFIG_CHECK_VAL_EVERY: 1}, "n_epoch 1 → 9"),
        ({semconv.CONFIG_VAL_CHECK_INTERVAL: 100.0, semconv.CONFIG_CHECK_VAL_EVERY: 1}, "val_check_interval 100 → 900"),
    ],
)
def test_validation_is_advised_to_be_a_tenth(known: dict[str, Any], advised: str) -> None:
    assert advised in diagnosed({"forward": 50, "validation": 50}, known, validations=10).verdict.advice


def test_the_optimizer_is_advised_by_its_name_and_implementation() -> None:
    known = {
        semconv.CONFIG_OPTIMIZER: "AdamW",
        semconv.CONFIG_OPTIMIZER_IMPLEMENTATION: "for-loop",
        semconv.CONFIG_OPTIMIZER_TENSORS: 400,
    }
    found = diagnosed({"forward": 40, "optimizer": 40}, known).verdict
    assert "AdamW(..., fused=True)" in found.advice
    assert "400 tensors" in found.summary
