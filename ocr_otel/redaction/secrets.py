"""Finds secrets in texts: the values of this process's secret environment variables, and what has a secret's form.

Which names and forms count follows published practice, written anew here: the keyword, basic auth, JWT and private key
plugins of detect-secrets, the prefixes of issuers in the rules of gitleaks (AWS, GitHub, GitLab, Hugging Face, OpenAI,
Slack, Stripe, Google, npm, PyPI), and the `blocked_key_patterns` of the OpenTelemetry Collector's redaction processor.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote, unquote

REDACTED: Final = "[redacted]"
SHORTEST: Final = 6
"""Characters of an environment variable's value from which on it is looked for: shorter ones are words of any text."""
SHORTEST_NUMBER: Final = 8
"""The same for a value of digits alone."""
SHORTEST_USER: Final = 16
"""Characters from which on the user of a URL without a password is taken for a token."""

_KEYS: Final = "api|access|account|private|secret|signing|encryption|master|license|shared|auth|subscription|session"
_NAME: Final = (
    r"(?:secrets?|tokens?|passwo?r?ds?|passwd|passphrase|passcode|pwd|credentials?|"
    rf"(?:{_KEYS})[_.\- ]?keys?|oauth2?|auth|authorization|bearer|cookies?|jwt|dsn|webhook(?:[_.\-]?url)?|"
    r"connection[_.\- ]?string|signature)"
)
_SUFFIX: Final = r"(?:[_.\-]?(?:\d{1,3}|id|value|base64|b64|header|text|raw|hash|base|file|string|data))?"
_SECRET_NAME: Final = re.compile(rf"(?:{_NAME}|private){_SUFFIX}(?![A-Za-z])", re.IGNORECASE)
_NO_SECRETS: Final = frozenset({"PWD", "OLDPWD"})
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_HEADERS: Final = re.compile(r"HEADERS?$", re.IGNORECASE)
_URL_USER: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://([^/\s:@]*)(?::([^/\s@]*))?@")
_PLAIN_WORDS: Final = frozenset({"enabled", "disabled", "default", "required", "optional", "password", "secret"})

# A secret's name, what separates, and a value in quotes or without.
_VALUE: Final = r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|[^\s\"',;&|<>{}()\[\]]{4,}"
_NAMED: Final = re.compile(
    rf"(?<![\w.\-])(?P<name>[\w.\-]{{0,60}}?{_NAME}{_SUFFIX})(?![A-Za-z0-9_])"
    rf"(?P<between>[\"']?[ \t]*(?:=>|:=|==|=|:)[ \t]*|[\"'][ \t]*,[ \t]*(?=[\"']))(?P<value>{_VALUE})",
    re.IGNORECASE,
)
_OPTION: Final = re.compile(
    rf"(?<![\w\-])(?P<name>--?[\w\-]{{0,60}}?{_NAME}{_SUFFIX})(?![A-Za-z0-9_\-])"
    rf"(?P<between>[\"']?[ \t]*,[ \t]*|[ \t]+)(?P<value>{_VALUE})",
    re.IGNORECASE,
)
_AUTHORIZATION: Final = re.compile(
    r"\b((?:proxy-)?authorization|(?:set-)?cookie)"
    r"([\"']?[ \t]*(?:[:=][ \t]*[\"']?|(?<=[\"']),[ \t]*[\"']))[^\"'\n}\]]+",
    re.IGNORECASE,
)
_SCHEME: Final = re.compile(
    r"\b(Bearer|Negotiate|Digest|ApiKey|Api-Key)(\s+)[A-Za-z0-9._~+/=\-]{8,}"
    r"|\b(Basic)(\s+)(?=(?-i:[A-Za-z0-9+/]+[0-9A-Z+/=]))[A-Za-z0-9+/]{8,}={0,2}",
    re.IGNORECASE,
)
_IN_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*://)[^/\s@'\"]+@")
_SIGNED: Final = re.compile(
    r"([?&][\w.\-]*(?:sig|signature|credential|token|key|secret|code)=)[^&\s'\"#]+", re.IGNORECASE
)
_FORMS: Final = re.compile(
    "|".join(
        (
            r"-----BEGIN[ A-Z0-9]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END[ A-Z0-9]*-----|\Z)",
            r"\beyJ[A-Za-z0-9_\-]{8,}(?:\.[A-Za-z0-9_\-]*){0,4}",
            r"\b(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[A-Z0-9]{12,}\b",
            r"\bgh[pousr]_[A-Za-z0-9]{16,}\b",
            r"\bgithub_pat_\w{16,}\b",
            r"\bgl(?:pat|ptt|dt|rt|cbt|soat|agent)-[\w\-]{16,}",
            r"\b(?:hf|api_org)_[A-Za-z]{16,}\w*",
            r"\bxox[a-z]-[\w\-]{8,}",
            r"\bxapp-\d-[\w\-]{8,}",
            r"https://hooks\.slack\.com/[\w/]+",
            r"\bsk-[\w\-]{20,}",
            r"\b[srp]k_(?:live|test|prod)_\w{8,}",
            r"\bAIza[\w\-]{30,}",
            r"\bya29\.[\w\-]{16,}",
            r"\bnpm_[A-Za-z0-9]{24,}\b",
            r"\bpypi-[\w\-]{32,}",
            r"\bnvapi-[\w\-]{32,}",
            r"\bSG\.[\w\-]{16,}\.[\w\-]{16,}",
            r"\bdop_v1_[a-f0-9]{32,}\b",
        )
    ),
    re.DOTALL,
)


def is_secret_name(name: str) -> bool:
    """Return whether a variable, a setting or an attribute of this name holds a secret."""
    return name not in _NO_SECRETS and _SECRET_NAME.search(_CAMEL.sub("_", name)) is not None


class Redactor:
    """Takes secrets out of texts; its patterns are compiled once.

    Args:
        environ: Environment variables whose secret values are looked for in any text.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        values = {
            form for name, value in environ.items() for secret in _secrets(name, value) for form in _forms(secret)
        }
        found = sorted(values, key=len, reverse=True)
        self._values = re.compile("|".join(map(re.escape, found))) if found else None

    def __call__(self, text: str) -> str:
        """Return a text with `[redacted]` in the place of secrets."""
        if self._values is not None:
            text = self._values.sub(REDACTED, text)
        text = _FORMS.sub(REDACTED, text)
        text = _AUTHORIZATION.sub(rf"\1\2{REDACTED}", text)
        text = _SCHEME.sub(_after_scheme, text)
        text = _IN_URL.sub(rf"\1{REDACTED}@", text)
        text = _SIGNED.sub(rf"\1{REDACTED}", text)
        text = _NAMED.sub(_after_name, text)
        return _OPTION.sub(_after_name, text)


_made: tuple[dict[str, str], Redactor] | None = None


def process_redactor() -> Redactor:
    """Return the redactor of this process's environment, made anew where a variable was set since."""
    global _made
    environ = dict(os.environ)
    if _made is None or _made[0] != environ:
        _made = environ, Redactor(environ)
    return _made[1]


def _after_scheme(found: re.Match[str]) -> str:
    return f"{found[1] or found[3]}{found[2] or found[4]}{REDACTED}"


def _after_name(found: re.Match[str]) -> str:
    name, value = found["name"], found["value"]
    bare = value.strip("\"'")
    counts = re.fullmatch(r"(?i)true|false|none|null|-?\d{1,7}(?:\.\d*)?", bare) is not None
    if not bare or bare == REDACTED or name in _NO_SECRETS or (counts and "pass" not in name.lower()):
        # `max_tokens=4096` is no secret.
        return found[0]
    mark = value[0] if value[0] in "\"'" else ""
    return f"{name}{found['between']}{mark}{REDACTED}{mark}"


def _secrets(name: str, value: str) -> Iterator[str]:
    """Yield what is secret in the value of an environment variable."""
    for user, password in _URL_USER.findall(value):
        if password:
            yield password
        elif len(user) >= SHORTEST_USER:
            yield user
    if _HEADERS.search(name):
        for pair in value.split(","):
            yield from _of_header(unquote(pair.partition("=")[2].strip()))
    elif is_secret_name(name):
        yield value
        # Of a key in PEM each line is secret, and of a JSON document each text whose name says so.
        yield from (line for line in value.splitlines() if len(line.strip()) >= SHORTEST_USER)
        yield from _in_json(value)


def _of_header(value: str) -> Iterator[str]:
    yield value
    scheme, _, credentials = value.partition(" ")
    if not credentials:
        return
    yield credentials.strip()
    if scheme.lower() == "basic":
        try:
            decoded = base64.b64decode(credentials, validate=True).decode()
        except (binascii.Error, ValueError):
            return
        yield decoded
        yield decoded.partition(":")[2]


def _in_json(text: str) -> Iterator[str]:
    if not text.lstrip().startswith("{"):
        return
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return
    if isinstance(found, dict):
        yield from (value for name, value in found.items() if isinstance(value, str) and is_secret_name(str(name)))


def _forms(secret: str) -> Iterator[str]:
    """Yield a secret as texts have it: as it is, in a URL, and in the notation of Python and JSON."""
    secret = secret.strip()
    shortest = SHORTEST_NUMBER if secret.isdecimal() else SHORTEST
    if len(secret) < shortest or secret.lower() in _PLAIN_WORDS:
        return
    yield secret
    yield unquote(secret)
    yield quote(secret, safe="")
    yield repr(secret)[1:-1]
    yield json.dumps(secret)[1:-1]
    yield base64.b64encode(secret.encode(errors="surrogateescape")).decode()
