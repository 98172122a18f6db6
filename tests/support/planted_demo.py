"""The demo's training with one batch that takes seconds longer; knows nothing of ocr_otel's recording."""

import sys
import time

from ocr_otel.demo import train
from ocr_otel.demo.model import TextRecogniser

EPOCH, BATCH, SECONDS = 1, 9, 3.0

training_step = TextRecogniser.training_step


def training_step_with_a_pause(self, batch, batch_idx):
    """The model's own step, after a pause in one batch."""
    if (self.current_epoch, batch_idx) == (EPOCH, BATCH):
        time.sleep(SECONDS)
    return training_step(self, batch, batch_idx)


TextRecogniser.training_step = training_step_with_a_pause

if __name__ == "__main__":
    train.main(sys.argv[1:])
