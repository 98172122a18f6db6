"""A training whose program uses OpenTelemetry itself: with the API alone, or with providers of its own."""

import json
import sys
from pathlib import Path

import lightning as L
import torch
from opentelemetry import metrics, trace
from torch.utils.data import DataLoader, TensorDataset

own_providers, output = sys.argv[1] == "own", Path(sys.argv[2])
if own_providers:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    spans = InMemorySpanExporter()
    tracer_provider = TracerProvider()
    tracer_provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(tracer_provider)
    reader = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([reader]))


class Module(L.LightningModule):
    """Makes a span of its own in each step."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)

    def training_step(self, batch, batch_idx):
        with trace.get_tracer("application").start_as_current_span("augment", attributes={"index": batch_idx}):
            return self.layer(batch[0]).pow(2).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


trainer = L.Trainer(
    accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
    enable_model_summary=False,
)  # fmt: skip
trainer.fit(Module(), DataLoader(TensorDataset(torch.randn(160, 4)), batch_size=4))
assert not trace.get_current_span().get_span_context().is_valid, "a context was left behind"

if own_providers:
    assert trace.get_tracer_provider() is tracer_provider
    found = reader.get_metrics_data()
    names = sorted(
        metric.name for resource in found.resource_metrics for scope in resource.scope_metrics
        for metric in scope.metrics
    )  # fmt: skip
    batches = [
        point.count
        for resource in found.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "training.batch.duration"
        for point in metric.data.data_points
    ]
    made = [[span.name, f"{span.context.span_id:x}", f"{span.parent.span_id:x}" if span.parent else ""]
            for span in spans.get_finished_spans()]  # fmt: skip
    with trace.get_tracer("application").start_as_current_span("after"):
        pass
    alive = any(span.name == "after" for span in spans.get_finished_spans())
    output.write_text(json.dumps({"metrics": names, "batches": batches, "spans": made, "alive": alive}))
