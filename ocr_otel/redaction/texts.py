"""What callers use: texts, attributes, messages of exceptions and stacks as they may leave."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from ocr_otel.redaction.contents import CUT, file_names, without_contents
from ocr_otel.redaction.secrets import REDACTED, is_secret_name, process_redactor

MAX_MESSAGE: Final = 1_000
"""Characters of a message: enough for any sentence, too few for a dumped batch."""
MAX_STACK: Final = 20_000
"""Characters of a stack."""
_BEGINNING: Final = 400
"""Characters of a longer message's beginning that are kept; the rest of the room is for its end, where a worker's
exception says what it is."""
_LOOKED_AT: Final = 10_000
"""Characters of a message that are looked at: a batch that was printed whole has millions."""
_OPEN_QUOTE: Final = re.compile(r"(?<!\w)[\"'][^\"'\n]*\Z")


def redact(text: str) -> str:
    """Return a text with `[redacted]` in the place of secrets."""
    return process_redactor()(text)


def redact_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes without secrets: none in texts, and none under a name that says that it is one."""
    return {name: _redacted(name, value) for name, value in attributes.items()}


def safe_message(text: str, most: int = MAX_MESSAGE) -> str:
    """Return the message of an exception without secrets, contents of data and paths, cut to `most` characters."""
    whole = len(text) <= _LOOKED_AT
    if not whole:
        # To a whole word: half a secret would not be found.
        text = text[:_LOOKED_AT].rpartition(" ")[0]
    text = without_contents(redact(text))
    if not whole:
        text = _OPEN_QUOTE.sub("", text) + CUT
    return text if len(text) <= most else text[:_BEGINNING] + CUT + text[_BEGINNING + 1 - most :]


def safe_stack(text: str) -> str:
    """Return stacks as `faulthandler` and `traceback` print them, without secrets and with file names for paths."""
    return file_names(redact(text[:MAX_STACK]))


def _redacted(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return REDACTED if value and is_secret_name(name) else redact(value)
    if isinstance(value, (list, tuple)):
        return type(value)(_redacted(name, each) for each in value)
    return value
