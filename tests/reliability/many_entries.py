"""Many entries in one process, of real Trainers or of the recorder alone; prints what the process holds."""

import gc
import json
import os
import sys
import tempfile
import threading

import lightning.pytorch as pl
import psutil
import torch
from torch.utils.data import DataLoader, TensorDataset


class Module(pl.LightningModule):
    """The smallest model that trains."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

    def training_step(self, batch, batch_idx):
        return self.layer(batch[0]).sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def train_once():
    """Train one batch with a Trainer of its own."""
    data = DataLoader(TensorDataset(torch.ones(2, 2)), batch_size=2)
    pl.Trainer(
        accelerator="cpu", devices=1, max_steps=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=tempfile.gettempdir(), barebones=False,
    ).fit(Module(), data)  # fmt: skip


def record_once():
    """Record an entry of one epoch of two batches, as the hooks would."""
    from ocr_otel.recording import Judgement, recorder_for
    from ocr_otel.recording.contexts import FetchContext
    from ocr_otel.semconv import FIT, Outcome, Stage
    from ocr_otel.settings import load
    from ocr_otel.telemetry import RunIdentity, session_for_process

    settings = load()
    session = session_for_process(settings, lambda: RunIdentity("run"))
    recorder = recorder_for(session, settings)
    recorder.begin_entry(FIT, {"configuration": 1}, (Stage.TRAIN,), lambda: 1, lambda *_: Judgement())
    recorder.begin_loop(Stage.TRAIN, 0, 2)
    fetch = FetchContext(recorder.path)
    for number in range(2):
        with fetch:
            pass
        recorder.path.batch_begins(number, None, 2)
    recorder.end_loop({"loss": 0.5})
    recorder.end_entry(Outcome.COMPLETED)


def held():
    """Return what this process holds."""
    gc.collect()
    this = psutil.Process()
    with this.oneshot():
        return {
            "rss": this.memory_info().rss,
            "threads": this.num_threads(),
            "python_threads": threading.active_count(),
            "descriptors": this.num_fds(),
            "files": sum(len(files) for _, _, files in os.walk(os.environ["OCR_OTEL_RUNS_DIR"])),
        }


def main(kind, number, looks):
    """Do it so often; look at what is held after the first part, and after each of so many equal parts."""
    once = {"trainers": train_once, "entries": record_once}[kind]
    found = []
    for _ in range(looks):
        for _ in range(number // looks):
            once()
        found.append(held())
    print(json.dumps(found))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
