"""A real OCR training to try ocr_otel on: it knows nothing of ocr_otel but the environment variables."""
