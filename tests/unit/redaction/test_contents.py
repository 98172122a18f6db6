"""Messages of exceptions as they may leave: the sentence stays, data and paths do not."""

from __future__ import annotations

import subprocess
import sys
import time
import traceback
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from ocr_otel.redaction import MAX_MESSAGE, safe_message, safe_stack


@dataclass
class Sample:
    text: str
    number: int


DATA = {
    "a tensor": f"bad batch {torch.arange(7000, 7100)} in step 3",
    "a small tensor": f"bad batch {torch.tensor([7000, 0.5])} in step 3",
    "an array": f"bad batch {np.arange(7000, 7400)} in step 3",
    "an array's repr": f"bad batch {np.arange(7000, 7400)!r} in step 3",
    "a batch": f"bad batch { {'image': torch.ones(7000), 'label': ['Jane 7000', 'John']} } in step 3",
    "labels": f"bad batch {['Jane7000', 'John']} in step 3",
    "a set of one": "bad batch {'7000 Jane'} in step 3",
    "a label": "bad batch 'Jane, 7000' in step 3",
    "a label that is not ASCII": "bad batch 'Jäne7000' in step 3",
    "numbers": f"bad batch {' '.join(map(str, range(7000, 7020)))} in step 3",
    "a sample": f"bad batch {Sample('Jane 7000', 3)} in step 3",
    "bytes": f"bad batch {b'7000' + bytes(range(9))!r} in step 3",
    "base64": f"bad batch {'aGVsbG8g7000' * 20} in step 3",
}


@pytest.mark.parametrize("message", DATA.values(), ids=DATA)
def test_contents_are_cut_and_the_sentence_stays(message: str) -> None:
    told = safe_message(message)
    assert told.startswith("bad batch ")
    assert told.endswith(" in step 3")
    assert "7000" not in told
    assert "J" not in told


def test_what_is_cut_before_its_end_is_data_too() -> None:
    assert "7000" not in safe_message("bad batch tensor([[7000, 7001], [7000")
    assert "7000" not in safe_message(f"bad batch {list(range(7000, 9000))}"[:300])


KEPT = [
    "mat1 and mat2 shapes cannot be multiplied (4x8 and 7x1)",
    "size mismatch for a.weight: copying a param with shape torch.Size([1, 8]) from checkpoint",
    "Expected 'cpu' or 'cuda:0', and batch_size=64 does not match [64, 3, 7, 7]",
    "can't find 'image' in the batch, which doesn't work",
    "[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory: you tried to allocate 40 bytes.",
    "`Trainer.fit()` requires a `train_dataloaders`; 3 it/s of 12 GB/s, and/or more",
    "the interval [0, 1) has Linear(in_features=8, out_features=1, bias=True)",
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.11 GiB (of which 1 is free)",
]


@pytest.mark.parametrize("message", KEPT)
def test_what_tells_no_data_stays(message: str) -> None:
    assert safe_message(message) == message


PATHS = {
    "[Errno 2] No such file or directory: '/data/jane roe/secret/img 1.png'": "'img 1.png'",
    "cannot open /data/jane/secret/best.ckpt: it is gone": "cannot open best.ckpt: it is gone",
    "cannot open ~/jane/best.ckpt": "cannot open best.ckpt",
    "cannot open ../jane/secret": "cannot open …",
    "cannot open data/jane/best.ckpt.": "cannot open best.ckpt.",
    "Parent directory /data/jane/secret does not exist.": "directory … does not exist.",
    "cannot read s3://jane/secret/img.png": "cannot read img.png",
    "see https://jane.example:4318/secret/page?x=secret": "https://jane.example:4318/…",
}


@pytest.mark.parametrize(("message", "told"), PATHS.items())
def test_paths_become_the_names_of_files(message: str, told: str) -> None:
    safe = safe_message(message)
    assert told in safe
    assert "secret" not in safe


def test_an_exception_of_a_dataloader_worker_is_told_without_source_and_paths() -> None:
    def secret_function() -> None:
        raise RuntimeError("planted failure")  # hidden remark

    try:
        secret_function()
    except RuntimeError:
        message = f"Caught RuntimeError in DataLoader worker process 0.\nOriginal {traceback.format_exc()}"
    told = safe_message(message)
    assert "hidden remark" in message
    assert "hidden remark" not in told
    assert 'File "test_contents.py", line ' in told
    assert "in secret_function" in told
    assert told.rstrip().endswith("RuntimeError: planted failure")


def test_a_long_message_keeps_its_beginning_and_its_end() -> None:
    told = safe_message("it begins " + "with words and " * 200 + "it ends")
    assert len(told) == MAX_MESSAGE
    assert told.startswith("it begins ")
    assert told.endswith("it ends")


def test_a_message_that_is_not_looked_at_whole_has_no_half_secret_and_no_half_text() -> None:
    for shift in range(60):
        told = safe_message("word " * 1_985 + "x" * shift + " password='hunter two hunter two' and 'Jane Roe'")
        assert "hunter" not in told
        assert "Jane" not in told


def test_stacks_have_file_names() -> None:
    code = "import faulthandler, sys; faulthandler.dump_traceback(sys.stdout)"
    dumped = 'Current thread 0x1 (most recent call first):\n  File "/data/jane/train.py", line 3 in step\n'
    assert safe_stack(dumped) == dumped.replace("/data/jane/", "")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert safe_stack(done.stdout) == done.stdout


@pytest.mark.parametrize(
    "piece", ["[", "(", "a/", "'", "\\'", "token", "/a b", "secret=", "1 ", "a.", "://", "x", "[1,2"]
)
def test_hostile_messages_are_read_in_bounded_time(piece: str) -> None:
    began = time.process_time()
    safe_message(piece * (20_000 // len(piece)))
    assert time.process_time() - began < 5


def test_it_needs_the_standard_library_alone() -> None:
    code = (
        "import sys; import ocr_otel.redaction, ocr_otel.private; "
        "print([name for name in sys.modules if name.partition('.')[0] in ('opentelemetry', 'torch', 'pydantic')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
