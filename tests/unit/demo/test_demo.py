"""The demo is a real training that knows nothing of ocr_otel."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from ocr_otel.demo.data import ALPHABET, HEIGHT, TextLines, collate, decode, encode, prepare
from ocr_otel.demo.model import TextRecogniser


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("data"), 24, 3)


def test_images_are_real_files_and_the_same_for_the_same_seed(lines: Path, tmp_path: Path) -> None:
    again = prepare(tmp_path, 24, 3)
    for file in sorted(lines.iterdir()):
        assert file.read_bytes() == (again / file.name).read_bytes()
    with Image.open(lines / "00001.png") as image:
        assert image.height == HEIGHT
    assert len((lines / "labels.txt").read_text().split()) == 24


def test_images_are_reused_and_nothing_else_in_the_folder_is_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    first = prepare(tmp_path, 4, 1)
    made = (first / "00000.png").stat().st_mtime_ns
    assert prepare(tmp_path, 4, 1) == first
    assert prepare(tmp_path, 5, 1) != first
    assert (first / "00000.png").stat().st_mtime_ns == made
    assert (tmp_path / "thesis.txt").read_text() == "mine"
    assert not list(tmp_path.glob("*.partial"))


def test_a_batch_is_padded_to_its_widest_image(lines: Path) -> None:
    data = TextLines(lines, range(6))
    images, widths, labels, lengths = collate([data[index] for index in range(6)])
    assert images.shape == (6, 1, HEIGHT, int(widths.max()))
    assert len(labels) == int(lengths.sum())
    narrowest = int(widths.argmin())
    assert images[narrowest, :, :, int(widths.min()) :].sum() == 0


@pytest.mark.parametrize(
    ("path", "text"), [([], ""), ([0, 0], ""), ([1, 1, 0, 1], "00"), ([0, 11, 11, 12, 0], "ab"), ([36], "z")]
)
def test_ctc_paths_are_decoded(path: list[int], text: str) -> None:
    assert decode(path) == text


def test_labels_and_text_are_inverse() -> None:
    assert decode(encode(ALPHABET).tolist()) == ALPHABET


def test_the_loss_falls(lines: Path) -> None:
    torch.manual_seed(0)
    model = TextRecogniser(width=4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    batch = next(iter(DataLoader(TextLines(lines, range(8)), batch_size=8, collate_fn=collate)))
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = model._loss(batch)[0]
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


def test_the_script_imports_nothing_else_of_ocr_otel() -> None:
    code = (
        "import sys, ocr_otel.demo.train as t; t.parse(['--epochs', '1']);"
        "print([m for m in sys.modules if m.startswith(('ocr_otel', 'opentelemetry'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    modules = eval(done.stdout.splitlines()[-1])
    assert modules
    assert all(name == "ocr_otel" or name.startswith("ocr_otel.demo") for name in modules)
