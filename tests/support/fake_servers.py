"""Stand-ins for the stack's servers: they listen on the ports of the real ones and say that they are ready."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from ocr_otel.stack import BINARIES, cached, configuration_directory

_SERVER = """#!{python} -S
import os, re, signal, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
{before}
class Ready(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *arguments):
        pass
text = " ".join(sys.argv[1:])
numbers = [int(each) for each in re.findall("listen-address=127.0.0.1:([0-9]+)", text)]
part = next((each for each in ("GATEWAY", "JAEGER") if each.lower() + ".yaml" in text), "AGENT")
if not numbers:
    numbers = [int(value) for name, value in os.environ.items() if re.fullmatch(f"STACK_{{part}}_.*PORT", name)]
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
{after}
servers = [ThreadingHTTPServer(("127.0.0.1", number), Ready) for number in numbers]
for each in servers:
    threading.Thread(target=each.serve_forever).start()
"""


def install(misbehaving: Mapping[str, tuple[str, str]] | None = None) -> None:
    """Put stand-ins where the cache would have the real programs; set `XDG_CACHE_HOME` to a folder of your own before.

    Args:
        misbehaving: For a program's name, Python to run first, and Python to run before it listens.
    """
    for name, binary in BINARIES.items():
        before, after = (misbehaving or {}).get(name, ("", ""))
        path = cached(binary, configuration_directory())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_SERVER.format(python=sys.executable, before=before, after=after))
        path.chmod(0o755)


def folder_of(name: str) -> Path:
    """Where the stand-in of a program lies."""
    return cached(BINARIES[name], configuration_directory()).parent
