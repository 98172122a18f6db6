"""What the names of operators, kernels, ranges and calls of the runtime tell."""

from __future__ import annotations

import re
from typing import Final

from ocr_otel import semconv

BATCHES: Final = (
    semconv.TRAIN_BATCH,
    semconv.VALIDATION_BATCH,
    semconv.TEST_BATCH,
    semconv.PREDICT_BATCH,
    "ProfilerStep",
    "[pl][profile]run_training_batch",
)
"""Ranges that are a batch: ours, PyTorch's, Lightning's, which leaves out the wait for data; where a trace has several,
the first of these counts."""

PHASES: Final = (
    semconv.FETCH,
    semconv.TRANSFER,
    semconv.FORWARD,
    semconv.BACKWARD,
    semconv.OPTIMIZER_STEP,
    semconv.CALLBACKS_RANGE,
)
"""Parts of a batch that are recognised, whoever marked them."""

_ALIASES: Final = (
    (semconv.FETCH, re.compile(r"^\[pl\]\[profile\]\[_\w+Loop\]\.\w+_next$")),
    (semconv.FETCH, re.compile(r"^enumerate\(DataLoader\)")),
    (semconv.TRANSFER, re.compile(r"^\[pl\]\[profile\]\[Strategy\]\w+\.batch_to_device$")),
    (semconv.FORWARD, re.compile(r"^\[pl\]\[profile\]\[Strategy\]\w+\.(training|validation|test|predict)_step$")),
    (semconv.FORWARD, re.compile(r"^(## ?)?forward( ?##)?$", re.IGNORECASE)),
    (semconv.BACKWARD, re.compile(r"^\[pl\]\[profile\]\[Strategy\]\w+\.backward$")),
    (semconv.BACKWARD, re.compile(r"^(## ?)?backward( ?##)?$", re.IGNORECASE)),
    # Lightning runs forward and backward inside its own `optimizer_step`; PyTorch's range is the optimiser alone only
    # where no closure is given, which is why forward and backward are taken out of it.
    (semconv.OPTIMIZER_STEP, re.compile(r"^Optimizer\.step#")),
    (semconv.CALLBACKS_RANGE, re.compile(r"^\[pl\]\[profile\]\[Callback\]")),
    (semconv.CALLBACKS_RANGE, re.compile(r"^callbacks(:|$)")),
)
_NUMBERS: Final = re.compile(r"\s+\w+=\d+(?=\s|$)|#\d+$|\s+\d+$")

ENGINE: Final = "autograd::engine::evaluate_function: "
_WRAPPER: Final = re.compile(
    r"^autograd::engine::|Backward\d*$|^torch::autograd::|^CompiledFunction|^record_param_comms$"
)

LAUNCH: Final = re.compile(r"Launch(Cooperative)?(Kernel|Graph)|GraphLaunch|ModuleLaunch|^urEnqueueKernelLaunch")
SYNCHRONIZE: Final = re.compile(r"Synchronize|^(cuda|hip)Memcpy(2D)?$|^hipMemcpyWithStream$")

_COLLECTIVE_KERNEL: Final = re.compile(r"nccl|rccl|oneccl|all_?reduce_(one|two)_shot", re.IGNORECASE)
_COLLECTIVE: Final = re.compile(r"^(?:nccl|gloo|mpi|ucc|xccl|hccl):(?P<name>\w+)$")
_COMPUTE_KERNEL: Final = re.compile(
    r"gemm|conv(?!ert)|xmma|cutlass|winograd|implicit|[dw]grad|fprop|flash|fmha|attention|mma_|^Cijk_|matmul|lstm|gru|rnn",
    re.IGNORECASE,
)
_MEMORY_KERNEL: Final = re.compile(
    r"elementwise|reduce|copy|cat|softmax|norm|bn_|batchnorm|fill|index|gather|scatter|transpose|tonhwc|tonchw|pool|"
    r"multi_tensor_apply|dropout|embedding|upsample|triton_(poi|red|per|for)|sort|scan|pad|nll_loss|ctc",
    re.IGNORECASE,
)
_COPY: Final = re.compile(r"(?P<direction>[HDP]to[HDP]|P2P)")
_COMPUTE_OPERATOR: Final = re.compile(
    r"^(aten|mkldnn|xnnpack|quantized|onednn|prepacked)::\w*"
    r"(mm|bmm|matmul|conv|linear|einsum|attention|lstm|gru|rnn|fft|cdist|bilinear|dot|linalg|slow_)\w*$"
)
_BOOKKEEPING: Final = re.compile(
    r"^aten::(empty\w*|view\w*|_unsafe_view|as_strided\w*|t|transpose|permute|expand\w*|reshape\w*|detach\w*|select|slice|"
    r"narrow|split\w*|chunk|unbind|squeeze\w*|unsqueeze\w*|alias|resize_\w*|item|_local_scalar_dense|is_nonzero|lift\w*|"
    r"result_type|set_|unfold|size|numel|_reshape_alias|flatten|broadcast_tensors|expand_as|requires_grad_|is_pinned)$"
)


def without_numbers(name: str) -> str:
    """Return a range's name without what counts batches, epochs and steps: `ProfilerStep#3` is `ProfilerStep`."""
    return _NUMBERS.sub("", name)


def phase(name: str) -> str:
    """Return which part of a batch a range of this name is; empty for none."""
    return next((phase for phase, pattern in _ALIASES if pattern.search(name)), "")


def wraps(name: str) -> bool:
    """Return whether an operator only calls others: a node of autograd's graph."""
    return bool(_WRAPPER.search(name))


def collective(name: str) -> str:
    """Return the collective that a range of `torch.distributed` is (`nccl:all_reduce`); empty for none."""
    found = _COLLECTIVE.match(name)
    return found["name"] if found else ""


def is_collective_kernel(name: str) -> bool:
    """Return whether a kernel moves data between ranks."""
    return bool(_COLLECTIVE_KERNEL.search(name))


def kernel_computes(name: str) -> bool | None:
    """Return whether a kernel computes (True) or only moves memory (False); None where its name does not tell."""
    if _COMPUTE_KERNEL.search(name):
        return True
    return False if _MEMORY_KERNEL.search(name) else None


def operator_computes(name: str) -> bool | None:
    """Return whether an operator computes (True) or only moves memory (False); None where it does neither."""
    if _COMPUTE_OPERATOR.match(name):
        return True
    return False if name.startswith("aten::") and not _BOOKKEEPING.match(name) else None


def copy(name: str) -> tuple[str, str]:
    """Return the direction of a copy and the memory of the host in it: `Memcpy HtoD (Pageable -> Device)`."""
    found = _COPY.search(name)
    if found is None:
        return "unknown", "unknown"
    direction = found["direction"].replace("P2P", "PtoP")
    text = name.lower()
    if "pageable" in text:
        return direction, "pageable"
    if "pinned" in text:
        return direction, "pinned"
    return direction, "device" if direction in ("DtoD", "PtoP") else "unknown"
