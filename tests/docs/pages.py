"""The pages of the documentation, and the code blocks in them.

What stands after the language of a block says what becomes of it: a file name (`yaml campaign.yaml`) that it is written under
that name, `run` that `make test` runs it. A comment in the line before says what is out of the ordinary, invisibly to the
reader: `<!-- not run: REASON -->`, `<!-- exit code: 2 -->` of the block's last command, `<!-- before: COMMAND -->`, which runs
before it, or `<!-- goes on: WHY -->` of a command that serves until it is ended, `<!-- typed in: 60.5 70 -->`, which answers
what Python asks.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([
    *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "examples" / "README.md", *ROOT.glob("examples/*/README.md"),
])  # fmt: skip

FENCE = re.compile(
    r"^(?P<notes>(?:<!-- [^\n]* -->\n)*)"
    r"```(?P<language>\w*)[ ]*(?P<mark>[^\n`]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
NOTE = re.compile(r"<!-- ([a-z ]+): (.*) -->")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")

SHELL = ("sh", "bash", "console")
SHOWN = ("", "text")
"""Languages of blocks that are no code: what is printed, pictures in characters."""


class Block(NamedTuple):
    """One fenced block, with the line of the page that it begins in."""

    language: str
    mark: str
    text: str
    line: int = 0
    notes: tuple[tuple[str, str], ...] = ()

    def note(self, kind: str) -> str | None:
        return dict(self.notes).get(kind)


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(m["language"], m["mark"].strip(), m["text"], text.count("\n", 0, m.end("notes")) + 1, tuple(NOTE.findall(m["notes"])))
        for m in FENCE.finditer(text)
    ]


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def write_files(page: Path, folder: Path) -> list[Path]:
    """Write the blocks of a page that carry a file name."""
    written = []
    for block in blocks(page):
        if "." in block.mark:
            path = folder / block.mark
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
            written.append(path)
    return written


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()
