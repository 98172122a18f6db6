"""`SIGUSR2` asks for a window, where nobody else wants it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from lightning.fabric.plugins.environments import LightningEnvironment, SLURMEnvironment

from ocr_otel.profiling.control.signals import RequestSignal
from ocr_otel.profiling.requests import Progress, Request, Standing, State
from ocr_otel.training.on_demand import requeue_signal
from tests.support.listening import listening


class Asked:
    """Takes requests."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def standing(self) -> Standing:
        return Standing("run", 0, 1, "fit", 0, 0.0)

    def ask(self, request: Request, tell: Callable[[Progress], None]) -> None:
        self.requests.append(request)
        tell(Progress(State.REFUSED, message="planted"))


def fail(cause: str, error: Exception) -> None:
    raise AssertionError(cause) from error


@pytest.fixture
def usual() -> Iterator[None]:
    before = signal.getsignal(signal.SIGUSR2)
    signal.signal(signal.SIGUSR2, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGUSR2, before)


@pytest.mark.usefixtures("usual")
def test_signal_asks_for_a_window_and_is_given_back(caplog: pytest.LogCaptureFixture) -> None:
    windows = Asked()
    by_signal = RequestSignal(windows, fail)
    for number in (1, 2):
        assert by_signal.install()
        assert by_signal.install()
        os.kill(os.getpid(), signal.SIGUSR2)
        deadline = time.monotonic() + 10
        while len(windows.requests) < number and time.monotonic() < deadline:
            time.sleep(0.01)
        assert windows.requests == [Request()] * number
        by_signal.remove()
        assert signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL
        assert not [thread for thread in threading.enumerate() if thread.name == "ocr_otel-signal"]
    assert "no window for SIGUSR2: planted" in caplog.text


@pytest.mark.usefixtures("usual")
@pytest.mark.parametrize("theirs", [signal.SIG_IGN, lambda number, frame: None])
def test_signal_of_the_application_is_left_alone(theirs: signal.Handlers) -> None:
    signal.signal(signal.SIGUSR2, theirs)
    by_signal = RequestSignal(Asked(), fail)
    assert not by_signal.install()
    by_signal.remove()
    assert signal.getsignal(signal.SIGUSR2) is theirs


@pytest.mark.usefixtures("usual")
def test_handler_that_came_later_is_not_removed() -> None:
    by_signal = RequestSignal(Asked(), fail)
    assert by_signal.install()
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    by_signal.remove()
    assert signal.getsignal(signal.SIGUSR2) is signal.SIG_IGN


@pytest.mark.usefixtures("usual")
def test_signal_for_requeueing_is_left_to_slurm() -> None:
    def trainer(environment: object) -> SimpleNamespace:
        return SimpleNamespace(_accelerator_connector=SimpleNamespace(cluster_environment=environment))

    assert requeue_signal(trainer(LightningEnvironment())) is None
    assert requeue_signal(trainer(SLURMEnvironment())) == signal.SIGUSR1
    theirs = requeue_signal(trainer(SLURMEnvironment(requeue_signal=signal.SIGUSR2)))
    by_signal = RequestSignal(Asked(), fail)
    assert not by_signal.install(theirs)
    assert signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL


@pytest.mark.usefixtures("usual")
def test_other_thread_than_the_main_one_takes_no_signal() -> None:
    taken: list[bool] = []
    thread = threading.Thread(target=lambda: taken.append(RequestSignal(Asked(), fail).install()))
    thread.start()
    thread.join()
    assert taken == [False]


def test_many_signals_while_the_training_starts_threads_and_takes_locks() -> None:
    with listening("signalled", "--signal", "--seconds", "0.02") as training:
        for _ in range(200):
            training.process.send_signal(signal.SIGUSR2)
            time.sleep(0.001)
        time.sleep(0.3)
        said = training.stop()
    assert "signal True" in said
    assert training.process.returncode == 0
    assert 1 <= len(training.opened()) < 10
