"""One campaign that cannot be taken up keeps no other from it: the real store and lab, and a proposer that is never asked."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from controller.domain.campaign import Definition
from controller.engine.session import LabSession
from controller.engine.supervisor import Supervisor
from controller.errors import ConflictError
from controller.files.loading import load_campaign
from controller.store.opening import Store
from tests.controller.engine.test_leaving import SilentThinker
from tests.integration.support import write_campaign


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(str(tmp_path / "books.db")) as store:
        yield store


def supervise(store: Store) -> Supervisor:
    return Supervisor(
        store, device="cpu", version="test", thinker=SilentThinker(),  # type: ignore[arg-type]  # all that is needed of it
        open_lab=lambda spec, folder: LabSession(spec, folder, processes=False),
    )  # fmt: skip


def campaign(folder: Path, name: str, speed: float = 1.0) -> Definition:
    definition = load_campaign(write_campaign(folder, name=name))
    return definition.model_copy(update={"lab": definition.lab.model_copy(update={"lab": name, "speed": speed})})


async def test_definition_that_cannot_be_read_keeps_no_other_campaign_from_being_taken_up(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = supervise(store)
    for name in ("broken", "whole"):
        await first.add(campaign(tmp_path, name))
    await first.leave(grace_s=0.0, reason="tested")
    with closing(sqlite3.connect(tmp_path / "books.db", isolation_level=None)) as database:
        database.execute(
            "UPDATE definition SET body = '{' WHERE campaign = (SELECT id FROM campaign WHERE name = 'broken')"
        )
    second = supervise(store)
    with caplog.at_level(logging.WARNING):
        await second.take_up_unfinished()
    assert [loop.state.name for loop in second.loops.values()] == ["whole"]
    (line,) = [record.getMessage() for record in caplog.records if "was not taken up" in record.getMessage()]
    assert line.startswith("campaign broken was not taken up: ")
    assert "\n" not in line
    await second.leave(grace_s=0.0, reason="tested")
    caplog.clear()


async def test_lab_whose_clock_cannot_be_read_is_told_with_the_remedy(store: Store, tmp_path: Path) -> None:
    path = store.folder / "labs" / "slow" / "clock"
    path.parent.mkdir(parents=True)
    path.write_text("yesterday")
    supervisor = supervise(store)
    with pytest.raises(ConflictError, match=r"lab 'slow': lab clock .* remove it, and lab time begins anew"):
        await supervisor.add(campaign(tmp_path, "slow", speed=10.0))
    path.unlink()
    await supervisor.add(campaign(tmp_path, "slow", speed=10.0))
    assert path.read_text().startswith("10.0@")
    await supervisor.leave(grace_s=0.0, reason="tested")
