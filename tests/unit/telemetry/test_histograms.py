"""The aggregating histogram counts as the SDK's does."""

import numpy as np
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader

from ocr_otel.telemetry.histograms import DURATION_BOUNDS, AggregatingHistogram, ExemplarPoint, RecordingHistogram

VALUES = np.concatenate([np.array(DURATION_BOUNDS), np.random.default_rng(3).lognormal(-4, 2, 500)])
CUMULATIVE, DELTA = AggregationTemporality.CUMULATIVE, AggregationTemporality.DELTA


def sdk_point():
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader]).get_meter("test")
    RecordingHistogram(meter, "h", "s", "").record_many(VALUES, {"a": "b"})
    data = reader.get_metrics_data()
    return data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points[0]


def test_points_equal_the_sdks() -> None:
    ours = AggregatingHistogram("h", "s", "")
    ours.record_many(VALUES[:100], {"a": "b"})
    ours.record_many(VALUES[100:], {"a": "b"})
    metric = ours.collect(CUMULATIVE)
    assert metric is not None
    point, expected = metric.data.data_points[0], sdk_point()
    for name in ("count", "bucket_counts", "explicit_bounds", "min", "max", "attributes"):
        found, wanted = getattr(point, name), getattr(expected, name)
        assert list(found) == list(wanted) if name.startswith(("bucket", "explicit")) else found == wanted
    assert point.sum == pytest.approx(expected.sum)


def test_cumulative_points_grow_and_delta_points_do_not() -> None:
    for temporality, counts in ((CUMULATIVE, [2, 4]), (DELTA, [2, 2])):
        histogram = AggregatingHistogram("h", "s", "")
        found = []
        for _ in counts:
            histogram.record_many(np.array([0.1, 0.2]), {})
            metric = histogram.collect(temporality)
            assert metric is not None
            found.append(metric.data.data_points[0].count)
        assert found == counts
    assert histogram.collect(DELTA) is None


def test_exemplars_are_given_once_in_their_bucket() -> None:
    histogram = AggregatingHistogram("h", "s", "")
    histogram.record_many(np.array([0.003, 0.2]), {}, [ExemplarPoint(0.2, 5, 1, 2)])
    first = histogram.collect(CUMULATIVE)
    again = histogram.collect(CUMULATIVE)
    assert first is not None
    assert again is not None
    exemplar = first.data.data_points[0].exemplars[0]
    assert (exemplar.value, exemplar.trace_id, exemplar.span_id) == (0.2, 1, 2)
    assert not again.data.data_points[0].exemplars


def test_an_exemplar_whose_row_was_drained_before_is_no_error_and_not_counted_twice() -> None:
    reader = InMemoryMetricReader()
    histogram = RecordingHistogram(MeterProvider([reader]).get_meter("test"), "h", "s", "")
    histogram.record_many(np.array([0.1]), {}, [ExemplarPoint(0.7, 5, 1, 2), ExemplarPoint(0.1, 5, 3, 4)])
    data = reader.get_metrics_data()
    assert data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points[0].count == 1
