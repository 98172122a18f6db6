"""The command `ocr-otel`: one small file a command, for arguments and printing only."""
