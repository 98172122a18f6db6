"""The live page in a real browser: of a demo that really trains, of runs that are over, and of hostile ones."""

from __future__ import annotations

import bisect
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from ocr_otel import semconv
from ocr_otel.runs import load
from tests.integration.test_report_browser import browser
from tests.integration.test_report_hostile import IN_A_NAME, MARKUP, NOTHING, PLANTED
from tests.support import synthetic_run
from tests.support.run_directory import complete
from tests.support.scripts import clean_environment
from tests.support.synthetic_run import Shape
from tests.support.watching import Watching

__all__ = ["browser"]

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

PHONE = {"viewport": {"width": 390, "height": 800}}
PATIENCE = 60_000
"""Milliseconds for what a busy machine does late."""
SHOWN = "() => [document.querySelector('#now-facts b')?.textContent.replaceAll(',', ''), Date.now() / 1000]"


class Pages:
    """Opens pages of a server, and remembers what they must not do."""

    def __init__(self, browser: Any) -> None:
        self._browser = browser
        self._contexts: list[Any] = []
        self.problems: list[str] = []
        self.expected: tuple[str, ...] = ()

    def __call__(self, address: str, **options: Any) -> Any:
        context = self._browser.new_context(**{"viewport": {"width": 1200, "height": 900}} | options)
        self._contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        host = urlsplit(address).netloc
        page.on("console", lambda message: self.problems.append(message.text))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("dialog", lambda dialog: self.problems.append(f"dialog {dialog.message}"))
        page.on("request", lambda made: None if urlsplit(made.url).netloc == host else self.problems.append(made.url))
        page.goto(address)
        return page

    def close(self) -> None:
        """Close what was opened."""
        for context in self._contexts:
            context.close()


def until(page: Any, condition: str) -> None:
    """Wait until something is true in the page, whose policy forbids to evaluate a text there by a timer of its own."""
    deadline = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(200)


@pytest.fixture
def pages(browser: Any) -> Iterator[Pages]:
    opening = Pages(browser)
    yield opening
    opening.close()
    assert [each for each in opening.problems if not any(part in each for part in opening.expected)] == []


# --- runs that are over ---


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of runs: a usual one, one with markup in every name, several ranks, and one that cannot be read."""
    folder = tmp_path_factory.mktemp("watched")
    runs = folder / "runs"
    synthetic_run.make(runs / "usual", Shape(epochs=3, machine="gpu"))
    complete(runs / IN_A_NAME, logged=PLANTED)
    for rank in range(2):
        synthetic_run.make(runs / "ranks", Shape(epochs=1, rank=rank, world_size=2))
    (complete(runs / "newer") / "run.json").write_text('{"format": 99}')
    return folder


@pytest.fixture(scope="module")
def server(recorded: Path) -> Iterator[Watching]:
    with Watching("--port", "0", folder=recorded) as watching:
        yield watching


def test_list_shows_all_runs_and_leads_to_each_by_the_keyboard(pages: Pages, server: Watching) -> None:
    page = pages(server.address)
    page.wait_for_selector("#runs tbody tr:nth-child(4)")
    assert "token" not in page.url
    texts = page.locator("#runs tbody tr").all_inner_texts()
    assert len(texts) == 4
    assert any("completed" in text and "100 %" in text and "900" in text for text in texts)
    assert any("upgrade" in text for text in texts)
    page.get_by_role("link", name="usual").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#now-facts li")
    assert page.url.endswith("/runs/usual")
    page.get_by_role("link", name="All runs").click()
    page.wait_for_selector("#runs tbody tr")


def test_page_of_a_run_that_is_over_has_its_report_and_waterfalls(
    pages: Pages, server: Watching, recorded: Path
) -> None:
    page = pages(server.address)
    page.get_by_role("link", name="usual").click()
    page.wait_for_selector("#now-facts li")
    run = load(recorded / "runs" / "usual")
    assert page.inner_text("#now-state") == "completed"
    assert page.inner_text("#now-facts b") == "900"
    assert page.is_disabled("#profile")
    assert page.inner_text("#profile-text") == "The run is over."
    for plot in ("timeline", "batches", "budget", "throughput"):
        assert page.locator(f"#{plot} svg path, #{plot} svg rect").count() > 1, plot
    assert page.locator(".point").count() == len([b for b in run.batches if b.span.text(semconv.KEPT)])
    page.locator(".point[aria-label*=slow]").first.focus()
    page.keyboard.press("Enter")
    assert "slow" in page.inner_text("#waterfall-title")
    assert page.locator("#waterfall-rows tr").count() >= 6
    page.keyboard.press("Escape")
    assert page.is_hidden("#waterfall")


def test_ranks_are_shown(pages: Pages, server: Watching) -> None:
    page = pages(server.address)
    page.get_by_role("link", name="ranks").click()
    page.wait_for_selector("#now-facts li")
    assert page.is_visible("#h-ranks")


def test_names_with_markup_are_text(pages: Pages, server: Watching) -> None:
    page = pages(server.address)
    page.wait_for_selector("#runs tbody tr:nth-child(4)")
    assert page.evaluate(MARKUP) == NOTHING
    page.locator("#runs a", has_text="planted").click()
    page.wait_for_selector("#now-facts li")
    page.wait_for_timeout(1500)
    assert page.evaluate(MARKUP) == NOTHING
    assert IN_A_NAME in page.inner_text("h1")


@pytest.mark.parametrize("options", [PHONE, {"color_scheme": "dark"}], ids=["phone", "dark"])
def test_narrow_and_dark(pages: Pages, server: Watching, options: dict[str, Any]) -> None:
    page = pages(server.address, **options)
    page.wait_for_selector("#runs tbody tr")
    page.get_by_role("link", name="usual").click()
    page.wait_for_selector("#now-facts li")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(18, 21, 26)") == ("color_scheme" in options)


def test_connection_that_is_lost_is_said_and_comes_back(pages: Pages, recorded: Path) -> None:
    with Watching("usual", "--port", "0", folder=recorded) as watching:
        port = urlsplit(watching.address).port
        page = pages(watching.address)
        page.wait_for_selector("#now-facts li")
        assert page.get_by_role("link", name="All runs").count() == 0, "one run was asked for"
    pages.expected = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET")
    until(page, "document.getElementById('lost').textContent.startsWith('Connection lost')")
    with Watching("usual", "--port", str(port), folder=recorded):
        until(page, "document.getElementById('lost').textContent === ''")
        page.reload()
        page.wait_for_selector("#now-facts li")


def test_without_the_token_and_outside_of_the_runs_there_is_nothing(server: Watching, recorded: Path) -> None:
    complete(recorded / "outside")
    base = server.address.partition("/?")[0]
    with httpx.Client(base_url=base, timeout=30) as client:
        assert client.get("/").status_code == 401
        assert client.get("/runs/usual/events").status_code == 401
        client.get(server.address)
        for name in ("..%2Foutside", "%2Fetc", "%2E%2E", "outside", "usual%2F..%2F..%2Foutside"):
            assert client.get(f"/runs/{name}").status_code == 404, name
        assert client.post("/runs/usual/profile").status_code == 403
        assert client.get("/runs/usual/profile").status_code == 405


def test_port_in_use_is_said_in_one_sentence(server: Watching, recorded: Path) -> None:
    port = str(urlsplit(server.address).port)
    command = [Path(sys.executable).with_name("ocr-otel"), "watch", "--port", port]
    again = subprocess.run(command, cwd=recorded, capture_output=True, text=True, timeout=90, check=False)
    assert again.returncode == 1
    assert f"127.0.0.1:{port} cannot be listened on: Address already in use" in again.stderr
    assert "--port 0" in again.stderr


# --- a demo that trains ---


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which the demo trains; `truth` says when each batch ended."""
    folder = tmp_path_factory.mktemp("training")
    environment = clean_environment(OCR_OTEL_ENABLED="true", OCR_OTEL_RUN_ID="demo", OMP_NUM_THREADS="1")
    arguments = ["--samples=400", "--epochs=200", "--batch-size=4", "--workers=1"]
    command = [sys.executable, "-m", "tests.support.watched_demo", "truth", *arguments]
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 150
        truth = folder / "truth"
        while not (truth.is_file() and len(ended(truth)) > 10 and (folder / "runs" / "demo" / "control.json").exists()):
            assert process.poll() is None
            assert time.monotonic() < deadline, "the demo does not train"
            time.sleep(0.2)
        yield folder
        process.terminate()


def ended(truth: Path) -> list[float]:
    """The Unix times at which batches ended, as far as they are written."""
    return [float(line) for line in truth.read_text(encoding="ascii").split("\n")[:-1]]


def test_page_follows_a_training(pages: Pages, training: Path) -> None:
    with Watching("demo", "--port", "0", folder=training) as watching:
        page = pages(watching.address)
        page.wait_for_selector("#now-facts li")
        seen = []
        for _ in range(8):
            page.wait_for_timeout(1000)
            seen.append(page.evaluate(SHOWN))
        truth = ended(training / "truth")
        for shown, at in seen:
            assert bisect.bisect(truth, at - 2) <= int(shown) <= bisect.bisect(truth, at) + 1, (shown, at)
        assert int(seen[-1][0]) > int(seen[0][0]), "it goes on"
        assert page.inner_text("#now-state") == "running"
        assert page.locator("#now-pace svg path").count() == 1

        # What is open stays open while the report is fetched anew.
        page.wait_for_selector("button[data-batch]", timeout=PATIENCE)
        page.locator("button[data-batch]").first.click()
        opened = page.inner_text("#waterfall-title")
        before = page.evaluate("shownVersion")
        until(page, f"shownVersion > {before}")
        assert page.inner_text("#waterfall-title") == opened
        assert page.evaluate("document.activeElement.id") == "waterfall-title"

        page.click("#profile")
        until(page, "document.getElementById('profile-text').textContent.startsWith('Done')")
        page.wait_for_selector("#h-windows")
        assert page.is_enabled("#profile")

        page.reload()
        page.wait_for_selector("#now-facts li")
        assert int(page.evaluate(SHOWN)[0]) >= int(seen[-1][0])
        page.close()
