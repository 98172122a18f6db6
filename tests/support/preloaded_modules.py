"""What `preloaded` has imported when a process begins; nothing here reads the environment or starts a thread."""

import lightning
import lightning.fabric
import torch.distributed.launcher.api
import torch.distributed.run

import ocr_otel.callbacks.fabric
import ocr_otel.callbacks.lightning

__all__ = ["lightning", "ocr_otel", "torch"]
