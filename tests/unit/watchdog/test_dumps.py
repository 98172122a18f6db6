"""What `faulthandler` writes becomes readable."""

from __future__ import annotations

import pytest

from ocr_otel.watchdog import dumps
from ocr_otel.watchdog.dumps import Process, Thread

DUMP = """\
Stack (most recent call first):
  File "/home/somebody/secret project/model.py", line 12 in training_step
  File "<frozen runpy>", line ??? in _run_code
  File "/a/b", line 3 in odd/name.py", line 4 in <module>
  ...
"""


def test_frames_are_named_without_folders() -> None:
    assert dumps.frames(DUMP) == (
        "model.py:12 in training_step",
        "<frozen runpy>:??? in _run_code",
        "name.py:4 in <module>",
        "…",
    )


@pytest.mark.parametrize("dump", ["", "Stack (most recent", 'Stack (most recent call first):\n  File "/a/b.py", li'])
def test_a_dump_that_was_cut_has_the_frames_that_are_whole(dump: str) -> None:
    assert dumps.frames(dump) == ()


@pytest.mark.parametrize(
    ("outermost", "telemetry"),
    [
        ("/site-packages/opentelemetry/sdk/_shared_internal/__init__.py", True),
        ("/site-packages/ocr_otel/recording/background.py", True),
        ("/home/me/train.py", False),
        ("/site-packages/torch/utils/data/_utils/pin_memory.py", False),
    ],
)
def test_a_thread_is_telemetrys_by_who_started_it(outermost: str, telemetry: bool) -> None:
    dump = f"""\
Stack (most recent call first):
  File "/lib/python3.11/threading.py", line 331 in wait
  File "/site-packages/opentelemetry/inner.py", line 1 in called
  File "{outermost}", line 1 in work
  File "/lib/python3.11/threading.py", line 982 in run
  File "/lib/python3.11/threading.py", line 1002 in _bootstrap
"""
    assert dumps.is_telemetry(dump) is telemetry


def test_processes_with_equal_stacks_are_told_together() -> None:
    def worker(pid: int, line: str) -> Process:
        return Process("worker", pid, (Thread("main thread", "state S", (line, "b.py:2 in g")),))

    training = Process("training process", 1, (Thread("main thread", "", ("a.py:1 in f",)),), "2 threads left out")
    text = dumps.render([training, worker(2, "x.py:1 in h"), worker(3, "y.py:1 in h"), worker(4, "x.py:1 in h")])
    assert (
        text
        == """\
training process 1:
  2 threads left out
  main thread:
    a.py:1 in f
workers 2, 4:
  main thread (state S):
    x.py:1 in h
    b.py:2 in g
worker 3:
  main thread (state S):
    y.py:1 in h
    b.py:2 in g"""
    )


def test_a_long_text_is_cut_within_its_limit() -> None:
    frames = tuple(f"größe.py:{number} in f" for number in range(5000))
    text = dumps.render([Process("training process", 1, (Thread("main thread", "", frames),))])
    assert len(text.encode()) <= dumps.LIMIT
    assert text.endswith("\n… cut")
    assert frames[0] in text
