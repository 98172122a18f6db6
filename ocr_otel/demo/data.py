"""Text-line images to learn from: real handwritten digits and rendered words, written once as PNG files.

The handwriting is the UCI "Optical Recognition of Handwritten Digits" set that scikit-learn's wheel ships; lines are
composed of its 8×8 digits with spacing, slant and noise. Words are rendered with Pillow's own font.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from torch.utils.data import Dataset

ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
"""Class k of the model is character k - 1; class 0 is CTC's blank."""
HEIGHT: Final = 32
"""Height of every image in pixels; the width follows the text."""
VERSION: Final = 1
"""Of the way the images are made; another version is another data set."""
WORDS: Final = (
    "invoice", "total", "amount", "number", "date", "order", "street", "city", "page", "line", "paid", "tax", "sum",
    "item", "price", "unit", "code", "name", "box", "report", "table", "ledger", "credit", "bank", "account", "letter",
    "stamp", "figure", "print", "paper", "ink", "height", "window", "journal", "quiz", "query", "zone",
)  # fmt: skip

Sample = tuple[torch.Tensor, torch.Tensor]
"""An image, shape (1, HEIGHT, width), values 0 to 1; and its labels, shape (length,)."""
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]
"""Images (batch, 1, HEIGHT, width), their widths (batch,), labels end to end, and their lengths (batch,)."""


def encode(text: str) -> torch.Tensor:
    """Return the labels of a text, shape (length,)."""
    return torch.tensor([ALPHABET.index(character) + 1 for character in text], dtype=torch.long)


def decode(labels: list[int]) -> str:
    """Return the text of a CTC path: repeats collapsed, blanks dropped."""
    previous = 0
    characters = []
    for label in labels:
        if label not in (0, previous):
            characters.append(ALPHABET[label - 1])
        previous = label
    return "".join(characters)


def prepare(parent: Path, samples: int, seed: int) -> Path:
    """Write the images and their labels, unless they are there.

    Args:
        parent: Where the folder of this data set is made; nothing else in it is touched.
        samples: Number of lines.
        seed: Of the generator; the same seed gives the same bytes.

    Returns:
        The folder with the images and `labels.txt`.
    """
    folder = folder_of(parent, samples, seed)
    if folder.is_dir():
        return folder
    parent.mkdir(parents=True, exist_ok=True)
    # Written beside and renamed, so that a run that was killed here leaves no half of a data set behind.
    partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".partial", dir=parent))
    generator = np.random.default_rng(seed)
    digits = _handwriting()
    texts = []
    for index in range(samples):
        text, image = _handwritten(generator, digits) if index % 2 else _rendered(generator)
        image.save(partial / f"{index:05d}.png")
        texts.append(text)
    (partial / "labels.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    try:
        partial.rename(folder)
    except OSError:
        # Another run was faster; its lines are the same.
        if not folder.is_dir():
            raise
        shutil.rmtree(partial)
    return folder


def folder_of(parent: Path, samples: int, seed: int) -> Path:
    """Return the folder of a data set."""
    return parent / f"lines-{samples}-{seed}-v{VERSION}"


def _handwriting() -> dict[int, list[np.ndarray]]:
    from sklearn.datasets import load_digits

    found = load_digits()
    return {
        digit: [(image * 255 / 16).astype(np.uint8) for image in found.images[found.target == digit]]
        for digit in range(10)
    }


def _handwritten(generator: np.random.Generator, digits: dict[int, list[np.ndarray]]) -> tuple[str, Image.Image]:
    chosen = generator.integers(0, 10, size=int(generator.integers(3, 7))).tolist()
    canvas = Image.new("L", (len(chosen) * 26 + 16, HEIGHT))
    x = 6
    for digit in chosen:
        glyphs = digits[digit]
        size = int(generator.integers(20, 27))
        glyph = Image.fromarray(glyphs[int(generator.integers(len(glyphs)))]).resize((size, size))
        canvas.paste(glyph, (x, int(generator.integers(1, HEIGHT - size))))
        x += size - int(generator.integers(2, 6))
    return "".join(map(str, chosen)), _worn(canvas.crop((0, 0, x + 8, HEIGHT)), generator)


def _rendered(generator: np.random.Generator) -> tuple[str, Image.Image]:
    word = WORDS[int(generator.integers(len(WORDS)))]
    font = ImageFont.load_default(size=int(generator.integers(18, 24)))
    width = int(font.getlength(word))
    canvas = Image.new("L", (width + 16, HEIGHT))
    ImageDraw.Draw(canvas).text((7, int(generator.integers(0, 6))), word, font=font, fill=255)
    return word, _worn(canvas, generator)


def _worn(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    slant = float(generator.uniform(-0.2, 0.2))
    image = image.transform(image.size, Image.Transform.AFFINE, (1, slant, -slant * HEIGHT / 2, 0, 1, 0))
    image = image.filter(ImageFilter.GaussianBlur(float(generator.uniform(0, 0.7))))
    noise = generator.normal(0, 12, (image.height, image.width))
    return Image.fromarray(np.clip(np.asarray(image, dtype=np.float32) + noise, 0, 255).astype(np.uint8))


class TextLines(Dataset[Sample]):
    """The lines of a folder that `prepare` wrote; each is decoded from its PNG file when it is asked for.

    Args:
        folder: The folder.
        indices: Which lines.
        latency: Seconds that each image takes longer to read, as on slow storage.
    """

    def __init__(self, folder: Path, indices: range, latency: float = 0.0) -> None:
        self._folder = folder
        self._indices = indices
        self._latency = latency
        self._texts = (folder / "labels.txt").read_text(encoding="utf-8").split("\n")

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> Sample:
        line = self._indices[index]
        with Image.open(self._folder / f"{line:05d}.png") as file:
            image = file.convert("L")
        if self._latency:
            time.sleep(self._latency)
        pixels = torch.from_numpy(np.asarray(image, dtype=np.float32) / 255.0)
        return pixels.unsqueeze(0), encode(self._texts[line])


def collate(samples: list[Sample]) -> Batch:
    """Pad the images of a batch to the widest and put the labels end to end, as `CTCLoss` takes them."""
    widths = torch.tensor([image.shape[-1] for image, _ in samples])
    images = torch.zeros(len(samples), 1, HEIGHT, int(widths.max()))
    for row, (image, _) in enumerate(samples):
        images[row, :, :, : image.shape[-1]] = image
    labels = torch.cat([label for _, label in samples])
    lengths = torch.tensor([len(label) for _, label in samples])
    return images, widths, labels, lengths
