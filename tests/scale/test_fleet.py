"""64 ranks through agent, balancer and two gateways into Jaeger and Prometheus: nothing lost, split or doubled."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from tests.scale.flood import check, flood
from tests.scale.stream import Training
from tests.support.fleet import limits, running_fleet

SECONDS = 400


@pytest.mark.timeout(SECONDS)
def test_a_fleet_delivers_whole_traces_through_two_gateways_and_loses_nothing(tmp_path: Path) -> None:
    training = Training("fleet", ranks=64, epochs=1, epoch_seconds=80.0)
    with running_fleet(tmp_path, STACK_KEEP_REGULAR_PERCENT="50") as fleet:
        done = flood(fleet, training)
        check(fleet, done)
    # A share of the regular traces was sampled out, by both gateways.
    assert all(done.arrived.traces_dropped.values()), done.arrived
    for name, limit in limits().items():
        for server, peak in done.peak_mib.items():
            if server.split("-")[0] == name:
                assert peak < limit, f"{server} took {peak:.0f} MiB of {limit}"


@pytest.mark.timeout(SECONDS)
def test_a_gateway_that_starts_anew_loses_nothing_and_nothing_arrives_twice(tmp_path: Path) -> None:
    # Every trace is kept here, so that each span that was sent is one that Jaeger stores, once.
    training = Training("restart", ranks=32, epochs=1, epoch_seconds=80.0)
    with running_fleet(tmp_path) as fleet:
        met: list[float] = []

        def restart() -> None:
            while fleet.counted("gateway-2", "otelcol_receiver_accepted_spans") < 1000:
                time.sleep(0.05)
            fleet.stop("gateway-2")
            # Meanwhile the balancer has some seconds of its traces.
            time.sleep(3)
            fleet.start("gateway-2")
            met.append(fleet.counted("balancer", "otelcol_exporter_queue_size"))

        restarting = threading.Thread(target=restart)
        restarting.start()
        done = flood(fleet, training)
        restarting.join()
        assert met, "the gateway was not started anew"
        assert done.arrived.failed == 0, done.arrived
        assert done.arrived.stored == done.sent.spans, (done.sent.spans, done.arrived)
        assert done.arrived.samples == training.ranks * done.sent.exports
        for trace, number in list(done.sent.batch_spans.items())[::10]:
            assert len(fleet.stack.trace(f"{trace:032x}")) == number
