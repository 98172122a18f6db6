"""Real servers for every test of this folder; `make test-stack` builds them before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.stack import RunningStack, running_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Agent, gateway, Jaeger, Prometheus and Alertmanager for the whole session; nobody stops a server of it."""
    with running_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """The same for one test alone, which may break it."""
    with running_stack(tmp_path_factory.mktemp("own-stack")) as running:
        yield running
