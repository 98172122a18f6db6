"""`python -m ocr_otel.cli`, for where the command is not on the path."""

from ocr_otel.cli.main import app

app(prog_name="ocr-otel")
