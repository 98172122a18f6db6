"""A Fabric loop on several ranks that calls the hooks."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from lightning.fabric import Fabric
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)
fabric = Fabric(accelerator="cpu", devices=2, strategy="ddp")
fabric.launch()
fabric.seed_everything(5, verbose=False)
layer = torch.nn.Linear(4, 1)
model, optimizer = fabric.setup(layer, torch.optim.SGD(layer.parameters(), 0.1))
values = torch.randn(96, 4, generator=torch.Generator().manual_seed(1))
loader = fabric.setup_dataloaders(DataLoader(TensorDataset(values), batch_size=4))
losses = []
fabric.call("on_train_epoch_start")
for index, batch in enumerate(loader):
    fabric.call("on_train_batch_start", batch, index)
    optimizer.zero_grad()
    loss = model(batch[0]).pow(2).mean()
    fabric.backward(loss)
    optimizer.step()
    losses.append(float(loss.detach()).hex())
    fabric.call("on_train_batch_end", None, batch, index)
fabric.call("on_train_epoch_end")
Path(sys.argv[1], f"losses-none-{fabric.global_rank}").write_text("\n".join(losses), encoding="utf-8")
