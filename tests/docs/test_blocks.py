"""Every code block of the documentation is tried by something, or says why it cannot be.

`make test` checks every YAML block as a file of Labwright's (a part of one is completed), reads every JSON block, runs Python
blocks marked `run`, and understands every command. What is typed into a shell, and all other Python, is done from top to bottom
of each page by `make docs-test`, for it takes minutes.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.files.checking import check_file
from tests.docs import scenarios
from tests.docs.fragments import complete, earlier
from tests.docs.pages import PAGES, ROOT, SHELL, SHOWN, Block, blocks, name_of, write_files

NOT_RUN = 14
"""Blocks that nothing runs. A new one is marked `<!-- not run: REASON -->` and counted here: prefer a stage that lets it run."""

EVERY = [(page, block) for page in PAGES for block in blocks(page)]


def ids(pairs: list[tuple[Path, Block]]) -> list[str]:
    return [f"{name_of(page)}:{block.line}" for page, block in pairs]


FRAGMENTS = [(p, b) for p, b in EVERY if b.language == "yaml" and not b.mark and not b.note("not run")]
FILES = {"labwright.service": "deploy/labwright.service", "Containerfile": "deploy/Containerfile"}
"""Names of shown files -> those of the repository that they must equal."""


def way(page: Path, block: Block) -> str:
    """Return what tries a block; nothing if nothing does."""
    if block.note("not run"):
        return "not run"
    if block.mark in FILES:
        return "is a file of the repository"
    if block.language in SHOWN:
        return "shown"
    if block.language in SHELL:
        return "make docs-test"
    if block.language == "python":
        if block.mark == "run":
            return "make test"
        stem = Path(block.mark).stem
        users = [b.text for b in blocks(page) if b is not block and b != block] if block.mark else []
        return "" if block.mark and not any(stem in text for text in users) else "make docs-test"
    if block.language == "csv":
        return "make test" if any(block.mark in b.text for b in blocks(page) if b != block) and block.mark else ""
    return "make test" if block.language in ("yaml", "json") else ""


def test_every_block_is_tried() -> None:
    untried = [f"{name_of(page)}:{block.line}: {block.language} {block.mark}" for page, block in EVERY if not way(page, block)]
    assert untried == [], "nothing tries them: see tests/docs/pages.py for what may stand after the language"


def test_blocks_that_are_not_run_say_why_and_are_few() -> None:
    marked = {f"{name_of(page)}:{block.line}": block.note("not run") for page, block in EVERY if block.note("not run")}
    assert all(len(str(reason).split()) >= 3 for reason in marked.values()), marked
    assert len(marked) == NOT_RUN, f"more or fewer than were agreed to: {marked}"


@pytest.mark.parametrize(("page", "block"), FRAGMENTS, ids=ids(FRAGMENTS))
def test_parts_of_files_are_good(page: Path, block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_files(page, tmp_path)
    path = complete(page, block.text, tmp_path)
    assert path is not None, "it is no part of a campaign, lab or notify file: a key is wrong, or mark it `not run`"
    assert check_file(path, read_campaign=earlier) == [], path.read_text(encoding="utf-8")


def test_fault_in_a_part_is_noticed(tmp_path: Path) -> None:
    page = ROOT / "docs" / "how-to" / "design-spaces.md"
    (fault,) = check_file(complete(page, "constraints:\n  - a + b + f == 1\n", tmp_path) or tmp_path)
    assert "there is no parameter f" in fault or "f" in fault
    assert complete(page, "constrains:\n  - a + b == 1\n", tmp_path) is None


def test_json_is_json() -> None:
    read = [json.loads(block.text) for _, block in EVERY if block.language == "json"]
    assert read


@pytest.mark.parametrize("name", FILES)
def test_shown_files_are_those_of_the_repository(name: str) -> None:
    shown = [block.text for _, block in EVERY if block.mark == name]
    assert shown == [(ROOT / FILES[name]).read_text(encoding="utf-8")]


def test_scenario_says_where_it_ended(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A page\n\n```csv table.csv\na,b\n1,2\n```\n\n```sh\ncd sub || mkdir sub\ngrep 1,2 table.csv\n```\n\n"
        "<!-- exit code: 3 -->\n```sh\n(exit 3)\n```\n\n```python\nprint(open('table.csv').read())\n```\n\n"
        "<!-- not run: it would fail -->\n```sh\nfalse\n```\n", encoding="utf-8",
    )  # fmt: skip
    (tmp_path / "good").mkdir()
    assert scenarios.run(page, tmp_path / "good", timeout=60) == ""

    worse = "\nA command fails beside one that goes on:\n\n```sh\nsleep 300 &\ngrep 7,7 table.csv\n```\n"
    page.write_text(page.read_text(encoding="utf-8") + worse, encoding="utf-8")
    (tmp_path / "bad").mkdir()
    began = datetime.now(UTC)
    assert scenarios.run(page, tmp_path / "bad", timeout=60).startswith("ended at line 29, exit code 1")
    assert (datetime.now(UTC) - began).total_seconds() < 60


def test_every_page_with_commands_has_a_scenario() -> None:
    shells = {page for page, block in EVERY if block.language in SHELL and not block.note("not run")}
    assert {page for page in shells if page.stem not in scenarios.FOLLOWED} <= set(scenarios.having_scenarios())
    assert all((Path(__file__).parent / test).is_file() for test in scenarios.FOLLOWED.values())
    stems = [page.stem for page in PAGES]
    assert [stage.name for stage in scenarios.STAGES.glob("*.sh") if stage.stem not in (*stems, "common")] == []
