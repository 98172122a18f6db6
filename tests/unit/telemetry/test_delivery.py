"""What delivers for a training that is gone starts fast: the machine may have no memory and no time left."""

from __future__ import annotations

import subprocess
import sys

DELIVERS = """
import sys
import ocr_otel.telemetry.delivery
import ocr_otel.otlp.protobuf
from ocr_otel.telemetry.exporting import load_exporter
load_exporter("traces", "otlp_proto_http")
print(*{name.partition(".")[0] for name in sys.modules} & {"numpy", "pydantic", "pydantic_settings", "torch"})
"""


def test_it_loads_nothing_that_only_a_training_needs() -> None:
    done = subprocess.run([sys.executable, "-c", DELIVERS], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr
