"""Small trainings as a user would write them: they know nothing of ocr_otel and print their losses bit by bit."""

import argparse
import gc
import importlib
import json
import multiprocessing
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler

parser = argparse.ArgumentParser()
parser.add_argument("variant")
parser.add_argument("--package", default="lightning.pytorch")
parser.add_argument("--workers", type=int, default=0)
parser.add_argument("--start-method", default="fork")
parser.add_argument("--root", type=Path, required=True)
parser.add_argument("--losses", type=Path, required=True)
options = parser.parse_args()

pl = importlib.import_module(options.package)
callbacks_module = importlib.import_module(options.package + ".callbacks")
VARIANT = options.variant
losses: list[str] = []


class Images(Dataset):
    """Random images with labels; counts hits of a cache that every second sample is in."""

    def __init__(self, size: int) -> None:
        self.images = torch.randn(size, 8, generator=torch.Generator().manual_seed(1))
        self.cache_hits = 0
        self.cache_misses = 0

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        if index % 2:
            self.cache_hits += 1
        else:
            self.cache_misses += 1
        sample = {"image": self.images[index] + torch.rand(8), "label": torch.tensor(float(index % 2))}
        return sample | {"number": torch.tensor(index)} if VARIANT == "none-batches" else sample


class Stream(IterableDataset):
    """An endless-looking stream without a length, shared among workers."""

    def __iter__(self):
        info = torch.utils.data.get_worker_info()
        first, step = (info.id, info.num_workers) if info else (0, 1)
        for index in range(first, 80, step):
            yield {"image": torch.full((8,), index / 80.0), "label": torch.tensor(float(index % 2))}


class Backwards(Sampler):
    """Batches of indices from the end to the beginning."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __iter__(self):
        for end in range(self.size, 0, -8):
            yield list(range(max(0, end - 8), end))

    def __len__(self) -> int:
        return (self.size + 7) // 8


class WholeBatches(Dataset):
    """A dataset whose items are batches already (`batch_size=None`)."""

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"image": torch.full((8, 8), index / 10.0), "label": torch.zeros(8)}


def collate(samples):
    """A user's own collate function."""
    return {key: torch.stack([sample[key] for sample in samples]) for key in samples[0]}


def collate_or_none(samples):
    """A user's own collate function, which gives nothing where a sample cannot be used."""
    return None if any(sample["number"] == 30 for sample in samples) else collate(samples)


def init_worker(worker_id: int) -> None:
    """A user's own worker_init_fn."""
    torch.manual_seed(100 + worker_id)


class Module(pl.LightningModule):
    """A linear model; records each loss as the exact bits of its float."""

    def __init__(self) -> None:
        super().__init__()
        if VARIANT != "late-model":
            self.layer = torch.nn.Linear(8, 1)
        self.other = torch.nn.Linear(8, 1)
        self.automatic_optimization = VARIANT not in ("manual", "two-optimizers")

    def loss(self, batch):
        return (self.layer(batch["image"]).squeeze(-1) - batch["label"]).pow(2).mean()

    def training_step(self, batch, batch_idx):
        if VARIANT == "amp" and batch_idx % 5 == 4:
            batch["image"] *= float("inf")
        if VARIANT == "exception" and batch_idx == 7:
            raise RuntimeError("planted failure")
        if VARIANT == "interrupt" and batch_idx == 7:
            raise KeyboardInterrupt
        loss = self.loss(batch)
        losses.append(float(loss).hex())
        self.log("train_loss", loss)
        if self.automatic_optimization:
            return loss
        optimizers = self.optimizers()
        for optimizer in optimizers if isinstance(optimizers, list) else [optimizers]:
            optimizer.zero_grad()
            self.manual_backward(self.loss(batch) + self.other(batch["image"]).mean())
            optimizer.step()
        return None

    if VARIANT == "late-model":

        def setup(self, stage):
            self.layer = torch.nn.Linear(8, 1)

    if VARIANT == "several-loaders":

        def loss(self, batch):
            first, second = batch.get("first", batch), batch.get("second", batch)
            return (self.layer(first["image"]).squeeze(-1) - second["label"]).pow(2).mean()

    if VARIANT == "reload":

        def train_dataloader(self):
            return loader()

        def on_train_epoch_start(self):
            # Workers of the epochs before, which nobody needs any more.
            gc.collect()
            losses.append(f"{len(multiprocessing.active_children())} workers")

    if VARIANT == "dataloader-iter":

        def training_step(self, dataloader_iter):
            batch, _, _ = next(dataloader_iter)
            loss = self.loss(batch)
            losses.append(float(loss).hex())
            return loss

    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        loss = self.loss(batch)
        losses.append(float(loss).hex())
        self.log("val_loss", loss)

    def test_step(self, batch, batch_idx):
        losses.append(float(self.loss(batch)).hex())

    def predict_step(self, batch, batch_idx):
        return self.layer(batch["image"])

    def configure_optimizers(self):
        if VARIANT == "lbfgs":
            return torch.optim.LBFGS(self.parameters(), lr=0.01, max_iter=3)
        first = torch.optim.SGD(self.layer.parameters(), lr=0.1)
        if VARIANT == "two-optimizers":
            return [first, torch.optim.SGD(self.other.parameters(), lr=0.1)], []
        return first


def loader(size: int = 80, shuffle: bool = False) -> DataLoader:
    """The variant's dataloader."""
    common = {"num_workers": options.workers}
    if options.workers:
        common["multiprocessing_context"] = options.start_method
    match VARIANT:
        case "iterable":
            return DataLoader(Stream(), batch_size=8, **common)
        case "whole-batches":
            return DataLoader(WholeBatches(), batch_size=None, **common)
        case "custom":
            return DataLoader(
                Images(size), batch_sampler=Backwards(size), collate_fn=collate, worker_init_fn=init_worker, **common
            )
        case "none-batches":
            return DataLoader(Images(size), batch_size=8, collate_fn=collate_or_none, **common)
        case "persistent" | "reload":
            common |= {"persistent_workers": True, "pin_memory": True}
    return DataLoader(Images(size), batch_size=8, shuffle=shuffle, **common)


class StopAfter(pl.Callback):
    """Stops early, as `EarlyStopping` does."""

    def on_train_epoch_end(self, trainer, pl_module):
        trainer.should_stop = trainer.current_epoch >= 1


def trainer(**arguments):
    """A Trainer with what all variants share."""
    defaults = {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": 2,
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "default_root_dir": options.root,
    }
    return pl.Trainer(**defaults | arguments)


def main() -> None:
    """Run the variant."""
    pl.seed_everything(7, workers=True)
    module = Module()
    match VARIANT:
        case "accumulate":
            trainer(accumulate_grad_batches=4).fit(module, loader(shuffle=True), loader(16))
        case "several-validations":
            trainer(val_check_interval=0.5).fit(module, loader(), [loader(16), loader(24)])
        case "early-stop":
            trainer(max_epochs=9, callbacks=[StopAfter()]).fit(module, loader(), loader(16))
        case "limits":
            trainer(limit_train_batches=4, limit_val_batches=1, max_steps=7, max_epochs=-1).fit(
                module, loader(), loader(16)
            )
        case "accumulate-validate":
            # Validations between batches whose gradients are accumulated.
            trainer(accumulate_grad_batches=4, val_check_interval=5, num_sanity_val_steps=0).fit(
                module, loader(), loader(16)
            )
        case "several-loaders":
            trainer().fit(module, {"first": loader(), "second": loader(48)}, loader(16))
        case "reload":
            trainer(max_epochs=3, reload_dataloaders_every_n_epochs=1).fit(module)
        case "resume-inside":
            save = callbacks_module.ModelCheckpoint(every_n_train_steps=4, save_top_k=-1, filename="{step}")
            trainer(max_epochs=1, callbacks=[save]).fit(module, loader(), loader(16))
            checkpoint = next(options.root.rglob("step=4.ckpt"))
            pl.seed_everything(8)
            trainer().fit(Module(), loader(), loader(16), ckpt_path=checkpoint)
        case "resume":
            first = trainer(max_epochs=1)
            first.fit(module, loader(), loader(16))
            checkpoint = first.checkpoint_callback.best_model_path
            pl.seed_everything(8)
            trainer(max_epochs=3).fit(Module(), loader(), loader(16), ckpt_path=checkpoint)
        case "entries":
            one = trainer(max_epochs=1)
            one.fit(module, loader(), loader(16))
            one.validate(module, loader(16))
            one.test(module, loader(24))
            one.predict(module, loader(32))
            one.test(module, loader(24))
        case "simple-profiler":
            one = trainer(profiler="simple")
            one.fit(module, loader(), loader(16))
            assert type(one.profiler).__name__ == "SimpleProfiler"
            assert len(one.profiler.recorded_durations["run_training_batch"]) == 20
            assert "start" not in vars(one.profiler)
        case "amp":
            # The scaler of mixed precision, which skips a step whose gradients are not finite. Its usual first scale of
            # 65,536 is so near to half precision's largest number that rounding decides on further steps.
            plugins = importlib.import_module(options.package + ".plugins")
            scaler = torch.amp.GradScaler("cpu", init_scale=1.0)
            trainer(plugins=[plugins.MixedPrecision("16-mixed", "cpu", scaler)]).fit(module, loader())
        case "spawned":
            trainer(max_epochs=1, num_sanity_val_steps=0, limit_val_batches=0).fit(module, loader(shuffle=True))
        case _:
            trainer().fit(module, loader(shuffle=VARIANT == "plain"), loader(16))


if __name__ == "__main__":
    try:
        main()
    finally:
        options.losses.write_text(json.dumps(losses))
