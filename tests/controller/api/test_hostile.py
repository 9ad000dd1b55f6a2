"""The page shows what people and devices write as text: nothing of it is read as HTML or runs, and every view still fits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from controller.domain.access import Role
from controller.settings import folder_of
from controller.store.opening import Store
from controller.store.reading import open_reader
from instruments.tasks.folder import TaskFolder
from instruments.tasks.form import FormField
from instruments.tasks.task import Argument, Task
from tests.controller.api.browser import NARROW, OVERFLOWING, OVERLAPPING, browsing, go, need_browser, window
from tests.controller.api.people import enter
from tests.controller.api.process import served
from tests.controller.store.conftest import fill
from tests.controller.store.hostile import EVIL, HostileScript

if TYPE_CHECKING:
    from playwright.sync_api import Browser

VIEWS = {
    "#/": "Campaigns", "#/campaigns/sample": "sample", "#/campaigns/sample/experiments": "sample",
    "#/campaigns/sample/experiments/1": "Experiment 1", "#/campaigns/sample/experiments/3": "Experiment 3",
    "#/campaigns/sample/figures": "sample", "#/campaigns/sample/log": "sample", "#/tasks": "Tasks",
}  # fmt: skip
"""Address -> what its heading says."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('hostile') / 'sample.db'}"
    with Store.open(url) as store:
        fill(store, HostileScript())
    with open_reader(url) as reader:
        attempt = next(a["id"] for a in reader.attempts("sample") if a["status"] == "running")
    folder = folder_of(url) / "labs" / "bench" / "people"
    folder.mkdir(parents=True)
    fields = {"thickness": FormField(unit="nm", description=EVIL), "colour": FormField(choices=("yellow", EVIL))}
    TaskFolder(folder).post(Task(
        id=attempt, instrument="people", action="coat", instructions=EVIL, fields=fields, arguments={"note": Argument(value=EVIL)},
        asked_at=time.time(), typical_s=600.0, longest_s=3600.0,
    ))  # fmt: skip
    return url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    need_browser()
    with browsing() as opened:
        yield opened


@pytest.mark.timeout(240)
def test_nothing_that_is_written_runs_even_without_the_policy_of_the_page(url: str, browser: Browser, tmp_path: Path) -> None:
    token = enter(url, "ada", Role.OPERATE)
    # Without its Content-Security-Policy: what holds then does not hold because of that alone.
    with served(tmp_path, url) as api, window(browser, token, NARROW, bypass=True) as (page, complaints):
        shown = ""
        for address, heading in VIEWS.items():
            go(page, f"{api.url}/{address}", heading)
            assert page.locator("img, main script").count() == 0, address
            assert "owned" not in page.title()
            assert page.evaluate(OVERFLOWING) == {"page": 0, "cut": []}, address
            assert page.evaluate(OVERLAPPING) == [], address
            shown += page.locator("main").inner_text()
        assert shown.count("<img src=x onerror=") > 10
        assert complaints == []
