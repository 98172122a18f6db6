"""Floating point operations of matrix products and convolutions, counted from the shapes that a trace recorded.

PyTorch counts them too (`with_flops`), but does not write them into the trace.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

PRODUCTS: Final = {"aten::mm": 0, "aten::bmm": 0, "aten::addmm": 1, "aten::baddbmm": 1}
"""Matrix products, and which of their inputs is the first matrix."""
CONVOLUTIONS: Final = {
    "aten::conv1d": (3, 4, 5),
    "aten::conv2d": (3, 4, 5),
    "aten::conv3d": (3, 4, 5),
    "aten::mkldnn_convolution": (4, 3, 5),
    "aten::cudnn_convolution": (3, 2, 4),
}
"""Convolutions, and which of their inputs are stride, padding and dilation."""
_PER_PAIR: Final = 2
"""A multiplication and an addition."""


def counts(name: str) -> bool:
    """Return whether the operations of an operator are counted."""
    return name in PRODUCTS or name in CONVOLUTIONS


def flops(name: str, shapes: bytes, inputs: bytes) -> int:
    """Return the operations of one call; 0 where they cannot be told.

    Args:
        name: The operator.
        shapes: Its `Input Dims`, JSON.
        inputs: Its `Concrete Inputs`, JSON: numbers that are no tensors, as text.
    """
    try:
        dims: list[list[int]] = msgspec.json.decode(shapes)
        if name in PRODUCTS:
            first, second = dims[PRODUCTS[name] :][:2]
            # Rows, and the batch before them; then what is summed over; then columns.
            return _PER_PAIR * math.prod(first) * int(second[-1])
        texts: list[str] = msgspec.json.decode(inputs)
        return _of_convolution(dims, [texts[place] for place in CONVOLUTIONS[name]])
    except (msgspec.DecodeError, ValueError, TypeError, IndexError, ArithmeticError):
        return 0


def _of_convolution(dims: list[list[int]], steps: list[str]) -> int:
    image, weight = dims[:2]
    stride, padding, dilation = (_each(text, len(weight) - 2) for text in steps)
    out = [
        (size + 2 * pad - dilate * (kernel - 1) - 1) // step + 1
        for size, kernel, step, pad, dilate in zip(image[2:], weight[2:], stride, padding, dilation, strict=True)
    ]
    # A weight holds one channel of output for each of its first dimension, and only its group's channels of input.
    return _PER_PAIR * image[0] * math.prod(out) * math.prod(weight)


def _each(text: str, count: int) -> list[int]:
    values: list[int] = msgspec.json.decode(text)
    return values * count if len(values) == 1 else values
