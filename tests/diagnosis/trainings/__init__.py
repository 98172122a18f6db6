"""Small real trainings with a planted bottleneck, and balanced ones; they know nothing of ocr_otel."""
