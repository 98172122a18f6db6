"""What README and docs say is what the code has."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from ocr_otel import semconv
from ocr_otel.settings import PREFIX, markdown_table, variables

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
ids = [page.name for page in PAGES]


def test_the_readmes_table_of_settings_is_the_generated_one() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = text.partition("<!-- settings:begin -->\n")[2].partition("\n<!-- settings:end -->")[0]
    assert found == markdown_table()


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_every_setting_that_is_mentioned_exists(page: Path) -> None:
    mentioned = set(re.findall(rf"{PREFIX}[A-Z_]*[A-Z]", page.read_text(encoding="utf-8")))
    assert mentioned <= set(variables())


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    named = set(re.findall(r"^(?:\| `)?make ([a-z-]+)", page.read_text(encoding="utf-8"), re.M))
    assert named <= targets


def test_the_reference_has_every_name() -> None:
    spec = importlib.util.spec_from_file_location("generate_reference", ROOT / "docs" / "generate_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = module.on_page_markdown((ROOT / "docs" / "reference.md").read_text(encoding="utf-8"))
    for names in (semconv.SPANS, semconv.all_metrics(), semconv.ATTRIBUTES, semconv.EVENTS, semconv.TRACKED):
        for name in names:
            assert f"| `{name}` |" in page


def test_the_page_of_verdicts_has_the_thresholds_of_the_code() -> None:
    from ocr_otel.diagnosis.thresholds import THRESHOLDS

    page = (ROOT / "docs" / "verdicts.md").read_text(encoding="utf-8")
    assert set(THRESHOLDS) == set(semconv.Bottleneck) - {semconv.Bottleneck.NONE}
    for kind, threshold in THRESHOLDS.items():
        assert re.search(rf"\| `{kind}` \|.*\| {threshold * 100:.0f} %", page), kind


def test_the_pinned_versions_name_no_host() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*-", text, re.M)


def test_the_page_of_capacity_is_made_of_its_numbers() -> None:
    from tests.scale.document import PAGE, page
    from tests.scale.measured import read

    assert PAGE.read_text(encoding="utf-8") == page(read())
