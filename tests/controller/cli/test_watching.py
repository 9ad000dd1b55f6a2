"""`labwright campaign watch`: the live view driven by keys, on a real store, and the lines without a terminal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from controller.cli.watching.app import Watcher
from controller.cli.watching.chart import chart
from controller.cli.watching.dialogs import Confirmation, Help
from controller.cli.watching.lines import watch_lines
from controller.cli.watching.looking import Looker
from controller.domain.campaign import CampaignStatus
from controller.settings import normalise_url
from controller.store.opening import Store
from controller.verbs.overview import trace
from controller.verbs.stores import find
from tests.controller.cli.conftest import Call
from tests.controller.cli.test_screen import at_work
from tests.controller.store.samples import Script, make_definition

PATIENCE_S = 30.0


def looker_of(path: Path, campaign: str | None = "sample") -> Looker:
    return Looker([normalise_url(str(path))], campaign)


def shown(app: Watcher, name: str) -> str:
    return str(app.query_one(f"#{name}", Static).visual)


async def until(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    """Wait until something holds; a busy machine may take long."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "it never came to hold"
        await pilot.pause(0.05)


async def test_the_panels_say_what_the_store_holds_and_follow_it(store_file: Path, script: Script) -> None:
    app = Watcher(looker_of(store_file))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "2 of 10 experiments" in shown(app, "head"))
        assert "SIMULATED DATA" in shown(app, "head")
        assert "yield 61.25 ± 0.5 percent" in shown(app, "best")
        assert "react on reactor" in shown(app, "running")
        assert "hplc  not at work" in shown(app, "instruments")
        assert "labwright experiment resolve sample 3" in shown(app, "people")
        with Store.open(str(store_file)) as store:
            for unit in script.one_completed():
                await asyncio.to_thread(store.commit_now, unit)
        await until(pilot, lambda: "3 of 10 experiments" in shown(app, "head"))
        assert "completed (yield 61.25" in shown(app, "log")
        for panel in ("head", "best", "running", "people", "log"):
            assert app.query_one(f"#{panel}").region.right <= 80
            assert "\0" not in shown(app, panel)


async def test_a_key_asks_first_and_no_changes_nothing(store_file: Path) -> None:
    app = Watcher(looker_of(store_file))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.seen is not None)
        for key, refusal in (("p", "n"), ("s", "escape"), ("a", "enter"), ("e", "n")):
            await pilot.press(key)
            await until(pilot, lambda: isinstance(app.screen, Confirmation))
            await pilot.press(refusal)
            await until(pilot, lambda: not isinstance(app.screen, Confirmation))
    with find([normalise_url(str(store_file))], "sample") as found:
        assert found.reader.requests() == []


async def test_yes_carries_the_verb_to_the_campaign_and_says_what_became_of_it(store_file: Path) -> None:
    app = Watcher(looker_of(store_file))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.seen is not None)
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, Confirmation))
        await pilot.press("y")
        await until(pilot, lambda: bool(app._notifications))
        (said,) = (n.message for n in app._notifications)
        assert "pause is noted: no controller is at work" in said
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, Confirmation))
        await pilot.press("y")
        await until(pilot, lambda: len(app._notifications) == 2)
        assert any("resume is for one that is paused" in n.message and n.severity == "error" for n in app._notifications)
    with find([normalise_url(str(store_file))], "sample") as found:
        assert [r["verb"] for r in found.reader.requests()] == ["pause"]


async def test_an_emergency_stop_that_reaches_nobody_says_so(store_file: Path) -> None:
    app = Watcher(looker_of(store_file))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.seen is not None)
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, Confirmation))
        await pilot.press("y")
        await until(pilot, lambda: bool(app._notifications))
        (said,) = app._notifications
        assert (said.severity, "nothing is at work" in said.message) == ("error", True)


async def test_help_opens_and_closes_and_q_leaves(store_file: Path) -> None:
    app = Watcher(looker_of(store_file))
    async with app.run_test(size=(60, 20)) as pilot:
        await until(pilot, lambda: app.seen is not None)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, Help))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, Help))
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)


async def test_a_store_that_is_away_for_a_while_is_told_and_looked_into_again(
    store_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.cli.watching.app._AWAY_S", 0.2)
    app, away = Watcher(looker_of(store_file)), store_file.with_name("away.db")
    await asyncio.to_thread(store_file.rename, away)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "no campaign" in shown(app, "head"))
        await asyncio.to_thread(away.rename, store_file)
        await until(pilot, lambda: "2 of 10 experiments" in shown(app, "head"))


def test_without_a_name_it_is_the_one_at_work_then_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "several.db"
    with Store.open(str(path)) as store:
        for i, name in enumerate(("sample", "newer", "ended")):
            script = Script(make_definition(name))
            script.now += 1000.0 * i
            store.commit_now(script.created(), definition=script.definition)
            if name == "ended":
                store.commit_now([script.campaign_status(CampaignStatus.COMPLETED, "done")])
    names = {name: looker_of(path, name).id for name in ("sample", "newer", "ended")}
    assert looker_of(path, None).id == names["newer"]
    with at_work(path):
        assert looker_of(path, None).id == names["sample"]


def test_lines_tell_what_happens_until_the_end(store_file: Path, script: Script) -> None:
    steps: Iterator[object] = iter(script.one_completed())
    said: list[str] = []

    def sleep(_: float) -> None:
        with Store.open(str(store_file)) as store:
            unit = next(steps, None)
            store.commit_now(unit or [script.campaign_status(CampaignStatus.COMPLETED, "the budget is used up")])  # type: ignore[arg-type]

    assert watch_lines(looker_of(store_file), said.append, sleep=sleep) == 0
    assert said[0].startswith("sample: 2 of 10 experiments, SIMULATED data")
    assert said[1] == "campaign is running; no controller is at work on it here"
    assert any("experiment 6 completed (yield 61.25" in line for line in said)
    assert any(line.endswith("campaign is completed: the budget is used up") for line in said)
    assert not any("\0" in line for line in said)


def test_without_a_terminal_and_without_a_campaign_it_says_how_to_begin(call: Call, tmp_path: Path) -> None:
    said = call("campaign", "watch", "--store", tmp_path / "none.db")
    assert said.code == 2
    assert "labwright run FILE" in said.err


def test_the_chart_rises_from_the_first_to_the_last_and_fits(store_file: Path) -> None:
    lines = chart([(1, 10.0), (5, 20.0), (9, 40.0)], width=30, height=5)
    assert [len(line) for line in lines] == [30] * 5
    assert lines[0].lstrip().startswith("40")
    assert lines[0].rstrip().endswith("█")
    assert lines[3].lstrip().startswith("10 ▁")
    assert chart([], width=30, height=5) == []
    assert chart([(1, 2.0)], width=5, height=5) == []
    with find([normalise_url(str(store_file))], "sample") as found:
        assert trace(found, found.reader.definition(found.id)) == [], "two objectives have no single best"
