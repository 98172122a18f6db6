"""Lightning's own tests, run without and with ocr_otel: what passes without it must pass with it."""
