"""What the documentation says is tried: links lead somewhere, files load, code runs, commands exist, tests are there.

The blocks of a page that carry a file name are written into one folder. A YAML block that is a campaign or a lab must then
check as good. A Python block marked `run` is run there; every other one must compile. `test_blocks.py` holds what is asked of
every block.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from controller.cli.app import app
from controller.files.checking import check_file
from controller.files.loading import load_campaign
from controller.files.templates import write_templates
from docs import generate
from tests.controller.drill.crash import matrix, test_crash_matrix
from tests.docs.pages import LINK, PAGES, ROOT, SHELL, anchors, blocks, name_of, prose, write_files

TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def commands(page: Path) -> list[str]:
    """Return every `labwright` command of a page's shell blocks, comments left out, continued lines joined."""
    text = "\n".join(b.text for b in blocks(page) if b.language in SHELL).replace("\\\n", " ")
    lines = (line.strip().removeprefix("$ ") for line in text.splitlines())
    return [line for line in lines if line.startswith("labwright ")]


def parse(line: str) -> None:
    """Read a command line as `labwright` would, without carrying it out."""
    name, *rest = shlex.split(line, comments=True)
    if rest[:1] == ["--install-completion"]:
        raise ValueError("to read it would carry it out, in the home of whoever runs the tests; write it into the text")
    command, context = get_command(app), None
    while hasattr(command, "get_command"):
        context = command.make_context(name, list(rest), parent=context)
        name, *rest = rest
        command = command.get_command(context, name)
        if command is None:
            raise ValueError(f"there is no command {name!r}")
    command.make_context(name, rest, parent=context)


def having(kind: str) -> list[Path]:
    """Return the pages that hold something of a kind, so that no test passes for want of anything to look at."""
    hold = {
        "links": lambda page: LINK.search(prose(page)),
        "files": lambda page: any(b.mark.endswith(".yaml") for b in blocks(page)),
        "python": lambda page: any(b.language == "python" for b in blocks(page)),
        "run": lambda page: any((b.language, b.mark) == ("python", "run") for b in blocks(page)),
        "commands": commands,
    }[kind]
    return [page for page in PAGES if hold(page)]


@pytest.mark.parametrize("page", having("links"), ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in LINK.findall(prose(page)):
        place, _, anchor = target.partition("#")
        if "://" in place:
            continue
        file = (page.parent / place).resolve() if place else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", having("files"), ids=name_of)
def test_campaigns_and_labs_are_good(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = write_files(page, tmp_path)
    monkeypatch.chdir(tmp_path)
    files = [path for path in written if path.suffix == ".yaml"]
    assert files
    assert {path.name: check_file(path) for path in files} == {path.name: [] for path in files}


@pytest.mark.parametrize("page", having("python"), ids=name_of)
def test_python_compiles(page: Path) -> None:
    for block in blocks(page):
        if block.language == "python":
            compile(block.text, name_of(page), "exec")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("page", having("run"), ids=name_of)
def test_python_marked_run_runs(page: Path, tmp_path: Path) -> None:
    write_files(page, tmp_path)
    for number, block in enumerate(b for b in blocks(page) if (b.language, b.mark) == ("python", "run")):
        script = tmp_path / f"block_{number}.py"
        script.write_text(block.text, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, script.name], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", having("commands"), ids=name_of)
def test_commands_are_understood(page: Path) -> None:
    for line in commands(page):
        try:
            parse(line)
        except Exception as error:  # whatever typer raises at a wrong line
            pytest.fail(f"{line}: {type(error).__name__}: {getattr(error, 'message', error)}")


@pytest.mark.parametrize(
    "wrong", ["campaign shew x", "run", "campaign show x --stor y", "experiment resolve x 3 --as done"]
)
def test_wrong_command_is_noticed(wrong: str) -> None:
    with pytest.raises(Exception, match=r"no command|[Mm]issing|No such option|is not one of"):
        parse(f"labwright {wrong}")


def test_completion_is_not_installed_by_reading_about_it() -> None:
    with pytest.raises(ValueError, match="would carry it out"):
        parse("labwright --install-completion")


@pytest.mark.parametrize("name", sorted(generate.PAGES))
def test_reference_is_up_to_date(name: str) -> None:
    committed = (generate.FOLDER / name).read_text(encoding="utf-8")
    assert committed == generate.pages()[name], "run: python docs/generate.py"


def test_tutorial_shows_the_files_that_init_writes(tmp_path: Path) -> None:
    page = ROOT / "docs" / "tutorials" / "first-campaign.md"
    (tmp_path / "shown").mkdir()
    write_files(page, tmp_path / "shown")
    write_templates(tmp_path / "written")
    shown, written = (load_campaign(tmp_path / name / "campaign.yaml") for name in ("shown", "written"))
    assert shown == written


def test_every_guarantee_names_a_test_that_exists() -> None:
    text = (ROOT / "docs" / "reference" / "guarantees.md").read_text(encoding="utf-8")
    named = TEST.findall(text)
    assert len(named) > 30
    missing = [
        f"{file}::{test}"
        for file, test in named
        if not (ROOT / file).is_file() or f"def {test}(" not in (ROOT / file).read_text(encoding="utf-8")
    ]
    assert missing == []


def test_crash_matrix_is_shown_as_it_is_tested() -> None:
    """The table of the page, the promises and the tests are one: no cell without a test, no test without a cell."""
    text = (ROOT / "docs" / "reference" / "guarantees.md").read_text(encoding="utf-8")
    shown = text.split(f"{matrix.BEGIN}\n\n")[1].split(f"\n\n{matrix.END}")[0]
    assert shown == matrix.table(), "run: python -m tests.controller.drill.crash.matrix, and put what it prints there"
    (parameters,) = [mark for mark in test_crash_matrix.test_cell_keeps_its_promise.pytestmark if mark.name == "parametrize"]  # type: ignore[attr-defined]
    tested = {given.id for given in parameters.args[1]}
    rows = [line.strip("| ").split(" | ") for line in shown.splitlines() if line.startswith(("| point | controller", "| **"))]
    cells = {f"{row[0].strip('*')} x {fault}": word for row in rows[1:] for fault, word in zip(rows[0][1:], row[1:], strict=True)}
    assert {cell for cell, word in cells.items() if not word.startswith("–")} == tested
    assert {word for word in cells.values() if not word.startswith("–")} == set(matrix.PROMISES)
    assert len(cells) == len(matrix.POINTS) * len(matrix.FAULTS)


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md" or not page.is_file():
            continue
        seen.add(page)
        waiting += [(page.parent / t.partition("#")[0]).resolve() for t in LINK.findall(prose(page)) if "://" not in t]
    assert [name_of(page) for page in PAGES if page not in seen and "docs" in page.parts] == []
