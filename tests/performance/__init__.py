"""What ocr_otel costs: the benchmark, and a guard against gross regressions."""
