"""What a window showed, as events of its span: few enough, and short enough, for Jaeger's page to show them well."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from ocr_otel import semconv
from ocr_otel.profiling.profile import (
    Communication,
    Device,
    Gap,
    Host,
    Kernel,
    Operator,
    Range,
    Synchronization,
    Transfer,
    WindowProfile,
)

Value = str | int | float
Attributes = dict[str, Value]
SpanEvent = tuple[str, Attributes]
Found = TypeVar("Found")

MAX_EVENTS: Final = 60
MAX_TEXT: Final = 120
"""Characters of a name or a place in code: what a line of Jaeger's page holds."""
_OPERATORS: Final = 12
_KERNELS: Final = 8
_TRANSFERS: Final = 6
_SYNCHRONIZATIONS: Final = 8
_GAPS: Final = 6
_COMMUNICATIONS: Final = 6
_PHASES: Final = 6


def events_of(profile: WindowProfile) -> list[SpanEvent]:
    """Return names and attributes of a window's events, the most telling first.

    What was not measured has no attribute: no event says 0 where nobody looked.
    """
    events = [(semconv.PROFILE_HOST_EVENT, _host(profile.host))]
    if profile.device is not None:
        events.append((semconv.PROFILE_DEVICE_EVENT, _device(profile.device)))
    fetch = profile.phase(semconv.FETCH)
    if fetch is not None:
        events.append((semconv.PROFILE_DATALOADER_WAIT_EVENT, _wait(fetch, profile.seconds)))
    events += _each(semconv.PROFILE_PHASE_EVENT, _phase, profile.phases[:_PHASES])
    on_device = profile.device is not None
    events += [
        (semconv.PROFILE_OPERATOR_EVENT, _operator(operator, on_device)) for operator in profile.operators[:_OPERATORS]
    ]
    events += _each(semconv.PROFILE_KERNEL_EVENT, _kernel, profile.kernels[:_KERNELS])
    events += _each(semconv.PROFILE_TRANSFER_EVENT, _transfer, profile.transfers[:_TRANSFERS])
    waits = profile.synchronizations[:_SYNCHRONIZATIONS]
    events += _each(semconv.PROFILE_SYNCHRONIZATION_EVENT, _synchronization, waits)
    events += _each(semconv.PROFILE_GAP_EVENT, _gap, profile.gaps[:_GAPS])
    events += _each(semconv.PROFILE_COMMUNICATION_EVENT, _communication, profile.communication[:_COMMUNICATIONS])
    return events[:MAX_EVENTS]


def _each(name: str, attributes: Callable[[Found], Attributes], found: Iterable[Found]) -> list[SpanEvent]:
    return [(name, attributes(each)) for each in found]


def _host(host: Host) -> Attributes:
    return {
        semconv.PROFILE_HOST_OPERATORS: host.operators,
        semconv.PROFILE_HOST_OPERATOR_CALLS: host.operator_calls,
        semconv.PROFILE_HOST_LEAF_MEAN: host.leaf_mean,
        semconv.PROFILE_HOST_LAUNCHES: host.launches,
        semconv.PROFILE_HOST_LAUNCHING: host.launching,
        semconv.PROFILE_HOST_WAITING: host.waiting,
    }


def _device(device: Device) -> Attributes:
    return _told(
        {
            semconv.PROFILE_DEVICE_NAME: _cut(device.name),
            semconv.PROFILE_DEVICE_BUSY: device.busy,
            semconv.PROFILE_DEVICE_IDLE: device.idle,
            semconv.PROFILE_DEVICE_KERNELS: device.kernels,
            semconv.PROFILE_DEVICE_KERNEL_MEAN: device.kernel_mean,
            semconv.PROFILE_DEVICE_TRANSFER_EXPOSED: device.exposed_transfer,
            semconv.PROFILE_DEVICE_COMMUNICATION_EXPOSED: device.exposed_communication,
        }
    )


def _wait(fetch: Range, seconds: float) -> Attributes:
    return {
        semconv.PROFILE_DATALOADER_WAIT_BATCHES: fetch.calls,
        semconv.PROFILE_DATALOADER_WAIT_DURATION: fetch.seconds,
        semconv.PROFILE_DATALOADER_WAIT_SHARE: fetch.seconds / seconds if seconds > 0 else 0.0,
    }


def _phase(phase: Range) -> Attributes:
    return _told(
        {
            semconv.PROFILE_PHASE_NAME: _cut(phase.name),
            semconv.PROFILE_PHASE_DURATION: phase.seconds,
            semconv.PROFILE_PHASE_OPERATORS: phase.operators,
            semconv.PROFILE_PHASE_DEVICE: phase.device,
            semconv.PROFILE_PHASE_DEVICE_IDLE: phase.device_idle,
        }
    )


def _operator(operator: Operator, on_device: bool) -> Attributes:
    return _told(
        {
            semconv.PROFILE_OPERATOR_NAME: _cut(operator.name),
            semconv.PROFILE_OPERATOR_CALLS: operator.calls,
            semconv.PROFILE_OPERATOR_SHARE: operator.share,
            semconv.PROFILE_OPERATOR_SELF_CPU: operator.self_cpu,
            semconv.PROFILE_OPERATOR_TOTAL_CPU: operator.total_cpu,
            semconv.PROFILE_OPERATOR_SELF_DEVICE: operator.self_device if on_device else None,
            semconv.PROFILE_OPERATOR_TOTAL_DEVICE: operator.total_device if on_device else None,
            semconv.PROFILE_OPERATOR_MEMORY: operator.memory,
            semconv.PROFILE_OPERATOR_FLOPS: operator.flops,
            semconv.PROFILE_OPERATOR_SHAPES: _cut(operator.shapes),
            semconv.PROFILE_OPERATOR_CALL_SITE: _cut(operator.call_site),
        }
    )


def _kernel(kernel: Kernel) -> Attributes:
    return {
        semconv.PROFILE_KERNEL_NAME: _cut(kernel.name),
        semconv.PROFILE_KERNEL_CALLS: kernel.calls,
        semconv.PROFILE_KERNEL_DURATION: kernel.seconds,
        semconv.PROFILE_KERNEL_SHARE: kernel.share,
    }


def _transfer(transfer: Transfer) -> Attributes:
    return {
        semconv.PROFILE_TRANSFER_DIRECTION: _cut(transfer.direction),
        semconv.PROFILE_TRANSFER_MEMORY: transfer.memory,
        semconv.PROFILE_TRANSFER_CALLS: transfer.calls,
        semconv.PROFILE_TRANSFER_BYTES: transfer.bytes,
        semconv.PROFILE_TRANSFER_DURATION: transfer.seconds,
    }


def _synchronization(wait: Synchronization) -> Attributes:
    return _told(
        {
            semconv.PROFILE_SYNCHRONIZATION_NAME: _cut(wait.name),
            semconv.PROFILE_SYNCHRONIZATION_CALL_SITE: _cut(wait.call_site),
            semconv.PROFILE_SYNCHRONIZATION_CALLS: wait.calls,
            semconv.PROFILE_SYNCHRONIZATION_DURATION: wait.seconds,
        }
    )


def _gap(gap: Gap) -> Attributes:
    return {
        semconv.PROFILE_GAP_HOST: _cut(gap.host),
        semconv.PROFILE_GAP_START: gap.start,
        semconv.PROFILE_GAP_DURATION: gap.seconds,
    }


def _communication(collective: Communication) -> Attributes:
    return _told(
        {
            semconv.PROFILE_COMMUNICATION_NAME: _cut(collective.name),
            semconv.PROFILE_COMMUNICATION_CALLS: collective.calls,
            semconv.PROFILE_COMMUNICATION_BYTES: collective.bytes,
            semconv.PROFILE_COMMUNICATION_DURATION: collective.seconds,
            semconv.PROFILE_COMMUNICATION_OVERLAPPED: collective.overlapped,
        }
    )


def _told(attributes: dict[str, Value | None]) -> Attributes:
    return {name: value for name, value in attributes.items() if value is not None and value != ""}


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
