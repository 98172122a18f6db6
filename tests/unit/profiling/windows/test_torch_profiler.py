"""Other profilers that start while a window is open, in a process of its own: what goes wrong there ends it."""

from __future__ import annotations

from pathlib import Path

from tests.support.scripts import run_python

# Each round a range is open that began under our profiler and ends under the other one.
SCRIPT = """
import torch
from ocr_otel.profiling.windows.torch_profiler import TorchWindow, end_ranges

layers = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
optimizer = torch.optim.Adam(layers.parameters())

def loss():
    optimizer.zero_grad()
    value = layers(torch.randn(8, 64)).square().sum()
    value.backward()
    return value

for number in range(20):
    gave_way = []

    def give_way():
        if not gave_way:
            gave_way.append(True)
            end_ranges()
            window.stop()

    other = torch.profiler.profile()

    def closure():
        other.start()
        return loss()

    window = TorchWindow(0, 3, (), give_way)
    window.start()
    optimizer.step(loss)
    with torch.profiler.record_function("around"):
        # `Optimizer.step` is a range of PyTorch's own.
        optimizer.step(closure)
    optimizer.step(loss)
    other.stop()
    assert gave_way
    names = [event.name for event in other.events()]
    assert names.count("aten::linear") == 4, names
    assert "around" not in names
print("rounds", number + 1)
"""


def test_ranges_that_are_open_do_not_outlive_the_window(tmp_path: Path) -> None:
    script = tmp_path / "rounds.py"
    script.write_text(SCRIPT)
    done = run_python(["-X", "faulthandler", script], tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "rounds 20"
