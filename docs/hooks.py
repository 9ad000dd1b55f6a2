"""What the site needs beyond the pages: hooks of MkDocs, named in mkdocs.yml.

The pages are written to be read in the repository. There a code block says after its language under which name the tests write it
(`yaml campaign.yaml`) or that they run it (`python run`); here the name becomes the title of the block. Links that leave `docs/` lead to
pages of the repository that the site takes in beside them, with their pictures. `reference/options.md` gets every command with every option. The navigation
is the folders, each in the order in which the index, docs/README.md, names its pages; what it does not name comes last.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = {
    "examples/README.md": "examples.md",
    **{page.relative_to(ROOT).as_posix(): f"examples/{page.parent.name}.md" for page in sorted(ROOT.glob("examples/*/README.md"))},
}
BESIDE = {**EXAMPLES, "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Pages of the repository outside docs/ -> their place in the site."""

FENCE = re.compile(r"^([ ]*```)(\w*)[ ]+([^\n`]+)$", re.MULTILINE)
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]+)((?:#[^)\s]*)?)\)")
ROW = re.compile(r"^\|.*$", re.MULTILINE)
CODE = re.compile(r"`[^`]+`")
OPTIONS = "<!-- every command -->"


SECTIONS = {"tutorials": "Tutorials", "how-to": "How to", "reference": "Reference", "explanations": "Explanations"}
"""Folder -> its heading, in the order of the navigation."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Make the navigation."""
    folder = Path(config.docs_dir)
    named = [link[3] for link in LINK.finditer((folder / "README.md").read_text(encoding="utf-8"))]

    def ordered(section: str) -> list[Any]:
        found = [page.relative_to(folder).as_posix() for page in sorted((folder / section).glob("*.md"))]
        return sorted(found, key=lambda page: named.index(page) if page in named else len(named))

    config.nav = [
        {"Home": "README.md"},
        *({heading: ordered(section)} for section, heading in SECTIONS.items()),
        {"Decisions": sorted(ordered("explanations/decisions"), key=lambda page: not page.endswith("README.md"))},
        {"Examples": list(EXAMPLES.values())},
        {"Project": [place for place in BESIDE.values() if place not in EXAMPLES.values()]},
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Take in the pages that lie outside docs/."""
    for source, place in BESIDE.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, place, content=text))
        for link in LINK.finditer(text):
            picture = posixpath.normpath(posixpath.join(posixpath.dirname(source), link[3]))
            if link[1] and (ROOT / picture).is_file() and picture not in files.src_uris:
                files.append(File.generated(config, picture, abs_src_path=str(ROOT / picture)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn what is meant for the repository and its tests into what MkDocs reads."""
    place = page.file.src_uri
    if place == "reference/options.md":
        markdown = markdown.replace(OPTIONS, every_command())
    origin = next((source for source, there in BESIDE.items() if there == place), f"docs/{place}")
    markdown = FENCE.sub(_title, markdown)
    # In a table GitHub needs the backslash before a bar, within code too; here it would be shown.
    markdown = ROW.sub(lambda row: CODE.sub(lambda code: code[0].replace("\\|", "|"), row[0]), markdown)
    return LINK.sub(lambda link: _link(link, origin, place, files), markdown)


def _title(fence: re.Match[str]) -> str:
    named = f' title="{fence[3]}"' if "." in fence[3] else ""
    return f"{fence[1]}{fence[2]}{named}"


def _link(link: re.Match[str], origin: str, place: str, files: Files) -> str:
    """Return a link of the file `origin` of the repository as one of the page `place` of the site.

    What is in the repository and not in the site, such as a campaign file, keeps its text and loses its link. What is nowhere stays as it
    is: MkDocs then refuses it.
    """
    shown, text, target, anchor = link.groups()
    if ":" in target:
        return link[0]
    meant = posixpath.normpath(posixpath.join(posixpath.dirname(origin), target))
    there = BESIDE.get(meant, meant.removeprefix("docs/"))
    if there in files.src_uris:
        return f"{shown}[{text}]({posixpath.relpath(there, posixpath.dirname(place) or '.')}{anchor})"
    return text if (ROOT / meant).exists() else link[0]


def every_command() -> str:
    """Return every command with its arguments and options, as the command line itself declares them."""
    from typer.main import get_command

    from controller.cli.app import app

    return "\n\n".join(_told(get_command(app), "labwright"))


def _told(command: Any, name: str, parent: click.Context | None = None) -> list[str]:
    context = click.Context(command, parent=parent, info_name=name.rpartition(" ")[2])
    if hasattr(command, "list_commands"):
        below = [(sub, command.get_command(context, sub)) for sub in command.list_commands(context)]
        below.sort(key=lambda item: hasattr(item[1], "list_commands"))  # what one does every day stands before the groups
        told = [f"## {name}", _prose(command.help)] if parent else []
        return [*told, *(part for sub, one in below if not one.hidden for part in _told(one, f"{name} {sub}", context))]
    rows = [f"| {_cell(given)} | {_cell(text)} |" for given, text in _given(command, context)]
    level = "##" if name.count(" ") == 1 else "###"
    usage = " ".join(command.collect_usage_pieces(context))
    return [
        f"{level} {name}", f"`{name} {usage}`", _prose(command.help),
        *(["\n".join(("| given | meaning |", "|---|---|", *rows))] if rows else []),
    ]


def _given(command: Any, context: click.Context) -> list[tuple[str, str]]:
    found = []
    for parameter in command.get_params(context):
        if getattr(parameter, "hidden", False) or (record := parameter.get_help_record(context)) is None or "--help" in record[0]:
            continue
        found.append((f"`{' '.join(record[0].split())}`", record[1]))
    return found


def _prose(text: str | None) -> str:
    return " ".join((text or "").replace("\b", "").split())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
