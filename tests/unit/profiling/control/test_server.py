"""A training that listens: what it answers, to whom, and what is left when it stops."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from ocr_otel.profiling.control import card as cards
from ocr_otel.profiling.control import client, conversation, finding, places, protocol
from ocr_otel.profiling.control.server import MAX_CLIENTS, ControlServer
from ocr_otel.profiling.requests import Progress, Request, Standing, State, Windows
from tests.support.listening import Listening, listening
from tests.support.listening_script import Batches


class Silent:
    """Takes requests and never says more."""

    def __init__(self) -> None:
        self.tells: list[Callable[[Progress], None]] = []

    def standing(self) -> Standing:
        return Standing("run", 0, 1, "fit", 12, 2.0)

    def ask(self, request: Request, tell: Callable[[Progress], None]) -> None:
        self.tells.append(tell)
        tell(Progress(State.WAITING))


@contextmanager
def serving(windows: Windows, directory: Path | None = None) -> Iterator[Path]:
    failures: list[object] = []
    server = ControlServer(windows, "run", 0, directory, lambda cause, error: failures.append((cause, error)))
    server.start()
    try:
        (found,) = places.sockets(places.directories()[0])
        yield found.path
    finally:
        server.stop()
    assert failures == []


@contextmanager
def training(windows: Batches) -> Iterator[None]:
    over = threading.Event()
    thread = threading.Thread(target=windows.train, args=(lambda: not over.is_set(),))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def exchange(path: Path, sent: bytes) -> dict[str, object]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        connection.sendall(sent)
        with connection.makefile("rb") as answers:
            found = json.loads(answers.readline())
    assert isinstance(found, dict)
    return found


def follow(path: Path, request: Request, patience: float = 10) -> list[Progress]:
    with client.ask(path, request) as call:
        return [progress for _, progress in client.follow({0: call}, patience)]


def test_training_says_where_it_is(sockets_at: Path) -> None:
    with serving(Silent()) as path:
        assert client.standing(path) == Silent().standing()


def test_window_is_followed_from_the_request_to_the_verdict(sockets_at: Path) -> None:
    windows = Batches("run")
    with serving(windows) as path, training(windows):
        told = follow(path, Request(batches=2))
    assert [each.state for each in told] == [State.WAITING, *[State.OPEN] * 3, State.ANALYSING, State.DONE]
    assert [each.batches for each in told] == [0, 0, 1, 2, 2, 2]
    assert told[-1].verdict is not None
    assert told[-1].verdict["training.bottleneck.summary"] == "The training waited for data 62% of the time."
    assert len(told[-1].verdict["training.bottleneck.evidence"]) == 2


def test_ten_clients_at_once_get_one_window(sockets_at: Path) -> None:
    windows = Batches("run", seconds=0.2)
    with serving(windows) as path, training(windows), ThreadPoolExecutor(10) as clients:
        told = list(clients.map(lambda _: follow(path, Request()), range(10)))
    assert [each[-1].state for each in told] == [State.DONE] * 10
    assert len(windows.opened) == 1


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"\n", "Invalid JSON"),
        (b"hello\n", "Invalid JSON"),
        (b"[]\n", "Input should be an object"),
        (b"{}\n", "protocol: Field required"),
        (b"[" * 4000 + b"\n", "Invalid JSON"),
        (b"\xff\xfe\n", "Invalid JSON"),
        (b'{"protocol": 1, "ask": 5}\n', "ask: Input should be an object"),
        (b'{"protocol": 1, "ask": {"batches": "3"}}\n', "ask.batches: Input should be a valid integer"),
        (b'{"protocol": 1, "ask": {"batches": 0}}\n', "batches=0 is not allowed: 1 to 100"),
        (b'{"protocol": 1, "ask": {"batches": 101}}\n', "batches=101 is not allowed: 1 to 100"),
        (b'{"protocol": 1, "ask": {"at_step": -1}}\n', "at_step=-1 is not allowed"),
        (b'{"protocol": 2, "ask": {"all": true}}\n', "the command speaks version 2 of the protocol and the training"),
        (b"x" * 5000, "a line has more than 4096 bytes"),
    ],
)
def test_malformed_question_gets_a_sentence_and_the_next_one_an_answer(
    sockets_at: Path, sent: bytes, said: str
) -> None:
    with serving(Silent()) as path:
        answer = exchange(path, sent)
        assert said in str(answer["error"])
        assert answer["protocol"] == 1
        assert client.standing(path).steps == 12


def test_half_a_line_is_cut_off(sockets_at: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "LINE_SECONDS", 0.2)
    with serving(Silent()) as path:
        assert "no whole line came" in str(exchange(path, b'{"protocol": 1')["error"])


def test_more_clients_than_are_answered_are_told_so(sockets_at: Path) -> None:
    with serving(Silent()) as path:
        calls = [client.ask(path, Request()) for _ in range(MAX_CLIENTS)]
        for call in calls:
            assert call.answer().progress == Progress(State.WAITING)
        with pytest.raises(client.ControlError, match="32 commands are being answered already"):
            client.standing(path)
        for call in calls:
            call.close()
        deadline = time.monotonic() + 10
        while True:
            try:
                assert client.standing(path).steps == 12
                break
            except client.ControlError:
                # Those who left are noticed within a second.
                assert time.monotonic() < deadline
                time.sleep(0.1)


def test_stopped_training_is_said_not_to_answer(sockets_at: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ANSWER_SECONDS", 0.3)
    with listening("stopped", "--places", sockets_at) as training:
        (found,) = places.sockets(places.directories()[0])
        training.process.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(client.Silence, match="has not answered"):
                client.standing(found.path)
            calls = []
            with pytest.raises(client.ControlError, match="it does not answer"):
                calls += [client.ask(found.path, Request()) for _ in range(100)]
            (problem,) = finding.listening().problems
            assert f"process {training.process.pid} does not tell which run it is" in problem
        finally:
            training.process.send_signal(signal.SIGCONT)


def test_who_still_waits_is_told_that_the_training_ended(sockets_at: Path) -> None:
    with serving(Silent()) as path:
        call = client.ask(path, Request())
        assert call.answer().progress == Progress(State.WAITING)
    with call:
        assert call.answer().progress == Progress(State.FAILED, message="the training ended before the window was done")


def test_training_that_cannot_take_a_request_says_why_and_counts_it(sockets_at: Path) -> None:
    class Broken(Silent):
        def standing(self) -> Standing:
            raise RuntimeError("planted")

    failures: list[str] = []
    server = ControlServer(Broken(), "run", 0, None, lambda cause, error: failures.append(f"{cause}: {error}"))
    server.start()
    (found,) = places.sockets(places.directories()[0])
    with pytest.raises(client.ControlError, match="the training could not take it: RuntimeError: planted"):
        client.standing(found.path)
    server.stop()
    assert failures == ["control: planted"]


def test_stop_removes_what_was_made_and_start_begins_anew(sockets_at: Path, tmp_path: Path) -> None:
    threads = threading.active_count()
    server = ControlServer(Silent(), "run", 0, tmp_path, lambda cause, error: pytest.fail(str(error)))
    for _ in range(2):
        server.start()
        server.start()
        card = cards.read(tmp_path)
        assert card is not None
        assert client.standing(Path(card.socket)).run_id == "run"
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 1
        assert not list(tmp_path.iterdir())
        assert not list((sockets_at / f"ocr_otel-{os.geteuid()}").iterdir())
        with pytest.raises(client.NobodyListens):
            client.standing(Path(card.socket))
    server.stop()
    assert threading.active_count() == threads


def test_failure_to_listen_is_told_and_not_raised(sockets_at: Path, tmp_path: Path) -> None:
    (sockets_at / f"ocr_otel-{os.geteuid()}").write_text("in the way")
    failures: list[str] = []
    server = ControlServer(Silent(), "run", 0, tmp_path, lambda cause, error: failures.append(str(error)))
    server.start()
    server.stop()
    assert len(failures) == 1
    assert failures[0].startswith("no socket for `ocr-otel profile` could be made")
    assert cards.read(tmp_path) is None


def test_training_without_a_place_for_its_card_is_found_by_its_id(sockets_at: Path, tmp_path: Path) -> None:
    failures: list[str] = []
    server = ControlServer(Silent(), "run", 0, tmp_path / "gone", lambda cause, error: failures.append(str(error)))
    server.start()
    (found,) = finding.listening().trainings
    assert found.standing.run_id == "run"
    server.stop()
    assert "gone" in failures[0]


def test_forked_child_neither_answers_nor_removes(sockets_at: Path, tmp_path: Path) -> None:
    server = ControlServer(Silent(), "run", 0, tmp_path, lambda cause, error: pytest.fail(str(error)))
    server.start()
    (found,) = places.sockets(places.directories()[0])
    may_go, go = os.pipe()
    stopped, tell = os.pipe()
    child = os.fork()
    if child == 0:
        server.stop()
        os.write(tell, b"x")
        os.read(may_go, 1)
        os._exit(0)
    try:
        assert select.select([stopped], [], [], 10)[0]
        assert client.standing(found.path).steps == 12
        assert cards.read(tmp_path) is not None
        # A worker that outlives its training: nobody listens any more.
        server.stop()
        with pytest.raises(client.NobodyListens):
            client.standing(found.path)
    finally:
        os.write(go, b"x")
        assert os.waitpid(child, 0)[1] == 0


def test_child_of_a_killed_training_does_not_keep_its_socket_open(sockets_at: Path, tmp_path: Path) -> None:
    script = (
        "import os, sys, time\nfrom pathlib import Path\n"
        "from ocr_otel.profiling.control import places, server\n"
        "from tests.support.listening_script import Batches\n"
        f"places.SYSTEM_TEMPORARY = Path({str(sockets_at)!r})\n"
        "server.ControlServer(Batches('run'), 'run', 0, None, print).start()\n"
        "child = os.fork()\n"
        "if child == 0: sys.stdin.read(); os._exit(0)\n"
        "print(child, flush=True)\ntime.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[4]
    )
    assert process.stdout is not None
    assert process.stdin is not None
    child = int(process.stdout.readline())
    process.kill()
    process.wait()
    assert Path(f"/proc/{child}").exists()
    (left,) = places.sockets(places.directories()[0])
    with pytest.raises(client.NobodyListens):
        client.standing(left.path)
    assert finding.listening().trainings == ()
    process.stdin.close()


def test_killed_training_is_not_taken_for_a_running_one(sockets_at: Path, tmp_path: Path) -> None:
    killed = Listening("run", "--places", sockets_at, "--directory", tmp_path)
    killed.kill()
    card = cards.read(tmp_path)
    assert card is not None
    assert cards.presence(card) is cards.Presence.GONE
    assert finding.listening().trainings == ()
    with listening("next", "--places", sockets_at, "--directory", tmp_path):
        (found,) = finding.listening().trainings
        assert found.standing.run_id == "next"
        assert not Path(card.socket).exists()
    assert not (tmp_path / cards.CARD).exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_another_user_is_refused_even_where_the_directory_is_open(sockets_at: Path) -> None:
    code = (
        "import os, socket, sys\nos.setgid(65534); os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX)\ns.settimeout(5)\n"
        "try: s.connect(sys.argv[1])\nexcept PermissionError: print('closed'); raise SystemExit\n"
        "s.sendall(b'{\"protocol\": 1}\\n'); print(s.makefile().readline())"
    )

    def as_nobody(path: Path) -> str:
        return subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True).stdout

    with serving(Silent()) as path:
        assert as_nobody(path) == "closed\n"
        for each in (path.parent.parent, path.parent):
            each.chmod(0o755)
        path.chmod(0o666)
        assert "this training belongs to the user root" in as_nobody(path)
        path.parent.chmod(0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_client_asks_no_other_users_process(sockets_at: Path) -> None:
    with serving(Silent()) as path:
        for each in (path.parent.parent, path.parent):
            each.chmod(0o755)
        path.chmod(0o666)
        code = (
            "import os, sys\nfrom pathlib import Path\nfrom ocr_otel.profiling.control import client\n"
            "os.setgid(65534); os.setuid(65534)\n"
            "try: client.standing(Path(sys.argv[1]))\nexcept client.ControlError as error: print(error)"
        )
        command = [sys.executable, "-c", code, path]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert "is a process of the user root" in said
        path.parent.chmod(0o700)


def test_answer_of_another_version_is_not_guessed() -> None:
    with pytest.raises(protocol.ProtocolError, match="the training speaks version 7 of the protocol"):
        protocol.answer(b'{"protocol": 7, "progress": {"state": "half"}}')
    with pytest.raises(protocol.ProtocolError, match="what it said"):
        protocol.answer(b'{"protocol": 7, "error": "what it said"}')
    with pytest.raises(protocol.ProtocolError, match=r"cannot be understood: progress\.state"):
        protocol.answer(b'{"protocol": 1, "progress": {"state": "half"}}')
