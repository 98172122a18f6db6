"""A Fabric loop that calls the hooks."""

import torch
from lightning.fabric import Fabric
from torch.utils.data import DataLoader, TensorDataset

fabric = Fabric(accelerator="cpu", devices=1)
fabric.launch()
layer = torch.nn.Linear(4, 1)
model, optimizer = fabric.setup(layer, torch.optim.SGD(layer.parameters(), 0.1))
loader = fabric.setup_dataloaders(DataLoader(TensorDataset(torch.randn(40, 4)), batch_size=4))
for _ in range(2):
    fabric.call("on_train_epoch_start")
    for index, batch in enumerate(loader):
        fabric.call("on_train_batch_start", batch, index)
        optimizer.zero_grad()
        fabric.backward(model(batch[0]).pow(2).mean())
        optimizer.step()
        fabric.call("on_train_batch_end", None, batch, index)
    fabric.call("on_train_epoch_end")
