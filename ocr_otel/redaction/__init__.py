"""What must not leave in a text: secrets, the contents of samples, and paths beyond a file's name.

Written with the standard library alone and called where a text is made, a few times a run, so that it holds for files,
endpoints and the watchdog's process alike.
"""

from ocr_otel.redaction.contents import file_names, without_contents
from ocr_otel.redaction.exceptions import SafeException, safe_exception
from ocr_otel.redaction.secrets import REDACTED, Redactor, is_secret_name, process_redactor
from ocr_otel.redaction.texts import MAX_MESSAGE, redact, redact_attributes, safe_message, safe_stack

__all__ = [
    "MAX_MESSAGE",
    "REDACTED",
    "Redactor",
    "SafeException",
    "file_names",
    "is_secret_name",
    "process_redactor",
    "redact",
    "redact_attributes",
    "safe_exception",
    "safe_message",
    "safe_stack",
    "without_contents",
]
