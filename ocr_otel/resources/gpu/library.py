"""NVML, the library of NVIDIA's driver: started, or said in words why not."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from ocr_otel.resources.readings import Unavailable

_LOG: Final = "See what `nvidia-smi` says, and the kernel's log (`dmesg | grep -i nvrm`)."
_NOT_INSTALLED: Final = "nvidia-ml-py is not installed", "Install it: pip install nvidia-ml-py."
_NO_GPU: Final = "the NVIDIA driver has no GPU", f"If there is one in the machine: {_LOG[0].lower()}{_LOG[1:]}"
_REASONS: Final[dict[str, tuple[str, str]]] = {
    "NVML_ERROR_LIBRARY_NOT_FOUND": (
        "there is no NVIDIA driver (libnvidia-ml.so.1 is not found)",
        "If there is an NVIDIA GPU: install its driver; start a container with its GPUs, as with --gpus all.",
    ),
    "NVML_ERROR_DRIVER_NOT_LOADED": (
        "the NVIDIA driver is not loaded",
        "Load it (`modprobe nvidia`); start a container with its GPUs, as with --gpus all.",
    ),
    "NVML_ERROR_LIB_RM_VERSION_MISMATCH": (
        "the NVIDIA driver in the kernel and its library are of different versions, as after an update",
        "Restart the machine, or unload and load the driver's kernel modules.",
    ),
    "NVML_ERROR_NO_PERMISSION": (
        "this user may not use the NVIDIA driver",
        "Look at the permissions of /dev/nvidia* and at the container's device rules.",
    ),
    "NVML_ERROR_FUNCTION_NOT_FOUND": ("the NVIDIA driver is too old to be read", "Install a newer driver."),
}
"""What is wrong and what to do, by the name of NVML's error."""


class NoNvml(Unavailable):
    """No GPU can be read here.

    Args:
        reason: Why, in one line.
        advice: What to do.

    Attributes:
        advice: What to do.
    """

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(reason)
        self.advice = advice


def start_nvml() -> ModuleType:
    """Start NVML; who started it stops it with `nvmlShutdown`.

    Returns:
        The module `pynvml`.

    Raises:
        NoNvml: There is no GPU to be read here.
    """
    # Not at the head of the module: it takes time that only those who read GPUs should pay.
    try:
        import pynvml  # type: ignore[import-untyped]
    except ImportError:
        raise NoNvml(*_NOT_INSTALLED) from None
    nvml: ModuleType = pynvml
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        raise _explained(nvml, error) from error
    try:
        count = nvml.nvmlDeviceGetCount()
    except nvml.NVMLError as error:
        nvml.nvmlShutdown()
        raise _explained(nvml, error) from error
    if not count:
        nvml.nvmlShutdown()
        raise NoNvml(*_NO_GPU)
    return nvml


def _explained(nvml: ModuleType, error: Exception) -> NoNvml:
    for name, (reason, advice) in _REASONS.items():
        if getattr(error, "value", None) == getattr(nvml, name):
            return NoNvml(reason, advice)
    return NoNvml(f"the NVIDIA driver cannot be asked ({error})", _LOG)
