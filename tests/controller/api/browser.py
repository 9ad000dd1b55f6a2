"""Debian's Chromium with Playwright, and what is looked for on every view: nothing cut, nothing on top of another, no accident."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

CHROMIUM = Path("/usr/bin/chromium")
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
           "--disable-component-update", "--disable-sync"]  # fmt: skip
WIDE, NARROW = (1440, 900), (390, 844)
PATIENCE_MS = 20_000

OVERFLOWING = """() => {
  const all = document.scrollingElement;
  const cut = [...document.querySelectorAll("body *")].filter((e) => {
    const box = e.getBoundingClientRect();
    const within = e.closest(".scroll, .figure-scroll, .figure, pre, .quiet, .skip");
    return box.width > 0 && !within && (box.right > innerWidth + 1 || box.left < -1);
  });
  const named = cut.slice(0, 5).map((e) => `${e.tagName}.${e.className} ${e.textContent.slice(0, 40)}`);
  return {page: all.scrollWidth - innerWidth, cut: named};
}"""
OVERLAPPING = """() => {
  const kinds = "header a, header button, main h1, main h2, main button, main input, main select, main a, .badge";
  const seen = [...document.querySelectorAll(kinds)].filter((e) => e.offsetParent !== null && !e.closest(".figure, .scroll"));
  const boxes = seen.map((e) => [e, [...e.getClientRects()]]);
  const top = document.getElementById("top");
  const found = [];
  for (let i = 0; i < boxes.length; i++) for (let j = i + 1; j < boxes.length; j++) {
    const [a, ours] = boxes[i], [b, theirs] = boxes[j];
    if (a.contains(b) || b.contains(a) || top.contains(a) !== top.contains(b)) continue;
    for (const p of ours) for (const q of theirs) {
      const wide = Math.min(p.right, q.right) - Math.max(p.left, q.left);
      const high = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
      if (wide > 1.5 && high > 1.5) found.push(`${a.textContent.slice(0, 30)} / ${b.textContent.slice(0, 30)}`);
    }
  }
  return found;
}"""


def need_browser() -> None:
    """Skip where there is no browser."""
    if not CHROMIUM.exists():
        pytest.skip(f"no browser: there is no {CHROMIUM}")
    if find_spec("playwright") is None or find_spec("axe_playwright_python") is None:
        pytest.skip("no browser: playwright is not installed (labwright[dev])")


@contextmanager
def browsing() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=OPTIONS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def window(
    browser: Browser, token: str | None, size: tuple[int, int] = WIDE, *, dark: bool = False, bypass: bool = False
) -> Iterator[tuple[Page, list[str]]]:
    """Open a window with a token; yields it, and the list of what it complains of."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if dark else "light", reduced_motion="reduce",
        bypass_csp=bypass,
    )  # fmt: skip
    if token is not None:
        key = "labwright-token"
        context.add_init_script(f"sessionStorage.getItem('{key}') ?? sessionStorage.setItem('{key}', {json.dumps(token)})")
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []

    def complain(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    page.on("console", complain)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        yield page, complaints
    finally:
        context.close()


def go(page: Page, address: str, heading: str) -> None:
    """Go to a view and wait until all of it, with its figures, stands."""
    from playwright.sync_api import expect

    page.goto(address)
    expect(page.locator("main h1")).to_contain_text(heading, timeout=PATIENCE_MS)
    expect(page.locator(".loading, [aria-busy]")).to_have_count(0, timeout=PATIENCE_MS)


def violations(page: Page) -> list[str]:
    """Return what keeps somebody from using the view, as axe finds it: serious and critical alone."""
    from axe_playwright_python.sync_playwright import Axe

    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{v['id']}: {node['html'][:160]} {[c['message'] for c in node['any']][:1]}"
        for v in found if v["impact"] in ("serious", "critical") for node in v["nodes"][:3]
    ]  # fmt: skip
