"""Real traces of a small training on the CPU, recorded by the `torch.profiler` that is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile, schedule
from torch.utils.data import DataLoader, TensorDataset

ACTIVE = 3
"""Batches recorded."""


def network() -> nn.Module:
    """Return a small convolutional network for images of 1 x 16 x 16."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 8 * 8, 10)
    )


def record(path: Path, *, workers: int = 0, steps: bool = True, **options: Any) -> Any:
    """Train for a few batches and export the trace.

    Args:
        path: The file; gzipped where it ends in `.gz`.
        workers: Workers of the dataloader.
        steps: Whether `prof.step()` marks the batches.
        options: For `torch.profiler.profile`, such as `with_stack=True`.

    Returns:
        The profiler, for comparison with what it says itself.
    """
    model = network()
    optimizer = torch.optim.AdamW(model.parameters())
    images = TensorDataset(torch.randn(64, 1, 16, 16), torch.randint(0, 10, (64,)))
    loader = iter(DataLoader(images, batch_size=8, num_workers=workers))
    plan = schedule(wait=0, warmup=1, active=ACTIVE, repeat=1) if steps else None
    with profile(activities=[ProfilerActivity.CPU], schedule=plan, **options) as profiler:
        for _ in range(ACTIVE + 1):
            pixels, labels = next(loader)
            loss = training_step(model, pixels, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if steps:
                profiler.step()
    profiler.export_chrome_trace(str(path))
    return profiler


def training_step(model: nn.Module, pixels: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the loss, after having looked at it, as careless code does."""
    loss = nn.functional.cross_entropy(model(pixels), labels)
    loss.item()
    return loss
