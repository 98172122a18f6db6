"""Builds the dashboards from `ocr_otel.semconv`; `python -m dashboards.build` writes them to `dashboards/json/`."""
