"""Where the servers' configuration lies, and what belongs where in the stack's own directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ocr_otel.stack.errors import StackError


def configuration_directory() -> Path:
    """Return `collector-config/`: the package's own copy where it was installed, else the checkout's.

    Raises:
        StackError: It is in neither place.
    """
    package = Path(__file__).resolve().parent
    places = (package / "collector-config", package.parents[1] / "collector-config")
    for place in places:
        if (place / "build").is_dir():
            return place
    raise StackError(f"the servers' configuration is missing: neither {places[0]} nor {places[1]} is there")


@dataclass(frozen=True, slots=True)
class Layout:
    """The stack's own directory, by default `.stack/`; everything that a server writes is in it.

    Attributes:
        root: Absolute path.
    """

    root: Path

    @property
    def tls(self) -> Path:
        """Certificates of the gateway."""
        return self.root / "tls"

    @property
    def token(self) -> Path:
        """The bearer token of the gateway, readable by its owner only."""
        return self.root / "token"

    @property
    def prometheus(self) -> Path:
        """Prometheus's configuration: links to the files that are shipped, and `targets/` made for these ports."""
        return self.root / "prometheus"

    @property
    def alertmanager(self) -> Path:
        """Alertmanager's configuration: a link to the file that is shipped, and `webhook-url`."""
        return self.root / "alertmanager"

    @property
    def description(self) -> Path:
        """What was started, for those that come after: addresses and form."""
        return self.root / "stack.json"

    @property
    def lock(self) -> Path:
        """Held while the stack is started or stopped."""
        return self.root / "lock"

    @property
    def logs(self) -> Path:
        """What the servers say."""
        return self.root / "logs"

    def data(self, server: str) -> Path:
        """Where a server keeps its data."""
        return self.root / "data" / server

    def work(self, server: str) -> Path:
        """Where a server works, and no other does."""
        # Alertmanager looks for `webhook-url` where it works.
        return self.alertmanager if server == "alertmanager" else self.data(server)

    def log(self, server: str) -> Path:
        """What a server says since its last start; the start before is beside it, with `.1`."""
        return self.logs / f"{server}.log"

    def process(self, server: str) -> Path:
        """Which process a server is."""
        return self.root / "processes" / f"{server}.json"
