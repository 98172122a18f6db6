"""What a program logs, with `OCR_OTEL_LOGS`: sent under its batch, shown in the report, and printed as ever."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from ocr_otel import semconv
from ocr_otel.report import as_json
from ocr_otel.runs import load
from ocr_otel.telemetry.log_bridge import BURST
from tests.support.logging_script import FLOOD
from tests.support.otlp import Traces, attributes, to_protobuf_json
from tests.support.scripts import FOLDER, run_python

Records = dict[str, tuple[str, Any]]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the same training prints without and with, and where it was recorded."""
    folder = tmp_path_factory.mktemp("logs")
    found: dict[str, Any] = {"folder": folder / "runs" / "run-info"}
    for logs in ("off", " Info"):
        name = logs.strip().lower()
        done = run_python(
            [FOLDER / "logging_script.py"], folder, OCR_OTEL_ENABLED="true", OCR_OTEL_LOGS=logs,
            OCR_OTEL_SUMMARY="false", OCR_OTEL_RUN_ID=f"run-{name}",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found[name] = (done.stdout, done.stderr)
    return found


@pytest.fixture(scope="module")
def records(printed: dict[str, Any]) -> Records:
    """The log records by their text, each with its logger."""
    found: Records = {}
    for line in (printed["folder"] / "logs.jsonl").read_text().splitlines():
        request = json_format.ParseDict(to_protobuf_json(json.loads(line)), ExportLogsServiceRequest())
        for resource in request.resource_logs:
            assert attributes(resource.resource)[semconv.RUN_ID] == "run-info"
            for scope in resource.scope_logs:
                for record in scope.log_records:
                    assert record.body.string_value not in found
                    found[record.body.string_value] = scope.scope.name, record
    return found


def test_what_is_printed_is_the_same_to_the_letter(printed: dict[str, Any]) -> None:
    assert printed["info"] == printed["off"]
    out, err = printed["off"]
    assert "batch 0 has no label, token=hf_abcdefghijklmnopqrstuvwx" in err, "Python's last resort prints it"
    assert f"INFO|reader|line {FLOOD - 1}" in out
    assert not (printed["folder"].parent / "run-off" / "logs.jsonl").exists()


def test_records_are_there_with_level_logger_and_the_line_that_logged_them(records: Records) -> None:
    logger, record = records["batch 0 has no label, token=[redacted]"]
    told = attributes(record)
    assert (logger, record.severity_text, told["code.file.path"]) == ("reader", "WARN", "logging_script.py")
    assert told["code.function.name"] == "training_step"
    assert records["after dictConfig"][1].severity_text == "ERROR"
    assert records["`Trainer.fit` stopped: `max_epochs=1` reached."][0].startswith("lightning.pytorch")
    assert records["a logger without its parents, %s"][0] == "reader.own"


def test_warnings_are_sent_once_captured_or_not(records: Records) -> None:
    assert records["UserWarning: an odd size"][0] == "py.warnings"
    assert len([text for text in records if "captured" in text]) == 1


def test_records_lie_in_the_trace_of_their_batch(printed: dict[str, Any], records: Records) -> None:
    traces = Traces(printed["folder"] / "traces.jsonl")
    batches = {batch.attributes[semconv.BATCH_IDX]: batch for batch in traces.roots(semconv.TRAIN_BATCH)}
    for text, batch_idx in (("UserWarning: an odd size", 1), ("said in a thread", 1), ("left out scan_7.png", 3)):
        record = records[text][1]
        assert attributes(record)[semconv.BATCH_IDX] == batch_idx
        assert (record.trace_id.hex(), record.span_id.hex()) == (
            batches[batch_idx].trace_id,
            batches[batch_idx].span_id,
        )
    stopped = records["`Trainer.fit` stopped: `max_epochs=1` reached."][1]
    assert stopped.span_id.hex() == traces.root(semconv.FIT).child(semconv.TRAIN_EPOCH).span_id
    assert records["after the training"][1].trace_id == b""


def test_nothing_private_leaves(printed: dict[str, Any], records: Records) -> None:
    sent = (printed["folder"] / "logs.jsonl").read_text()
    for private in ("hf_abcdefghijklmnop", "secret label", "/data/private"):
        assert private not in sent
    told = attributes(records["left out scan_7.png"][1])
    assert told["exception.type"] == "ValueError"
    assert told["exception.message"] == "cannot read scan_7.png"
    assert 'File "logging_script.py"' in told["exception.stacktrace"]


def test_what_is_below_the_level_ours_or_of_a_forked_worker_is_not_sent(records: Records) -> None:
    assert "too low" not in records
    assert "said in a worker" not in records
    assert {name for name, _ in records.values() if name.startswith(("ocr_otel", "opentelemetry"))} == {"ocr_otel"}


def test_a_flood_is_cut_without_what_matters_and_said(records: Records) -> None:
    lines = [text for text in records if text.startswith("line ")]
    assert BURST - 10 <= len(lines) < FLOOD
    # On a slow machine the flood lasts so long that it is said more than once.
    left_out = [attributes(record)[semconv.LOGS_LEFT_OUT] for name, record in records.values() if name == "ocr_otel"]
    assert sum(left_out) == FLOOD - len(lines)
    assert "after dictConfig" in records


def test_the_report_shows_them_and_each_with_its_batch(printed: dict[str, Any]) -> None:
    found = json.loads(as_json.render(load(Path(printed["folder"]))))
    assert "errors" in found["records_in_all"]
    row = next(row for row in found["records"] if row["text"].startswith("left out scan_7.png"))
    assert (row["level"], row["place"]) == ("error", "train, epoch 0, batch 3")
    batch = next(each for each in found["kept"] if each["batch_idx"] == 1 and each["stage"] == "train")
    assert {each["text"] for each in batch["records"]} == {"UserWarning: an odd size", "said in a thread"}


def test_without_the_package_the_start_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nsys.modules['opentelemetry.instrumentation.logging.handler'] = None\n"
    )
    code = (
        "from ocr_otel.settings import load, SettingsError\nfrom ocr_otel.training.log_bridge import check_logs\n"
        "try:\n    check_logs(load())\nexcept SettingsError as error:\n    print(error)"
    )
    done = run_python(["-c", code], tmp_path, OCR_OTEL_LOGS="warning", PYTHONPATH=str(tmp_path))
    assert done.stdout.strip() == (
        "OCR_OTEL_LOGS='warning' needs opentelemetry-instrumentation-logging: pip install 'ocr_otel[logs]'."
    ), done.stderr
