"""The live page in a real browser: each view at two widths and in both modes, for everybody; who may do what; and what is typed."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from controller.domain.access import Role
from controller.settings import folder_of
from controller.store.opening import Store
from controller.store.reading import open_reader
from controller.verbs.tokens import make_link
from instruments.tasks.folder import TaskFolder
from instruments.tasks.form import FormField
from instruments.tasks.task import Argument, Task
from tests.controller.api.browser import (
    NARROW,
    OVERFLOWING,
    OVERLAPPING,
    PATIENCE_MS,
    WIDE,
    browsing,
    go,
    need_browser,
    violations,
    window,
)
from tests.controller.api.people import bearer
from tests.controller.api.process import Served, served
from tests.controller.api.stalling import StallingProxy
from tests.controller.store.conftest import fill
from tests.controller.store.samples import Script

if TYPE_CHECKING:
    from playwright.sync_api import Browser

VIEWS = {
    "#/": "Campaigns",
    "#/campaigns/sample": "sample",
    "#/campaigns/sample/experiments": "sample",
    "#/campaigns/sample/experiments/1": "Experiment 1",
    "#/campaigns/sample/experiments/3": "Experiment 3",
    "#/campaigns/sample/figures": "sample",
    "#/campaigns/sample/timeline": "sample",
    "#/campaigns/sample/log": "sample",
    "#/instruments?show=all": "Instruments",
    "#/tasks": "Tasks",
    "#/requests": "Requests",
    "#/nothing": "There is nothing here",
}
"""Address -> what its heading says."""
MAIN = ["#/campaigns/sample", "#/campaigns/sample/experiments/1", "#/instruments?show=all"]
"""Views with most kinds of things in them: looked at in both modes and at both widths."""


def ask_a_person(url: str) -> str:
    """Leave a task as the driver of a person does, and return its id."""
    with open_reader(url) as reader:
        attempt = next(a["id"] for a in reader.attempts("sample") if a["status"] in ("committed", "accepted", "running"))
    folder = folder_of(url) / "labs" / "bench" / "people"
    folder.mkdir(parents=True)
    thickness = FormField(unit="nm", low=10, high=2000, description="at three places")
    fields = {"thickness": thickness, "colour": FormField(choices=("yellow", "brown"))}
    TaskFolder(folder).post(Task(
        id=attempt, instrument="people", action="coat", instructions="Coat a film, then look at it.", fields=fields,
        arguments={"speed": Argument(value=2000.0, unit="rpm")}, asked_at=time.time(), typical_s=600.0, longest_s=3600.0,
    ))  # fmt: skip
    return attempt


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('store') / 'sample.db'}"
    with Store.open(url) as store:
        fill(store, Script())
    ask_a_person(url)
    return url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    need_browser()
    with browsing() as opened:
        yield opened


def test_files_of_the_page_hold_no_secret_and_may_do_little(api: Served) -> None:
    page = httpx.get(f"{api.url}/")
    policy = page.headers["content-security-policy"]
    for rule in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"):
        assert rule in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "//" not in page.text  # nothing from elsewhere
    named = re.findall(r'(?:src|href)="(/page/[^"]+)"', page.text)
    assert len(named) > 20
    for name in named:
        answer = httpx.get(f"{api.url}{name}")
        assert (answer.status_code, "immutable" in answer.headers["cache-control"]) == (200, True), name
        assert not re.search(r"\beval\(|innerHTML|document\.write|onclick=", answer.text), name
    again = httpx.get(f"{api.url}/", headers={"If-None-Match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for strange in ("/page/0/main.js", "/page/../process.py", f"{named[0]}x"):
        assert httpx.get(f"{api.url}{strange}").status_code in (401, 404)
    assert httpx.post(f"{api.url}/").status_code == 401


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("size", "dark", "views"), [(WIDE, False, list(VIEWS)), (NARROW, True, list(VIEWS)), (WIDE, True, MAIN), (NARROW, False, MAIN)],
    ids=["wide and light", "narrow and dark", "wide and dark", "narrow and light"],
)  # fmt: skip
def test_every_view_fits_and_can_be_used_by_everybody(
    api: Served, people: dict[str, str | None], browser: Browser, size: tuple[int, int], dark: bool, views: list[str]
) -> None:
    # One window twice as wide, or half, would show the same: what differs is how much stands side by side.
    with window(browser, people["operate"], size, dark=dark) as (page, complaints):
        for address in views:
            go(page, f"{api.url}/{address}", VIEWS[address])
            assert page.evaluate(OVERFLOWING) == {"page": 0, "cut": []}, address
            assert page.evaluate(OVERLAPPING) == [], address
            assert violations(page) == [], address
            assert "Labwright" in page.title()
        assert complaints == []


def test_every_view_says_that_its_data_are_simulated(api: Served, people: dict[str, str | None], browser: Browser) -> None:
    from playwright.sync_api import expect

    with window(browser, people["look"]) as (page, _):
        for address in list(VIEWS)[:9]:
            go(page, f"{api.url}/{address}", VIEWS[address])
            expect(page.locator("main .simulated").first).to_be_visible()


def test_token_is_asked_for_and_buttons_that_a_role_does_not_allow_are_off(
    api: Served, people: dict[str, str | None], browser: Browser
) -> None:
    from playwright.sync_api import expect

    with window(browser, None) as (page, _):
        page.goto(f"{api.url}/#/campaigns/sample/experiments/3")
        token = page.get_by_label("Token")
        expect(token).to_be_focused()
        assert violations(page) == []
        for wrong, told in (("", "Paste a token"), (people["stranger"], "not on the list"), (people["revoked"], "was revoked")):
            token.fill(str(wrong))
            page.keyboard.press("Enter")
            expect(page.get_by_role("alert")).to_contain_text(told)
        token.fill(str(people["look"]))
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("Experiment 3")  # where one wanted to go
        stop = page.get_by_role("button", name="Emergency stop")
        expect(stop).to_have_attribute("aria-disabled", "true")
        assert "Needs the role operate; yours is look" in str(stop.get_attribute("title"))
        stop.click(force=True)
        expect(page.locator("dialog")).to_have_count(0)
        page.reload()
        expect(page.locator("h1")).to_have_text("Experiment 3")
        assert page.context.cookies() == []
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Token")).to_be_visible()
        assert page.evaluate("Object.keys(sessionStorage).length") == 0


def test_link_lets_one_in_once_and_leaves_nothing_in_the_address(api: Served, url: str, browser: Browser) -> None:
    from playwright.sync_api import expect

    secret, _ = make_link(url, "ada", Role.OPERATE, by="a test")
    with window(browser, None) as (page, _):
        page.goto(f"{api.url}/#link={secret}")
        expect(page.locator("h1")).to_have_text("Campaigns")
        expect(page.locator("footer")).to_contain_text("your role is operate")
        assert secret not in page.url
        page.go_back()
        assert secret not in page.url
        page.go_forward()
        expect(page.locator("h1")).to_have_text("Campaigns")
        with page.context.expect_page() as opened:
            page.evaluate("() => { open('/', '_blank', 'noopener'); }")
        expect(opened.value.locator("h1")).to_have_text("Campaigns")  # the other window has been asked
        token = page.evaluate("sessionStorage.getItem('labwright-token')")
        assert httpx.get(f"{api.url}/v1/whoami", headers=bearer(token)).status_code == 200
        with page.expect_response(f"{api.url}/v1/sign-out") as left:
            page.get_by_role("button", name="Sign out").click()
        assert left.value.json() == {"revoked": True}
        expect(page.get_by_label("Token")).to_be_visible()
        assert httpx.get(f"{api.url}/v1/whoami", headers=bearer(token)).status_code == 401
    with window(browser, None) as (page, _):
        page.goto(f"{api.url}/#link={secret}")
        expect(page.get_by_role("alert")).to_contain_text("used already")
    assert secret not in api.said
    token = httpx.get(f"{api.url}/v1/whoami", headers={"Authorization": f"Bearer {secret}"})
    assert token.status_code == 401


def test_keyboard_alone_reaches_a_dialog_and_comes_back(api: Served, people: dict[str, str | None], browser: Browser) -> None:
    from playwright.sync_api import expect

    with window(browser, people["operate"]) as (page, _):
        go(page, f"{api.url}/#/campaigns/sample", "sample")
        page.keyboard.press("Tab")
        expect(page.get_by_text("Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        for _ in range(12):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.dataset.verb") == "stop":
                break
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_contain_text("What runs is finished, then the campaign ends for good")
        assert violations(page) == []
        expect(page.get_by_role("button", name="Cancel")).to_be_focused()  # what does nothing is where Enter falls
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert page.evaluate("document.activeElement.dataset.verb") == "stop"
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_have_count(1)
        page.evaluate("location.hash = '#/requests'")  # as the back button of the browser does
        expect(page.get_by_role("dialog")).to_have_count(0)


def test_long_list_is_filtered_sorted_and_turned_over(tmp_path: Path, browser: Browser) -> None:
    from playwright.sync_api import expect

    from benchmarks.looking import LARGE, make_store
    from tests.controller.api.people import enter

    store = tmp_path / "long.db"
    make_store(store, experiments=260, campaigns=40, small=1)
    url = f"sqlite:///{store}"
    token = enter(url, "ada", Role.LOOK)
    with served(tmp_path, url) as api, window(browser, token) as (page, complaints):
        go(page, f"{api.url}/#/", "Campaigns")
        page.get_by_label("Name").fill(LARGE)
        expect(page.locator(".cards > li")).to_have_count(1)
        page.get_by_role("link", name=LARGE).click()
        page.get_by_role("link", name="Experiments").click()
        expect(page.locator("tbody tr")).to_have_count(50)
        expect(page.locator("tbody tr th").first).to_have_text("260")
        page.get_by_role("link", name="Last page").click()
        expect(page.locator("tbody tr th").last).to_have_text("1")
        page.get_by_label("Status").select_option("failed")
        expect(page.locator("tbody tr")).to_have_count(5)
        page.get_by_label("Status").select_option("")
        page.get_by_label("Order").select_option("-yield")
        expect(page.locator("th[aria-sort=descending]")).to_contain_text("yield")
        page.wait_for_url("**/*sort=-yield*")
        with open_reader(url) as reader:
            best = max((e for e in reader.experiments(LARGE) if e["objectives"]), key=lambda e: float(e["objectives"]["yield"]))
        expect(page.locator("tbody tr th").first).to_have_text(str(best["number"]))
        page.get_by_label("Number").fill("50")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("Experiment 50")
        expect(page.locator("section", has_text="What went wrong").first).to_contain_text("line 3 is blocked")
        assert complaints == []


def test_task_is_answered_with_what_is_wrong_told_at_its_place(
    api: Served, url: str, people: dict[str, str | None], browser: Browser
) -> None:
    from playwright.sync_api import expect

    with window(browser, people["operate"], NARROW) as (page, _):
        go(page, f"{api.url}/#/tasks", "Tasks")
        expect(page.locator("nav .count")).to_have_text("1")
        page.get_by_label("thickness").fill("5")
        page.get_by_label("colour").select_option("brown")
        page.get_by_role("button", name="Done", exact=True).click()
        expect(page.get_by_role("alert").first).to_contain_text("thickness")
        expect(page.get_by_label("thickness")).to_be_focused()
        expect(page.get_by_label("colour")).to_have_value("brown")
        page.get_by_label("thickness").fill("350 ± 5")
        page.get_by_role("button", name="Done", exact=True).click()
        expect(page.locator("main .good")).to_contain_text("The answer is kept")


def test_photo_for_a_task_may_be_large_but_only_of_those_who_may_answer(
    api: Served, url: str, people: dict[str, str | None]
) -> None:
    with open_reader(url) as reader:
        task = next(a["id"] for a in reader.attempts("sample") if a["status"] in ("committed", "accepted", "running"))
    place = f"{api.url}/v1/tasks/{task}/files"

    def send(who: str, size: int) -> int:
        return httpx.post(place, content=b"x" * size, headers=bearer(people[who]), timeout=60).status_code

    assert [send("operate", size) for size in (3_000_000, 17_000_000, 0)] == [200, 413, 422]
    assert [send("look", size) for size in (3_000_000, 10)] == [413, 403]
    long = httpx.post(f"{api.url}/v1/tasks/x/answer", content=b"x" * 3_000_000, headers=bearer(people["operate"]))
    assert long.status_code == 413


def test_answer_that_never_ends_is_given_up_and_asked_for_again(
    api: Served, people: dict[str, str | None], browser: Browser
) -> None:
    from playwright.sync_api import expect

    proxy = StallingProxy(httpx.URL(api.url).port or 0)
    try:
        with window(browser, people["look"]) as (page, _):
            page.clock.install()
            go(page, f"{proxy.url}/#/", "Campaigns")
            proxy.asked = b"GET /v1/requests"
            page.goto(f"{proxy.url}/#/requests")
            expect(page.locator("main .loading")).to_be_visible()
            deadline = time.monotonic() + 20
            while not proxy.n_stalled and time.monotonic() < deadline:
                page.wait_for_timeout(20)
            assert proxy.n_stalled == 1
            proxy.asked = None
            page.clock.fast_forward(31_000)  # the answer is given up; once the stream stands again, everything is asked for anew
            expect(page.locator("main h1")).to_contain_text("Requests", timeout=PATIENCE_MS)
    finally:
        proxy.close()


def test_text_of_others_is_never_a_program(tmp_path: Path, browser: Browser) -> None:
    from tests.controller.api.people import enter
    from tests.controller.store.samples import make_definition

    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    url = f"sqlite:///{tmp_path / 'evil.db'}"
    definition = make_definition("evil").model_copy(update={"description": evil})
    script = Script(definition)
    with Store.open(url) as store:
        store.commit_now([*script.created(), script.alarm(evil)], definition=definition)
    token = enter(url, "ada", Role.LOOK)
    with served(tmp_path, url) as api, window(browser, token) as (page, complaints):
        for view in ("", "/log", "/figures"):
            go(page, f"{api.url}/#/campaigns/evil{view}", "evil")
        go(page, f"{api.url}/#/campaigns/evil", "evil")
        assert evil in page.locator("main").inner_text()
        assert page.locator("main img, main script").count() == 0
        assert complaints == []
