"""The documentation becomes a site: no link is broken, every page is there, and nothing is fetched from another host."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

pytest.importorskip("mkdocs")
pytestmark = pytest.mark.timeout(330)

FETCHED = {
    "script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src", "embed": "src",
    "object": "data", "link": "href", "use": "href", "image": "href",
}  # fmt: skip
"""Elements for which a browser asks by itself -> the attribute that says where."""


class Fetched(HTMLParser):
    """Collects what a browser fetches of its own accord for a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in FETCHED and given.get("rel") != "canonical" and (place := given.get(FETCHED[tag])):
            self.places.append(place)
        if srcset := given.get("srcset"):
            self.places += [part.split()[0] for part in srcset.split(",")]


def elsewhere(place: str) -> bool:
    return bool(re.match(r"(?:[a-z]+:)?//", place.strip()))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)], cwd=ROOT, capture_output=True,
        text=True, timeout=300, check=False, env={**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_in_the_site_and_its_navigation(site: Path) -> None:
    home = (site / "index.html").read_text(encoding="utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        place = page.relative_to(ROOT / "docs").with_suffix(".html").as_posix().replace("README.html", "index.html")
        assert (site / place).is_file(), place
        assert place == "index.html" or f'href="{place}"' in home, f"{place} is not in the navigation"


def test_nothing_is_fetched_from_another_host(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    fetched = {place for page in pages for place in Fetched(page.read_text(encoding="utf-8")).places}
    assert len(pages) > 40
    assert [place for place in fetched if elsewhere(place)] == []
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert [place for place in re.findall(r"(?:url\(|@import )[\"']?([^\"')]+)", styles) if elsewhere(place)] == []
    # The theme's script knows one address besides: of the library for Mermaid diagrams, fetched where a page has one.
    assert not [page.name for page in pages if 'class="mermaid"' in page.read_text(encoding="utf-8")]


def test_what_would_be_fetched_is_noticed() -> None:
    links = '<a href="https://x.org"><link rel="stylesheet" href="https://f.org/css">'
    text = f'<script src="//cdn.org/a.js"></script>{links}<img src="a.png">'
    assert [place for place in Fetched(text).places if elsewhere(place)] == ["//cdn.org/a.js", "https://f.org/css"]


def test_blocks_have_lost_what_is_meant_for_tests(site: Path) -> None:
    text = (site / "how-to" / "write-a-driver.html").read_text(encoding="utf-8")
    assert "```" not in text
    assert '<span class="filename">titrator.py</span>' in text


def test_reference_of_commands_and_classes_is_taken_from_the_code(site: Path) -> None:
    options = (site / "reference" / "options.html").read_text(encoding="utf-8")
    assert all(f'id="labwright-{name}"' in options for name in ("run", "campaign-show", "daemon-start", "db-backup"))
    assert "--pause-after" not in options
    assert "--supervise" in options
    assert 'id="controller.campaign.Campaign.ask"' in (site / "reference" / "python.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("link", "becomes"),
    [
        ("[a](../reference/commands.md#begin)", "[a](../reference/commands.md#begin)"),
        ("[a](../../examples/README.md)", "[a](../examples.md)"),
        ("[a](../../pyproject.toml)", "a"),
        ("[a](../../nothing.toml)", "[a](../../nothing.toml)"),
        ("[a](https://example.org/x.md)", "[a](https://example.org/x.md)"),
    ],
)
def test_links_of_the_repository_become_links_of_the_site(link: str, becomes: str) -> None:
    from mkdocs.structure.files import Files

    from docs import hooks

    class Known(Files):
        src_uris = {"reference/commands.md": None, "examples.md": None}  # type: ignore[assignment]

    (found,) = hooks.LINK.finditer(link)
    assert hooks._link(found, "docs/how-to/repair.md", "how-to/repair.md", Known([])) == becomes


def test_search_finds_pages(site: Path) -> None:
    assert '"location":"how-to/repair.html' in (site / "search" / "search_index.json").read_text(encoding="utf-8")
