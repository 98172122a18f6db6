"""A generator of GPU traces in Kineto's format: a small simulation of a host that launches and a device that executes.

No GPU took part. The events, their categories, arguments, order and spelling follow what Kineto writes
(`libkineto/src/output_json.cpp`) and what traces of real GPUs hold: operators with `External id` on the host,
`cuda_runtime` calls and the kernels, copies and collectives that they start, tied together by `correlation` and `ac2g`
flow events, backward on the thread of autograd, collectives on a stream of their own. Durations are the workload's.

    >>> write(launch_bound(), path)           # one of `KINDS`, with its defaults
    >>> write(sync_bound(items=20, style="lightning"), path)
    >>> write(Workload(batches=4, fetch=0.05), path)

A path that ends in `.gz` is gzipped. Every function of `KINDS` takes the fields of `Workload` by name to override its
own choice, so that a bottleneck can be planted in varying degrees.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

PINNED_BANDWIDTH = 24e9
"""Bytes a second of a copy from pinned memory over PCIe 4."""
PAGEABLE_BANDWIDTH = 6e9
NCCL_BANDWIDTH = 10e9
LAUNCH = 5e-6
"""Seconds that the host spends in `cudaLaunchKernel`."""
LATENCY = 4e-6
"""Seconds from the launch to the start of a kernel on an idle stream."""

PROCESS = 4242
MAIN = 4242
AUTOGRAD = 4310
STREAM = 7
COMMUNICATION_STREAM = 20
DEVICE = 0

GEMM = "ampere_sgemm_128x64_tn"
CONVOLUTION = "sm80_xmma_fprop_implicit_gemm_tf32f32_tf32f32_f32_nhwckrsc_nchw_tilesize128x128x16"
ELEMENTWISE = (
    "void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<float>, "
    "at::detail::Array<char*, 3> >(int, at::native::CUDAFunctor_add<float>, at::detail::Array<char*, 3>)"
)
FOREACH = (
    "void at::native::(anonymous namespace)::multi_tensor_apply_kernel<at::native::(anonymous namespace)::"
    "TensorListMetadata<4>, at::native::(anonymous namespace)::FusedAdamMathFunctor<float, 4> >"
)
ALL_REDUCE = "ncclDevKernel_AllReduce_Sum_f32_RING_LL(ncclDevComm*, unsigned long, ncclWork*)"


@dataclass(frozen=True, slots=True)
class Workload:
    """What the simulated training does in each batch.

    Attributes:
        batches: Batches in the window.
        fetch: Seconds that the loop waits for the dataloader.
        batch_bytes: Bytes copied to the device.
        pinned: Whether they lie in pinned memory: the copy is then asynchronous and four times faster.
        layers: Layers of the model.
        kernel: Seconds of a layer's main kernel in forward; backward takes twice.
        compute: Whether that kernel computes (matrix products) or only moves memory (element-wise).
        elementwise: Small element-wise kernels that follow each main kernel.
        elementwise_kernel: Seconds of one of those.
        dispatch: Seconds of the host for an operator besides its launch.
        python: Seconds of Python before each operator.
        items: Calls of `.item()` spread over the forward pass.
        collective_bytes: Gradients to reduce over the ranks; 0 for a single rank.
        overlap: Whether they are reduced while backward goes on, or after it.
        parameters: Tensors that the optimiser updates.
        foreach: Whether it updates them in a few kernels, or each in four of its own.
        logged: Whether the loss is read at the end of each batch, as a progress bar does: the host waits for the
            device, which works meanwhile.
        style: Whose ranges mark the phases: `ours`, Lightning's `PyTorchProfiler` or only what PyTorch marks itself.
        stack: Whether Python functions were recorded.
        noise: Relative deviation of every duration.
        seed: Of the noise.
    """

    batches: int = 6
    fetch: float = 200e-6
    batch_bytes: int = 4_000_000
    pinned: bool = True
    layers: int = 12
    kernel: float = 400e-6
    compute: bool = True
    elementwise: int = 2
    elementwise_kernel: float = 40e-6
    dispatch: float = 12e-6
    python: float = 8e-6
    items: int = 0
    collective_bytes: int = 0
    overlap: bool = True
    parameters: int = 48
    foreach: bool = True
    logged: bool = False
    style: Literal["ours", "lightning", "plain"] = "ours"
    stack: bool = False
    noise: float = 0.1
    seed: int = 0


def balanced(**changes: Any) -> Workload:
    """The device works nearly all the time, with matrix products and element-wise kernels in a usual mixture."""
    return replace(Workload(), **changes)


def data_bound(**changes: Any) -> Workload:
    """The loop waits for the dataloader longer than the device works."""
    return replace(Workload(fetch=60e-3), **changes)


def transfer_bound(**changes: Any) -> Workload:
    """Large batches are copied from pageable memory, which stops the host and the device."""
    return replace(Workload(batch_bytes=240_000_000, pinned=False), **changes)


def launch_bound(**changes: Any) -> Workload:
    """Kernels are far shorter than what the host needs to launch one."""
    return replace(
        Workload(layers=40, kernel=6e-6, elementwise=6, elementwise_kernel=3e-6, dispatch=14e-6, python=12e-6),
        **changes,
    )


def compute_bound(**changes: Any) -> Workload:
    """Long matrix products fill the device; the host is far ahead."""
    return replace(Workload(kernel=2e-3, elementwise=1), **changes)


def memory_bound(**changes: Any) -> Workload:
    """Long element-wise kernels fill the device."""
    return replace(Workload(kernel=200e-6, elementwise=8, elementwise_kernel=350e-6), **changes)


def sync_bound(**changes: Any) -> Workload:
    """`.item()` is called after every layer, so that the device waits for the host each time."""
    return replace(
        Workload(layers=30, kernel=60e-6, elementwise_kernel=10e-6, items=30, dispatch=15e-6, python=30e-6), **changes
    )


def communication_bound(**changes: Any) -> Workload:
    """Gradients are reduced after backward, and nothing hides it."""
    return replace(Workload(collective_bytes=400_000_000, overlap=False), **changes)


def optimizer_bound(**changes: Any) -> Workload:
    """The optimiser updates every tensor with kernels of its own (`foreach=False`)."""
    return replace(Workload(parameters=400, foreach=False, kernel=200e-6), **changes)


KINDS: dict[str, Callable[..., Workload]] = {
    "none": balanced,
    "data": data_bound,
    "transfer": transfer_bound,
    "launch": launch_bound,
    "compute": compute_bound,
    "memory_bandwidth": memory_bound,
    "synchronization": sync_bound,
    "communication": communication_bound,
    "optimizer": optimizer_bound,
}
"""By the name of the bottleneck that a trace of it shows."""


def write(workload: Workload, path: Path) -> Path:
    """Write the trace of a workload and return its path."""
    text = render(workload)
    if path.suffix == ".gz":
        with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as file:
            file.write(text)
    else:
        path.write_text(text, encoding="utf-8")
    return path


def render(workload: Workload) -> str:
    """Return the trace of a workload as Kineto would write it."""
    return _Training(workload).run()


@dataclass(slots=True)
class _Event:
    category: str
    name: str
    process: int
    thread: int
    start: float
    seconds: float
    arguments: dict[str, Any]


class _Timeline:
    """Host threads and streams: each call advances a clock and leaves the events that Kineto would."""

    def __init__(self, workload: Workload) -> None:
        self.work = workload
        self.now = 0.001
        self.thread = MAIN
        self.free: dict[int, float] = {STREAM: 0.0, COMMUNICATION_STREAM: 0.0}
        self.host: list[_Event] = []
        self.device: list[_Event] = []
        self._random = random.Random(workload.seed)
        self._external = 0
        self._correlation = 1000
        self._operators: list[int] = []
        self._python = 0

    def varied(self, seconds: float) -> float:
        return seconds * max(0.2, self._random.gauss(1.0, self.work.noise))

    def wait(self, seconds: float) -> None:
        self.now += self.varied(seconds)

    @contextmanager
    def operator(self, name: str, category: str = "cpu_op", **arguments: Any) -> Iterator[None]:
        self._external += 1
        event = _Event(
            category, name, PROCESS, self.thread, self.now, 0.0, {"External id": self._external, **arguments}
        )
        self.host.append(event)
        self._operators.append(self._external)
        self.now += 0.5e-6
        yield
        self.now += 0.5e-6
        self._operators.pop()
        event.seconds = self.now - event.start

    @contextmanager
    def operators(self, *names: str) -> Iterator[None]:
        with ExitStack() as stack:
            for name in names:
                stack.enter_context(self.operator(name))
            yield

    def range(self, name: str) -> Any:
        return self.operator(name, "user_annotation")

    @contextmanager
    def python(self, name: str) -> Iterator[None]:
        if not self.work.stack:
            yield
            return
        self._python += 1
        event = _Event(
            "python_function",
            name,
            PROCESS,
            self.thread,
            self.now,
            0.0,
            {"Python parent id": self._python - 1, "Python id": self._python},
        )
        self.host.append(event)
        self.now += 0.2e-6
        yield
        self.now += 0.2e-6
        event.seconds = self.now - event.start

    def runtime(self, name: str, seconds: float, cbid: int) -> _Event:
        self._correlation += 1
        arguments: dict[str, Any] = {"cbid": cbid, "correlation": self._correlation}
        if self._operators:
            arguments = {"External id": self._operators[-1], **arguments}
        event = _Event("cuda_runtime", name, PROCESS, self.thread, self.now, seconds, arguments)
        self.host.append(event)
        self.now += seconds
        return event

    def on_device(
        self, call: _Event, category: str, name: str, seconds: float, stream: int, **arguments: Any
    ) -> _Event:
        start = max(self.free[stream], call.start + call.seconds + LATENCY)
        self.free[stream] = start + seconds
        external = call.arguments.get("External id")
        linked = {} if external is None else {"External id": external}
        common = {"device": DEVICE, "context": 1, "stream": stream, "correlation": call.arguments["correlation"]}
        event = _Event(category, name, DEVICE, stream, start, seconds, {**linked, **common, **arguments})
        self.device.append(event)
        return event

    def kernel(self, name: str, seconds: float, stream: int = STREAM, **arguments: Any) -> None:
        call = self.runtime("cudaLaunchKernel", self.varied(LAUNCH), 211)
        shape = {
            "queued": 0,
            "registers per thread": 32,
            "shared memory": 0,
            "blocks per SM": 40.0,
            "warps per SM": 160.0,
            "grid": [4320, 1, 1],
            "block": [128, 1, 1],
            "est. achieved occupancy %": 75,
        }
        self.on_device(call, "kernel", name, self.varied(seconds), stream, **shape, **arguments)

    def copy(self, direction: str, count: int, pinned: bool) -> None:
        memory = "Pinned" if pinned else "Pageable"
        name = {
            "HtoD": f"Memcpy HtoD ({memory} -> Device)",
            "DtoH": f"Memcpy DtoH (Device -> {memory})",
            "DtoD": "Memcpy DtoD (Device -> Device)",
        }[direction]
        seconds = 1.2e-6 + count / (PINNED_BANDWIDTH if pinned else PAGEABLE_BANDWIDTH)
        call = self.runtime("cudaMemcpyAsync", 6e-6, 41)
        event = self.on_device(
            call,
            "gpu_memcpy",
            name,
            self.varied(seconds),
            STREAM,
            bytes=count,
            **{"memory bandwidth (GB/s)": round(count / seconds / 1e9, 3)},
        )
        if not pinned:
            # A copy from or to pageable memory returns when it is done.
            end = event.start + event.seconds
            call.seconds = max(call.seconds, end - call.start)
            self.now = max(self.now, end)

    def synchronize(self, name: str = "cudaStreamSynchronize", stream: int = STREAM) -> None:
        call = self.runtime(name, 2e-6, 131 if name == "cudaStreamSynchronize" else 165)
        self.now = max(self.now, self.free[stream])
        call.seconds = self.now - call.start
        self.device.append(
            _Event(
                "cuda_sync",
                "Stream Sync",
                DEVICE,
                stream + 1_000_000,
                call.start,
                call.seconds,
                {
                    "cuda_sync_kind": "Stream Sync",
                    "stream": stream,
                    "correlation": call.arguments["correlation"],
                    "device": DEVICE,
                    "context": 1,
                },
            )
        )


_OURS = {
    "fetch": "fetch",
    "transfer": "transfer",
    "forward": "forward",
    "backward": "backward",
    "optimizer": "optimizer_step",
    "callbacks": "callbacks:TQDMProgressBar",
}
_LIGHTNING = {
    "fetch": "[pl][profile][_TrainingEpochLoop].train_dataloader_next",
    "transfer": "[pl][profile][Strategy]SingleDeviceStrategy.batch_to_device",
    "forward": "[pl][profile][Strategy]SingleDeviceStrategy.training_step",
    "backward": "[pl][profile][Strategy]SingleDeviceStrategy.backward",
    "optimizer": "",
    "callbacks": "[pl][profile][Callback]TQDMProgressBar.on_train_batch_end",
}
_RANGES = {"ours": _OURS, "lightning": _LIGHTNING, "plain": dict.fromkeys(_OURS, "")}


class _Training:
    def __init__(self, workload: Workload) -> None:
        self.work = workload
        self.time = _Timeline(workload)
        self._names = _RANGES[workload.style]

    def run(self) -> str:
        first = self.time.now
        for number in range(self.work.batches):
            with self.time.range(f"ProfilerStep#{number + 10}"):
                if self.work.style == "ours":
                    with self.time.range(f"train_batch epoch=0 batch={number + 10}"):
                        self._batch()
                else:
                    self._batch()
        return _written(self.time, first)

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        if not self._names[name]:
            yield
            return
        with self.time.range(self._names[name]):
            yield

    def _batch(self) -> None:
        work, time = self.work, self.time
        with self._phase("fetch"), time.range("enumerate(DataLoader)#_MultiProcessingDataLoaderIter.__next__"):
            time.wait(work.fetch)
        image: dict[str, Any] = {"Input Dims": [[64, 1, 32, 128]]}
        with (
            self._phase("transfer"),
            time.operators("aten::to", "aten::_to_copy"),
            time.operator("aten::copy_", **image),
        ):
            time.wait(work.dispatch)
            time.copy("HtoD", work.batch_bytes, work.pinned)
            if not work.pinned:
                time.synchronize()
        with self._phase("forward"), time.python("train.py(31): training_step"):
            self._forward()
        with self._phase("backward"):
            self._backward()
        with self._phase("optimizer"):
            self._optimizer()
        if work.logged:
            with self._phase("callbacks"), time.python("train.py(52): on_train_batch_end"):
                self._item()

    def _forward(self) -> None:
        work, time = self.work, self.time
        every = max(1, work.layers // work.items) if work.items else work.layers + 1
        for layer in range(work.layers):
            self._layer("aten::linear" if layer % 2 else "aten::conv2d", work.kernel)
            if (layer + 1) % every == 0:
                with time.python("train.py(38): log_loss"):
                    self._item()

    def _item(self) -> None:
        with self.time.operators("aten::item", "aten::_local_scalar_dense"):
            self.time.copy("DtoH", 4, pinned=False)
            self.time.synchronize()

    def _layer(self, operator: str, seconds: float) -> None:
        work, time = self.work, self.time
        inner = {"aten::linear": "aten::addmm", "aten::conv2d": "aten::cudnn_convolution"}.get(operator)
        kernel = ELEMENTWISE if not work.compute else GEMM if operator == "aten::linear" else CONVOLUTION
        time.wait(work.python)
        shapes: dict[str, Any] = {"Input Dims": [[64, 256], [256, 256]]}
        with time.operator(operator if work.compute else "aten::add", **shapes):
            if inner and work.compute:
                with time.operator(inner):
                    time.wait(work.dispatch)
                    time.kernel(kernel, seconds)
            else:
                time.wait(work.dispatch)
                time.kernel(kernel, seconds)
        for _ in range(work.elementwise):
            time.wait(work.python)
            with time.operator("aten::relu"), time.operator("aten::clamp_min"):
                time.wait(work.dispatch)
                time.kernel(ELEMENTWISE, work.elementwise_kernel)

    def _backward(self) -> None:
        work, time = self.work, self.time
        time.thread = AUTOGRAD
        buckets = 4
        for layer in range(work.layers):
            node = "AddmmBackward0" if layer % 2 else "ConvolutionBackward0"
            operator = "aten::mm" if layer % 2 else "aten::convolution_backward"
            with time.operators(f"autograd::engine::evaluate_function: {node}", node, operator):
                time.wait(work.dispatch)
                for _ in range(2):
                    kernel = ELEMENTWISE if not work.compute else GEMM if layer % 2 else CONVOLUTION
                    time.kernel(kernel, work.kernel)
            node = "ReluBackward0"
            for _ in range(work.elementwise):
                with time.operators(f"autograd::engine::evaluate_function: {node}", node, "aten::threshold_backward"):
                    time.wait(work.dispatch)
                    time.kernel(ELEMENTWISE, work.elementwise_kernel)
            if work.collective_bytes and work.overlap and (layer + 1) % max(1, work.layers // buckets) == 0:
                self._all_reduce(work.collective_bytes // buckets)
        if work.collective_bytes and not work.overlap:
            self._all_reduce(work.collective_bytes)
        time.thread = MAIN
        # The optimiser's kernels wait for the gradients that are reduced on the other stream.
        time.free[STREAM] = max(time.free.values())

    def _all_reduce(self, count: int) -> None:
        time = self.time
        elements = count // 4
        message: dict[str, Any] = {
            "Collective name": "allreduce",
            "In msg nelems": elements,
            "Out msg nelems": elements,
        }
        group: dict[str, Any] = {
            "Group size": 2,
            "dtype": "Float",
            "Process Group Name": "0",
            "Process Group Description": "default_pg",
        }
        time.free[COMMUNICATION_STREAM] = max(time.free.values())
        with (
            time.operator("c10d::allreduce_"),
            time.operator("record_param_comms", **message, **group),
            time.range("nccl:all_reduce"),
        ):
            time.wait(20e-6)
            time.kernel(ALL_REDUCE, count / NCCL_BANDWIDTH, COMMUNICATION_STREAM, **message, **group)

    def _optimizer(self) -> None:
        work, time = self.work, self.time
        with time.range("Optimizer.step#AdamW.step"):
            if work.foreach:
                for name in ("aten::_foreach_add_", "aten::_foreach_lerp_", "aten::_foreach_addcdiv_"):
                    with time.operator(name):
                        time.wait(30e-6)
                        time.kernel(FOREACH, 2e-6 * work.parameters)
                return
            for _ in range(work.parameters):
                for name in ("aten::mul_", "aten::lerp_", "aten::addcmul_", "aten::addcdiv_"):
                    time.wait(work.python)
                    with time.operator(name):
                        time.wait(work.dispatch)
                        time.kernel(ELEMENTWISE, 4e-6)


_HEADER = {
    "schemaVersion": 1,
    "deviceProperties": [
        {"id": 0, "name": "NVIDIA A100-SXM4-80GB", "totalGlobalMem": 84974239744, "computeMajor": 8, "numSms": 108}
    ],
    "cuda_runtime_version": 12080,
    "with_flops": 0,
    "record_shapes": 1,
    "with_stack": 0,
    "profile_memory": 0,
    "displayTimeUnit": "ms",
    "baseTimeNanoseconds": 1760000000000000000,
}


def _written(time: _Timeline, first: float) -> str:
    """Return the events in Kineto's order and layout: host, device with its flows, metadata, the span of the trace."""
    lines = [_complete(event) for event in time.host]
    for event in time.device:
        lines.append(_complete(event))
    calls = {event.arguments["correlation"]: event for event in time.host if event.category == "cuda_runtime"}
    for event in time.device:
        if event.category != "cuda_sync":
            call = calls[event.arguments["correlation"]]
            lines.append(_flow("s", call))
            lines.append(_flow("f", event))
    end = max([time.now, *time.free.values()])
    lines += [
        _named("process_name", PROCESS, 0, {"name": "python"}),
        _named("process_labels", PROCESS, 0, {"labels": "CPU"}),
        _named("process_name", DEVICE, 0, {"name": "python"}),
        _named("process_labels", DEVICE, 0, {"labels": "GPU 0"}),
        _named("thread_name", DEVICE, STREAM, {"name": f"stream {STREAM} "}),
        _named("thread_name", PROCESS, MAIN, {"name": f"thread {MAIN} (python)"}),
        _named("thread_name", PROCESS, AUTOGRAD, {"name": f"thread {AUTOGRAD} (pt_autograd_0)"}),
        f'  {{\n    "ph": "X",\n    "cat": "Trace",\n    "name": "PyTorch Profiler (0)",\n    "pid": "Spans",\n'
        f'    "tid": "PyTorch Profiler",\n    "ts": {_micro(first - 0.0005)},\n    "dur": {_micro(end - first + 0.001)}'
        f',\n    "args": {{\n      "Op count": 0\n    }}\n  }}',
        f'  {{\n    "ph": "i",\n    \n    "s": "g",\n    "name": "Record Window End",\n    "pid": "",\n    "tid": "",\n'
        f'    "ts": {_micro(end + 0.001)}\n    \n  }}',
    ]
    header = json.dumps({**_HEADER, "with_stack": int(time.work.stack)}, indent=2)
    return (
        header.removesuffix("\n}")
        + ',\n  "traceEvents": [\n    '
        + ",\n".join(lines)
        + '\n  ],"traceName": "trace.json" }'
    )


def _micro(seconds: float) -> str:
    nanoseconds = round(seconds * 1e9)
    return f"{nanoseconds // 1000}.{nanoseconds % 1000:03}"


def _length(event: _Event) -> str:
    # From rounded edges, as of a clock that counts nanoseconds.
    return _micro((round((event.start + event.seconds) * 1e9) - round(event.start * 1e9)) / 1e9)


def _complete(event: _Event) -> str:
    arguments = ", ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in event.arguments.items())
    return (
        f'  {{\n    "ph": "X",\n    "cat": "{event.category}",\n    "name": {json.dumps(event.name)},\n'
        f'    "pid": {event.process},\n    "tid": {event.thread},\n    "ts": {_micro(event.start)},\n'
        f'    "dur": {_length(event)}\n    ,\n    "args": {{\n      {arguments}\n    }}\n  }}'
    )


def _flow(kind: str, event: _Event) -> str:
    binding = ', "bp": "e"' if kind == "f" else ""
    return (
        f'  {{\n    "ph": "{kind}",\n    "id": {event.arguments["correlation"]},\n    "pid": {event.process},\n'
        f'    "tid": {event.thread},\n    "ts": {_micro(event.start)},\n    "cat": "ac2g",\n    "name": "ac2g"\n'
        f"    {binding}\n  }}"
    )


def _named(name: str, process: int, thread: int, arguments: dict[str, Any]) -> str:
    return (
        f'  {{\n    "ph": "M",\n    "name": "{name}",\n    "ts": 0.000,\n    "pid": {process},\n    "tid": {thread},\n'
        f'    "args": {json.dumps(arguments)}\n  }}'
    )


_MOVED = re.compile(r'("ts": |"correlation": |"External id": |"id": )(\d+)')
"""Numbers that are others in each repetition of a window."""


def write_long(workload: Workload, path: Path, size: int) -> Path:
    """Write a trace of at least `size` bytes: the window of a workload again and again, each later than the one before.

    No more than one window is in memory, and numbers that tie events together are used once, as in a real long trace.
    """
    head, events, tail = _parts(render(workload))
    pieces = _MOVED.split(events)
    literals = [before + key for before, key in zip(pieces[::3], pieces[1::3], strict=False)]
    keys, numbers = pieces[1::3], [int(number) for number in pieces[2::3]]
    times = [number for key, number in zip(keys, numbers, strict=True) if key == '"ts": ']
    length = max(times) - min(times) + 1000
    largest = max(number for key, number in zip(keys, numbers, strict=True) if key != '"ts": ') + 1
    steps = [length if key == '"ts": ' else largest for key in keys]
    with path.open("w", encoding="utf-8") as file:
        written = file.write(head)
        repetition = 0
        while written < size:
            if repetition:
                written += file.write(",\n")
            moved = (
                f"{literal}{number + repetition * step}"
                for literal, number, step in zip(literals, numbers, steps, strict=True)
            )
            written += file.write("".join(moved) + pieces[-1])
            repetition += 1
        file.write(tail)
    return path


def _parts(text: str) -> tuple[str, str, str]:
    start = text.index('"traceEvents": [') + len('"traceEvents": [')
    end = text.rindex("]")
    return text[:start], text[start:end], text[end:]
