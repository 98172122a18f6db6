"""Metrics of the servers of the stack, as Prometheus scrapes them: of the Collector 0.160, Jaeger 2 and Prometheus.

A Jaeger is a Collector with other components, so that the names of a Collector are those of Jaeger too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

UP: Final = "up"
QUEUE_SIZE: Final = "otelcol_exporter_queue_size"
QUEUE_CAPACITY: Final = "otelcol_exporter_queue_capacity"
ACCEPTED_SPANS: Final = "otelcol_receiver_accepted_spans_total"
ACCEPTED_POINTS: Final = "otelcol_receiver_accepted_metric_points_total"
REFUSED_SPANS: Final = "otelcol_receiver_refused_spans_total"
REFUSED_POINTS: Final = "otelcol_receiver_refused_metric_points_total"
SENT_SPANS: Final = "otelcol_exporter_sent_spans_total"
SENT_POINTS: Final = "otelcol_exporter_sent_metric_points_total"
UNSENT_SPANS: Final = "otelcol_exporter_send_failed_spans_total"
UNSENT_POINTS: Final = "otelcol_exporter_send_failed_metric_points_total"
NOT_QUEUED_SPANS: Final = "otelcol_exporter_enqueue_failed_spans_total"
NOT_QUEUED_POINTS: Final = "otelcol_exporter_enqueue_failed_metric_points_total"
MEMORY: Final = "otelcol_process_memory_rss_bytes"
CPU: Final = "otelcol_process_cpu_seconds_total"
SERIES: Final = "prometheus_tsdb_head_series"
EXEMPLARS: Final = "prometheus_tsdb_exemplar_exemplars_in_storage"
"""Exemplars are kept in a ring: those of the last hours."""

NAMES: Final = frozenset(value for name, value in vars().items() if name.isupper() and isinstance(value, str))

LOSSES: Final[Mapping[str, str]] = {
    UNSENT_SPANS: "spans given up",
    UNSENT_POINTS: "points given up",
    NOT_QUEUED_SPANS: "spans without place",
    NOT_QUEUED_POINTS: "points without place",
}
"""Counters of what is gone for good; a server has each of them from its first loss on."""
REFUSALS: Final[Mapping[str, str]] = {REFUSED_SPANS: "spans", REFUSED_POINTS: "points"}
"""Counters of what a sender will try again."""
