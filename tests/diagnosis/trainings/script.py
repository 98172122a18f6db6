"""The script that runs labelled trainings, as a user's script would: `python script.py NAME... --result FILE`."""

from __future__ import annotations

import argparse
import gc
import json
import logging
import random
import warnings
from pathlib import Path
from typing import Any

import lightning as L
import torch

from tests.diagnosis.trainings.case import Case
from tests.diagnosis.trainings.cases import named
from tests.diagnosis.trainings.meter import Meter, Watch

ATTEMPTS = 3
"""A training that measured another share than planted, because of what the machine did beside, is run again."""


def run(case: Case) -> tuple[dict[str, float], str]:
    """Train once.

    Returns:
        Shares of the time by part, with `seconds`, and what is wrong with them. `stolen` is the share of the network's
        time in which other programs had its core, `growth` and `efficiency` are the
        meter's.
    """
    torch.manual_seed(0)
    random.seed(0)
    meter = Meter()
    training = case.build(meter)
    torch.set_num_threads(training.threads)
    arguments: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
    }
    if any(isinstance(callback, L.pytorch.callbacks.ProgressBar) for callback in training.callbacks):
        arguments["enable_progress_bar"] = True
    trainer = L.Trainer(**arguments | dict(training.trainer), callbacks=[*training.callbacks, Watch(meter)])
    with meter.installed():
        trainer.fit(training.module, training.loader, training.validation)
    wall = meter.seconds.pop("wall")
    shares = {part: seconds / wall for part, seconds in meter.seconds.items()}
    # With more threads than one, the network's own thread also waits for the others.
    alone = training.threads == 1 and shares.get("net", 0.0) > 0
    shares["stolen"] = shares["stolen"] / shares["net"] if alone else 0.0
    shares["growth"] = meter.growth
    if meter.efficiency is not None:
        shares["efficiency"] = meter.efficiency
    return shares | {"seconds": wall}, case.wrong(shares)


def of_first_rank(wrong: str) -> str:
    """Return what the first rank says, whose numbers are written: ranks that decide apart to run again wait in vain."""
    if not torch.distributed.is_initialized():
        return wrong
    told = [wrong]
    torch.distributed.broadcast_object_list(told)
    return told[0]


def main() -> None:
    """Run the trainings that are named, and write what they measured."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="+")
    parser.add_argument("--result", type=Path, required=True)
    parser.add_argument("--attempts", type=int, default=ATTEMPTS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    results = []
    fits = 0
    for name in options.names:
        for attempt in range(1, options.attempts + 1):
            # What the process holds so far is not the training's: the collector passes it over, as in a fresh process.
            gc.collect()
            gc.freeze()
            shares, wrong = run(named(name))
            wrong = of_first_rank(wrong)
            fits += 1
            if not wrong or attempt == options.attempts:
                break
        # Which of the process's trainings counts, and what it measured.
        results.append({"name": name, "fit": fits - 1, "shares": shares, "wrong": wrong, "attempts": attempt})
    if not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0:
        options.result.write_text(json.dumps(results), encoding="utf-8")
    if torch.distributed.is_initialized():
        # Together: threads of a group that is still there when the interpreter goes may abort the process.
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
