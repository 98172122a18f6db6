"""Takes what a program was working on out of its error messages: tensors, samples, labels, source lines, paths.

A message is written for the person who sits before the data. What leaves is what a person needs who does not: the
sentence, the names in it, shapes, and the names of files.
"""

from __future__ import annotations

import re
from typing import Final

CUT: Final = "…"
SHORT_WORD: Final = 64
"""Characters of a text in quotes, at most, that may be a name."""
SHORT_CALL: Final = 80
"""Characters of what is printed like a call, at most, that may be the settings of something."""

_CLOSING: Final = {"[": "]", "{": "}", "(": ")"}
_HOLDERS: Final = re.compile(r"(?:tensor|array|Parameter|Parameter containing:\s*tensor|Series|DataFrame)$")
_SHAPE: Final = re.compile(r"\s*-?\d+(?:\s*,\s*-?\d+){0,7},?\s*")
_WORDS: Final = re.compile(r"\s*[A-Za-z][^,'\"\n\[\]{}]{0,60}")
_NUMBERS: Final = re.compile(r"(?:[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?[,\s\[\]()]+){8,}[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?")
_UNBROKEN: Final = re.compile(r"[A-Za-z0-9+/=_\-]{80,}")
_QUOTED: Final = re.compile(
    r"(?<!\w)(?:[bru]|br)?(?P<mark>[\"'])(?P<inside>(?:[^\"'\\\n]|\\.|(?!(?P=mark))[\"'])*)(?P=mark)"
)
_NAME: Final = re.compile(r"[A-Za-z_][\w.\-:+=<>]*|-?\d+(?:\.\d+)?|[^\w\s]{1,3}|")
_FILE: Final = re.compile(r"[\w .\-()=+]{1,100}\.[A-Za-z][A-Za-z0-9]{0,7}")
_URL: Final = re.compile(r"\b([A-Za-z][A-Za-z0-9+.\-]*)://([^\s'\"<>)\]}]*)")
_NETWORK: Final = frozenset({"http", "https", "grpc", "grpcs", "ws", "wss", "tcp", "udp", "unix", "env"})
_COMPONENT: Final = r"[^\s/'\"`<>|:;,()\[\]{}]"
_ABSOLUTE: Final = re.compile(
    rf"(?<![\w.\-/:{CUT}])~?/(?:{_COMPONENT}(?:[^/\n'\"`<>|:;,()\[\]{{}}]*{_COMPONENT})?/)+({_COMPONENT}*)"
)
_RELATIVE: Final = re.compile(
    r"(?<![\w/.:@\-])(?:(?:\.{1,2}/)+(?:[\w.\-]+/)*|(?:[\w.\-]+/){2,}|(?:[\w.\-]+/)+(?=[\w.\-]+\.[A-Za-z]))([\w.\-]+)"
)
_QUOTED_PATH: Final = re.compile(r"\"[^\"\n]*/([^\"/\n]*)\"")
_FRAME: Final = re.compile(
    r"(?m)^(?P<frame>(?P<indent>[ \t]*)File \"[^\"\n]*\", line \d+, in .*)(?:\n(?P=indent)[ \t]+.*)+"
)


def without_contents(text: str) -> str:
    """Return a message without the contents of data and without paths."""
    text = _FRAME.sub(lambda found: found["frame"], text)
    text = _URL.sub(_url, text)
    text = _without_groups(text)
    text = _QUOTED.sub(_quoted, text)
    text = _NUMBERS.sub(CUT, text)
    return _UNBROKEN.sub(CUT, _paths(text))


def file_names(text: str) -> str:
    """Return a text with the names of files in the place of their paths."""
    return _paths(_QUOTED_PATH.sub(lambda found: f'"{_file(found[1])}"', _URL.sub(_url, text)))


def _paths(text: str) -> str:
    return _RELATIVE.sub(_last, _ABSOLUTE.sub(_last, text))


def _last(found: re.Match[str]) -> str:
    return _file(found[1])


def _file(name: str) -> str:
    """Return the last part of a path where it is a file's: the names of folders are as private as the rest."""
    return name if _FILE.fullmatch(name.rstrip(".")) else CUT


def _url(found: re.Match[str]) -> str:
    scheme, rest = found[1].lower(), found[2]
    authority, slash, path = rest.partition("/")
    if scheme in _NETWORK:
        return f"{scheme}://{authority.partition('?')[0].rpartition('@')[2]}{'/' + CUT if path else slash}"
    # A place in a store: its bucket and folders are a path like any other.
    return _file(path.partition("?")[0].rpartition("/")[2])


def _quoted(found: re.Match[str]) -> str:
    inside, mark = found["inside"], found["mark"]
    before = found[0][: found[0].index(mark)]
    if "://" in inside:
        return found[0]
    if "/" in inside and "\n" not in inside:
        kept = _file(inside.rpartition("/")[2])
    else:
        kept = inside if _named(inside) or _FILE.fullmatch(inside) else CUT
    return f"{before}{mark}{kept}{mark}"


def _named(text: str) -> bool:
    return len(text) <= SHORT_WORD and text.isascii() and _NAME.fullmatch(text) is not None


def _without_groups(text: str) -> str:
    """Cut what is printed in brackets, unless it is a shape or a word; and what is printed like a call and is long."""
    closing = _closing(text)
    # What is never closed is an interval, or data that somebody cut before us; the first one decides for all.
    unclosed: bool | None = None
    kept: list[str] = []
    at = 0
    while at < len(text):
        character = text[at]
        end = closing.get(at, len(text))
        data = False
        if character in _CLOSING:
            if end < len(text) or character == "(":
                data = _is_data(text, at, end)
            else:
                unclosed = _is_listed(text[at + 1 :]) if unclosed is None else unclosed
                data = unclosed
        if data:
            kept.append(character + CUT + text[end : end + 1])
            at = end + 1
        else:
            kept.append(character)
            at += 1
    return "".join(kept)


def _is_data(text: str, begin: int, end: int) -> bool:
    inside = text[begin + 1 : end]
    if text[begin] == "(":
        before = text[max(0, begin - 40) : begin]
        if _HOLDERS.search(before):
            return True
        called = before[-1:].isalnum() or before[-1:] == "_"
        return called and (len(inside) > SHORT_CALL or ("=" in inside and ("'" in inside or '"' in inside)))
    return not (_SHAPE.fullmatch(inside) or _WORDS.fullmatch(inside) or not inside.strip())


def _is_listed(text: str) -> bool:
    return text.count(",") > 8 or _NUMBERS.search(text) is not None


def _closing(text: str) -> dict[int, int]:
    """Return where each bracket closes, by where it opens."""
    found: dict[int, int] = {}
    opened: list[tuple[int, str]] = []
    for at, character in enumerate(text):
        if character in _CLOSING:
            opened.append((at, _CLOSING[character]))
        elif opened and character == opened[-1][1]:
            found[opened.pop()[0]] = at
    return found
