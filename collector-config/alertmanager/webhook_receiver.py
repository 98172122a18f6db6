"""A webhook receiver to try Alertmanager with: prints one line for each alert that it is sent.

Standard library only. `python webhook_receiver.py --listen 127.0.0.1 --port 9099`, and the file `webhook-url` beside
Alertmanager holds `http://127.0.0.1:9099/`.
"""

from __future__ import annotations

import argparse
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def describe(message: dict[str, Any]) -> list[str]:
    """Return a line for each alert of a message in Alertmanager's webhook format, version 4.

    Args:
        message: The decoded body. What is missing in an alert is left out of its line.
    """
    lines = []
    for alert in message.get("alerts", []):
        labels, annotations = alert.get("labels", {}), alert.get("annotations", {})
        state = alert.get("status", "?").upper()
        line = f"{state:8} {labels.get('severity', '-'):8} {labels.get('alertname', '?')}"
        parts = (annotations.get(key) for key in ("summary", "description", "runbook_url"))
        lines.append(" | ".join([line, *(part for part in parts if part)]))
    return lines


class Receiver(BaseHTTPRequestHandler):
    """Answers 200 to a message that was printed, 400 to what is none."""

    timeout = 10
    largest_body = 1 << 20

    def do_POST(self) -> None:
        """Take one message."""
        try:
            length = int(self.headers.get("Content-Length", "0"))
            if not 0 < length <= self.largest_body:
                raise ValueError(f"a body of {length} bytes; between 1 and {self.largest_body} are taken")
            message = json.loads(self.rfile.read(length))
            if not isinstance(message, dict):
                raise ValueError("the body is no JSON object")
            lines = describe(message)
        except (ValueError, AttributeError, TypeError) as error:
            self.send_error(400, explain=str(error))
            return
        for line in lines:
            print(line, flush=True)
        self.send_response(200)
        self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Print alerts only, not requests."""


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description="Print the alerts that Alertmanager sends.")
    parser.add_argument("--listen", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9099)
    options = parser.parse_args()
    server = ThreadingHTTPServer((options.listen, options.port), Receiver)
    print(f"waiting for alerts on http://{options.listen}:{server.server_port}/", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
