"""What the gateway asks of an agent: a certificate of its own authority and a bearer token, made on this machine."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
from pathlib import Path

from ocr_otel.stack.errors import StackError


def ensure_token(path: Path) -> str:
    """Return the token in `path`, made if it is not there; only its owner may read it."""
    if not path.is_file() or not path.read_text(encoding="ascii").strip():
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32))
    return path.read_text(encoding="ascii").strip()


def ensure_certificates(directory: Path, configuration: Path) -> None:
    """Make `ca.pem`, `server.pem` and `server-key.pem` for this host, unless they are there and stay valid for weeks.

    Args:
        directory: Gets the files.
        configuration: `collector-config/`, whose script makes them as it does for `docker-compose.yml`.

    Raises:
        StackError: There is no `openssl`, or it failed.
    """
    if shutil.which("openssl") is None:
        raise StackError(
            "the gateway's certificate is made with openssl, which is not installed: install it, or leave --team out"
        )
    command = ["sh", str(configuration / "make-certificates.sh"), str(directory), socket.gethostname()]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StackError(f"the gateway's certificate cannot be made: {(done.stderr or done.stdout).strip()[-500:]}")
