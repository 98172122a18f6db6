"""`transfer`: batches move to the device, and nothing hides it."""

from __future__ import annotations

from ocr_otel.diagnosis import words
from ocr_otel.diagnosis.observation import WINDOW_SOURCE, Observation
from ocr_otel.diagnosis.thresholds import TRANSFER, TRANSFER_SECONDS_PER_BATCH
from ocr_otel.diagnosis.verdict import Evidence, Verdict
from ocr_otel.profiling.profile import Transfer
from ocr_otel.semconv import Bottleneck, Phase


def judge(observation: Observation) -> Verdict | None:
    """Return the verdict; None where copies take little, or overlap."""
    share = _share(observation)
    if share < TRANSFER:
        return None
    pageable = [
        each
        for each in (observation.window.transfers if observation.window is not None else ())
        if each.direction == "HtoD" and each.memory == "pageable"
    ]
    evidence = [observation.phase(Phase.TRANSFER)]
    if observation.device is not None:
        exposed = words.percent(observation.in_window(observation.device.exposed_transfer))
        evidence.append(Evidence("copies with no kernel beside them", f"{exposed} of the window", WINDOW_SOURCE))
    if observation.window is not None:
        evidence += [_copies(each) for each in observation.window.transfers[:3]]
    return Verdict(
        Bottleneck.TRANSFER,
        share,
        f"Moving batches to the device took {words.percent(share)} of the time.",
        _advice(observation, pageable),
        tuple(evidence),
        observation.measured,
    )


def _share(observation: Observation) -> float:
    seconds = observation.budget.seconds(Phase.TRANSFER)
    waited = observation.budget.part(seconds) if observation.by_batch(seconds) >= TRANSFER_SECONDS_PER_BATCH else 0.0
    if observation.device is None:
        return observation.exposed(waited)
    return max(observation.exposed(waited), observation.in_window(observation.device.exposed_transfer))


def _advice(observation: Observation, pageable: list[Transfer]) -> str:
    if observation.known.machine.accelerator is False:
        took = words.seconds(observation.by_batch(observation.budget.seconds(Phase.TRANSFER)))
        return (
            f"Nothing has to move on a CPU: what takes {took} a batch is the module's own batch transfer hook "
            "(on_before_batch_transfer, transfer_batch_to_device, on_after_batch_transfer). Move that work into the "
            "dataset, where workers do it ahead."
        )
    if pageable:
        copied = sum(each.bytes for each in pageable)
        return (
            f"pin_memory=True and non_blocking copies: {words.size(copied)} of pageable memory were copied, for which "
            "the host waits. Transfer smaller types and convert on the device."
        )
    if observation.known.loader.pin_memory is False:
        return "pin_memory False → True, so that copies overlap; transfer smaller types and convert on the device."
    return "Transfer fewer or smaller tensors (uint8 images, converted on the device), and copy while computing."


def _copies(each: Transfer) -> Evidence:
    speed = f", {words.size(each.bytes / each.seconds)}/s" if each.seconds > 0 else ""
    value = f"{words.count(each.calls, 'call')}, {words.size(each.bytes)}, {words.seconds(each.seconds)}{speed}"
    return Evidence(f"copies {each.direction}, {each.memory} memory", value, WINDOW_SOURCE)
