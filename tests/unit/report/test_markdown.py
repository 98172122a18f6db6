"""The report as Markdown: what it says, and that text from a run is never markup."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from ocr_otel.report import gfm, markdown
from ocr_otel.runs import load
from tests.support import run_directory as make
from tests.support import synthetic_run
from tests.support.synthetic_run import Shape

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
"""As GitHub reads Markdown, but for what it makes links of afterwards."""
HOSTILE = [
    "<script>alert(1)</script>",
    "**bold** _thin_ ~~gone~~ `code` $x$",
    "[link](http://example.com) ![image](x.png)",
    "a | b | c",
    "line\nbreak\r\n\n# heading",
    "&lt;b&gt; &copy;",
    "\\| \\\\| \\`",
    "~~~\n```",
    "a" * 5000,
]
ON_GITHUB = ["@someone", "me@example.com", "#12", "owner/repo#12", "GH-12", "https://example.com", "www.example.com"]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_text_is_shown_as_it_is(hostile: str) -> None:
    shown = READER.render(gfm.table(("a", "b"), [(gfm.text(hostile), "end")], (False, True)))
    cells = re.findall(r"<td[^>]*>(.*?)</td>", shown)
    assert len(cells) == 2
    assert cells[1] == "end"
    assert "<" not in cells[0]
    wanted = " ".join(hostile.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert cells[0].replace(gfm._JOINER, "")[:200] == wanted[:200]


@pytest.mark.parametrize("hostile", [*HOSTILE, "`", "``x`", "x`"])
def test_names_are_code_also_in_tables(hostile: str) -> None:
    shown = READER.render(gfm.table(("a", "b"), [(gfm.code(hostile), "end")], (False, True)))
    cells = re.findall(r"<td[^>]*>(.*?)</td>", shown)
    assert len(cells) == 2
    assert re.fullmatch(r"<code>[^<]*</code>", cells[0])


@pytest.mark.parametrize("linked", ON_GITHUB)
def test_nobody_is_called_and_nothing_is_linked(linked: str) -> None:
    assert gfm._JOINER in gfm.text(linked)
    assert gfm.text(linked).replace(gfm._JOINER, "").replace("\\", "") == linked


def test_a_run_is_told_with_verdict_evidence_budget_epochs_and_windows(tmp_path: Path) -> None:
    shape = Shape(epochs=2, batches=60, windows=1, machine="gpu")
    found = markdown.render(load(synthetic_run.make(tmp_path / "run", shape)))
    assert found.startswith("### fit completed: `run`\n\n")
    assert "**The data of this training takes 29% of the time.** Raise num\\_workers from 2 to 6." in found
    assert "at most 1.41 times as fast: an upper bound. Confidence: high." in found
    assert "| two workers deliver a batch | every 41 ms | worker spans (kept batches) |" in found
    assert "| **fetch** ← the cause | " in found
    assert "2. **The logging of this training" in found
    assert "`profiles/0-001-periodic.pt.trace.json.gz`" in found
    shown = READER.render(found)
    assert shown.count("<table>") == len(re.findall(r"^\| ---", found, re.MULTILINE)) > 4
    assert shown.count("<details>") == shown.count("</details>")


def test_it_fits_into_a_comment(tmp_path: Path) -> None:
    shape = Shape(epochs=60, batches=20, windows=3, machine="gpu", hostile="x" * 10_000, logged="y" * 10_000)
    assert len(markdown.render(load(synthetic_run.make(tmp_path / "run", shape)))) < 65_536


def test_a_run_of_nothing_but_its_start_is_told(tmp_path: Path) -> None:
    found = markdown.render(load(make.write(tmp_path / "made", make.line([make.start_span()]))))
    assert "Too few training batches for a verdict." in found
    assert "|" not in found


def test_a_failed_run_says_why(tmp_path: Path) -> None:
    shape = Shape(epochs=1, batches=20, outcome="failed", exception="bad <b>batch</b>")
    assert "**Failed: RuntimeError: bad &lt;b&gt;batch&lt;/b&gt;**" in markdown.render(
        load(synthetic_run.make(tmp_path / "run", shape))
    )
