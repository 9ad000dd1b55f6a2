"""`make docs-test`: the page on looking from the live page is followed, word by word, on a campaign that meets a failure."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from controller.settings import normalise_url
from controller.store.reading import open_reader
from tests.controller.api.browser import NARROW, browsing, need_browser, window
from tests.docs.pages import ROOT, blocks, write_files

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

PAGE = ROOT / "docs" / "how-to" / "look-from-the-page.md"
CAMPAIGN = ROOT / "docs" / "how-to" / "look-from-the-terminal.md"
PATIENCE_S = 120.0
BY_ITSELF = {"before", "due now", "Resume…"}
"""What stands in italics and cannot be waited for: a word, what passes in a moment, and a button of a paused campaign."""


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("LABWRIGHT_DOCS"), reason="takes a minute: make docs-test")
@pytest.mark.timeout(500)
def test_a_person_finds_all_that_the_page_promises(tmp_path: Path) -> None:
    need_browser()
    write_files(CAMPAIGN, tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "LABWRIGHT_HOME": str(tmp_path / "home")}
    environment.pop("LABWRIGHT_STORE", None)

    def labwright(words: str) -> str:
        # Any free port: that of the page may be taken on this machine.
        words = words.replace("--page", "--page --http 127.0.0.1:0")
        command = [sys.executable, "-m", "controller", *words.split()[1:]]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    start, begin = next(b.text for b in blocks(PAGE) if b.language == "sh").strip().splitlines()
    said = labwright(start)
    try:
        labwright(begin)
        wait_for_a_model_and_a_failure(tmp_path / "flow.db")
        link = re.search(r"http://\S+#link=\S+", said)
        assert link is not None, said
        with browsing() as browser, window(browser, None, NARROW) as (page, complaints):
            walk = Walk(page)
            page.goto(link[0])
            walk.follow()
            assert complaints == []
        promised = set(re.findall(r"(?<!\*)\*([^*\n]+(?:\n[^*\n]+)?)\*(?!\*)", PAGE.read_text(encoding="utf-8")))
        assert {" ".join(label.split()) for label in promised} - BY_ITSELF == walk.found
    finally:
        labwright("labwright daemon stop --store flow.db")


class Walk:
    """Goes where the page says, and keeps what it has found."""

    def __init__(self, page: Page) -> None:
        self.page, self.found = page, set[str]()

    def see(self, label: str, within: str = "body") -> Locator:
        from playwright.sync_api import expect

        shown = self.page.locator(within).get_by_text(label, exact=True).locator("visible=true").first
        expect(shown).to_be_visible(timeout=30_000)
        self.found.add(label)
        return shown

    def section(self, title: str) -> Locator:
        self.see(title, "main")
        return self.page.locator("section", has=self.page.locator("h2", has_text=title)).first

    def overview(self) -> None:
        self.see("Campaigns", "header").click()
        self.see("snar", "main").click()
        self.see("Overview", "main")

    def follow(self) -> None:
        from playwright.sync_api import expect

        soon = PATIENCE_S * 1000
        self.overview()
        self.see("Live")
        # What is running?
        expect(self.section("Progress")).to_contain_text("of 60 experiments done")
        expect(self.section("Progress")).to_contain_text("A controller is at work on it")
        expect(self.section("Now")).to_contain_text(re.compile("(react on reactor|assay on hplc) for Experiment"), timeout=soon)
        expect(self.section("Best so far")).to_contain_text("kg/m³/h")
        self.see("Instruments", "header").click()
        expect(self.page.locator("main")).to_contain_text("Lab snar-flow-chemistry")
        # Why was the last point chosen?
        self.overview()
        self.section("Newest proposals, and why").get_by_role("link").first.click()
        why = self.section("Why this point")
        self.see("Explain it in detail").click()
        expect(why).to_contain_text("The model explains", timeout=soon)
        expect(why.locator("li")).not_to_have_count(0)
        # Can the model be trusted?
        self.overview()
        expect(self.section("Can the model be trusted?")).to_contain_text("held the result in their 90 % interval", timeout=soon)
        self.see("Predicted against measured, in figures").click()
        expect(self.page.locator("main h1")).to_contain_text("snar")
        # What went wrong with the failed experiment?
        self.overview()
        self.section("Waits for a person")
        self.see("Look at it").click()
        expect(self.section("What went wrong")).to_contain_text("simulated fault")
        expect(self.section("Result")).to_contain_text("It failed: there is no result.")
        self.found.discard("Result")
        self.see("What can be done, in a terminal").click()
        expect(self.section("What went wrong")).to_contain_text("labwright experiment retry snar")
        self.see("Where to look further").click()
        expect(self.section("What went wrong")).to_contain_text("driver.log")
        self.section("What was done")
        self.section("What happened")
        expect(self.section("What happened")).to_contain_text("simulated fault")
        self.see("Give up…")
        self.see("Try again…").click()
        self.page.get_by_role("button", name="Try again", exact=True).click()
        expect(self.page.locator("dialog")).to_have_count(0, timeout=soon)
        expect(self.section("What happened")).to_contain_text(re.compile("queued.*queued", re.DOTALL))
        self.overview()
        self.see("Experiments", "main").click()
        self.page.get_by_label("Status").select_option("failed")
        expect(self.page.locator("main")).to_contain_text("failed")
        self.found.add("failed")
        # How is it stopped?
        self.overview()
        for label in ("Pause…", "Abort…", "Emergency stop"):
            self.see(label)
        self.see("Stop…").click()
        self.page.get_by_role("button", name="Stop the campaign").click()
        expect(self.page.locator("main")).to_contain_text(re.compile("stopping|completed"), timeout=soon)


def wait_for_a_model_and_a_failure(store: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    with open_reader(normalise_url(str(store))) as reader:
        while True:
            assert time.monotonic() < end
            rows = reader.experiments("snar")
            modelled = sum(r["source"] == "model" and bool(r["objectives"]) for r in rows)
            if modelled > 1 and any(r["status"] == "failed" for r in rows):
                return
            time.sleep(0.2)
