"""`synchronization`: the host waits for the device, which then waits for the host."""

from __future__ import annotations

from ocr_otel.diagnosis import words
from ocr_otel.diagnosis.observation import WINDOW_SOURCE, Observation
from ocr_otel.diagnosis.thresholds import SYNCHRONIZATION
from ocr_otel.diagnosis.verdict import Evidence, Verdict
from ocr_otel.semconv import Bottleneck

_SHOWN = 3
"""Call sites that are told."""


def judge(observation: Observation) -> Verdict | None:
    """Return the verdict; None without a device, or where it is never left without work by a wait.

    Without the wait the host would go on asking for work, up to what the device can do: what is lost is the time in
    which the device was idle, as far as the host had waited as long.
    """
    window, device = observation.window, observation.device
    if window is None or device is None or not window.synchronizations:
        return None
    idle = max(0.0, window.seconds - device.busy)
    share = observation.in_window(min(window.host.waiting, idle))
    if share < SYNCHRONIZATION:
        return None
    first = window.synchronizations[0]
    where = first.call_site or first.name
    return Verdict(
        Bottleneck.SYNCHRONIZATION,
        share,
        f"The host waited for the device {words.percent(observation.in_window(window.host.waiting))} of the time, and "
        f"left it without work {words.percent(share)} of it: most of all in {where}.",
        f"Take {where} out of the step: keep values on the device and read them every so many batches, log tensors "
        "and not numbers, and do not print tensors.",
        (
            Evidence("host waiting", words.seconds(window.host.waiting), WINDOW_SOURCE),
            Evidence("device idle", words.seconds(idle), WINDOW_SOURCE),
            *(
                Evidence(
                    each.call_site or each.name,
                    f"{words.count(each.calls, 'call')}, {words.seconds(each.seconds)}, {each.name}",
                    WINDOW_SOURCE,
                )
                for each in window.synchronizations[:_SHOWN]
            ),
        ),
        observation.measured,
    )
