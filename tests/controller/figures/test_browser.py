"""Figures in a real browser: drawn, readable in light and dark and on a phone, and told to those who do not see them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.figures.saving import save
from controller.verbs.plotting import figure
from controller.verbs.stores import Found

BROWSER = shutil.which("chromium")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
KINDS = ("progress", "front", "parallel", "calibration", "timeline")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    if BROWSER is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def page_file(two: Found, tmp_path: Path) -> Path:
    return save([figure(two, kind) for kind in KINDS], tmp_path / "two.html")


@pytest.mark.timeout(90)
def test_every_figure_is_drawn_without_an_error_and_fits(browser: Any, page_file: Path) -> None:
    for width, scheme in ((1440, "light"), (390, "dark")):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        faults: list[str] = []
        page.on("pageerror", lambda error, faults=faults: faults.append(str(error)))
        page.on("console", lambda message, faults=faults: faults.append(message.text))
        page.on("request", lambda request, faults=faults: faults.append(request.url) if "file:" not in request.url else None)
        page.goto(page_file.as_uri())
        page.wait_for_selector("#figure-4 svg")
        assert faults == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        drawn = page.evaluate("[...document.querySelectorAll('.figure')].map(f => f.querySelectorAll('.figure-panel svg').length)")
        assert drawn == [3, 1, 1, 2, 1]
        # Marks, not only axes: experiments of `progress`, lines of `parallel`, stretches of `timeline`.
        assert page.evaluate("document.querySelectorAll('#figure-0 svg g[data-mark=dot] path, #figure-0 svg circle').length") >= 16
        assert page.evaluate("document.querySelectorAll('#figure-2 svg g[data-mark=line] path').length") == 9
        assert page.evaluate("document.querySelectorAll('#figure-4 svg g[data-mark=bar] rect').length") == 16
        ground = page.evaluate("getComputedStyle(document.querySelector('.figure')).backgroundColor")
        assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(21, 24, 28)")
        page.close()


@pytest.mark.timeout(90)
def test_data_can_be_reached_by_keyboard_and_tips_by_pointer(browser: Any, page_file: Path) -> None:
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    page.goto(page_file.as_uri())
    page.wait_for_selector("#figure-4 svg")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Data (10 rows)"
    page.keyboard.press("Enter")
    page.wait_for_selector("#figure-0 table")
    assert page.evaluate("document.querySelectorAll('#figure-0 tbody tr').length") == 10
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "region"
    box = page.locator("#figure-1 svg circle, #figure-1 svg g[data-mark=dot] path").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("#figure-1 g[aria-label=tip] text")
    assert "experiment" in page.text_content("#figure-1 g[aria-label=tip]")
    # The same figure again, or another, takes the place of the one before and leaves the data open.
    page.evaluate("drawFigure(document.getElementById('figure-0'), figures[0], {dark: true})")
    assert page.evaluate("document.querySelectorAll('#figure-0 .figure-panel svg').length") == 3
    assert page.evaluate("document.querySelector('#figure-0 details').open")
    assert page.evaluate("getComputedStyle(document.getElementById('figure-0')).backgroundColor") == "rgb(21, 24, 28)"
    page.close()
