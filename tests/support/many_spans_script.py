"""Makes spans at a steady rate through a session of ours, and writes their ids down: `SCRIPT TRUTH SPANS SECONDS`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from ocr_otel import semconv
from ocr_otel.settings import Settings
from ocr_otel.telemetry import RunIdentity, Session, destination

PART = 500

truth, spans, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
session = Session(Settings(), RunIdentity("many-spans"), destination())
began = time.monotonic()
with truth.open("w") as file:
    for made in range(0, spans, PART):
        time.sleep(max(0.0, began + seconds * made / spans - time.monotonic()))
        ids = []
        for index in range(made, made + PART):
            span = session.tracer.start_span(semconv.TRAIN_BATCH, attributes={semconv.BATCH_IDX: index})
            span.end()
            ids.append(f"{span.get_span_context().span_id:016x}")
        print(*ids, sep="\n", file=file)
session.flush()
print(session.spans_lost())
session.shutdown()
