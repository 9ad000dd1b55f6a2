"""The live page over a real daemon: what happens arrives by itself, a pause really pauses, and a lost connection mends itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from controller.api.process import http_url
from controller.daemon import daemon_state
from controller.settings import folder_of
from tests.controller.api.browser import browsing, go, need_browser, window
from tests.integration.support import LABWRIGHT
from tests.integration.test_http import CAMPAIGN, Lab

PATIENCE_MS = 60_000


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    yield made
    made.close()


def http_process(lab: Lab) -> int:
    """Return the process that serves HTTP."""
    return next(child.pid for child in psutil.Process(lab.pid).children() if "controller.api" in child.cmdline())


@pytest.mark.timeout(300)
def test_page_shows_what_happens_steers_and_says_when_it_is_not_live(lab: Lab) -> None:
    need_browser()
    from playwright.sync_api import expect

    lab.start()
    command = [*LABWRIGHT, "tokens", "link", "ada", "--json"]
    made = subprocess.run(
        command, env={**os.environ, "LABWRIGHT_STORE": lab.store_url}, capture_output=True, text=True, timeout=60, check=True
    )
    with lab.client() as admin, browsing() as browser, window(browser, None) as (page, _):
        page.goto(json.loads(made.stdout)["link"])
        expect(page.locator("main")).to_contain_text("There is no campaign yet", timeout=PATIENCE_MS)
        assert admin.post("/campaigns", json={"file": CAMPAIGN}).status_code == 200
        page.get_by_role("link", name="quick").click(timeout=PATIENCE_MS)  # it has appeared by itself
        done = page.locator(".progress-text strong")
        expect(done).not_to_have_text("0 of 40", timeout=PATIENCE_MS)  # and so does what was carried out
        expect(page.locator("main .simulated").first).to_be_visible()

        page.get_by_role("button", name="Pause…").click()
        page.get_by_role("button", name="Pause the campaign").click()
        expect(page.locator("dialog")).to_have_count(0, timeout=PATIENCE_MS)
        expect(page.locator("h1 + .badge")).to_have_text("paused", timeout=PATIENCE_MS)
        shown = admin.get("/campaigns/quick").json()
        assert (shown["status"], shown["reason"]) == ("paused", "paused by " + shown["reason"].removeprefix("paused by "))
        assert "ada@page-" in shown["reason"]
        page.get_by_role("button", name="Resume…").click()
        page.get_by_role("button", name="Resume the campaign").click()
        expect(page.locator("h1 + .badge")).to_have_text("running", timeout=PATIENCE_MS)

        go(page, f"{lab.url}/#/instruments", "Instruments")
        page.get_by_role("button", name="Emergency stop").click()
        page.get_by_role("button", name="Stop all instruments now").click()
        expect(page.get_by_role("dialog")).to_contain_text("All 2 have confirmed", timeout=PATIENCE_MS)
        page.get_by_role("button", name="Close").click()
        expect(page.get_by_role("button", name="Resume…")).to_have_count(2, timeout=PATIENCE_MS)

        first = http_process(lab)
        os.kill(first, signal.SIGSTOP)  # it is there, and says nothing more
        expect(page.locator("#notice")).to_contain_text("Not connected since", timeout=PATIENCE_MS)
        expect(page.locator(".live")).to_have_text("Not live")
        os.kill(first, signal.SIGKILL)
        expect(page.locator(".live")).to_have_text("Live", timeout=PATIENCE_MS)  # by itself, with the next process
        expect(page.locator("#notice")).to_be_empty()
        assert http_process(lab) != first


@pytest.mark.timeout(240)
def test_one_command_leads_to_the_page_and_ctrl_c_ends_it_all(tmp_path: Path) -> None:
    command = [*LABWRIGHT, "demo", "--page", "--json", "--speed", "300", "-o", str(tmp_path / "out")]
    url = f"sqlite:///{tmp_path / 'out' / 'demo.db'}"
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            assert told["link"].startswith(f"{http_url(folder_of(url))}/#link=labwright-link_")
            assert daemon_state(url)["running"]
        finally:
            process.send_signal(signal.SIGINT)
            began = time.monotonic()
            assert process.wait(90) == 0
    assert time.monotonic() - began < 90
    assert not daemon_state(url)["running"]
