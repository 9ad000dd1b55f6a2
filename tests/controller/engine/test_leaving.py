"""A controller leaves in good order, whatever state its store is in: the real store and lab, and a proposer that is never asked."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from controller.domain.campaign import CampaignStatus
from controller.domain.event import AlarmRaised, CampaignStatusChanged
from controller.engine import supervisor as room
from controller.engine.session import LabSession
from controller.engine.supervisor import Supervisor
from controller.files.loading import load_campaign
from controller.store.opening import Store
from tests.instruments.support import until
from tests.integration.support import write_campaign


class SilentThinker:
    """A proposer that never answers."""

    def __init__(self) -> None:
        self.ready, self.closed = asyncio.Event(), False

    async def start(self) -> None:
        return

    async def propose(self, request: object) -> list[object]:
        await asyncio.Event().wait()
        raise AssertionError(request)

    async def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("trouble", ["locked", "written by another program"])
async def test_controller_leaves_although_its_store_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, trouble: str
) -> None:
    monkeypatch.setattr(room, "SHUTDOWN_S", 0.2)
    file, thinker = tmp_path / "books.db", SilentThinker()
    with Store.open(str(file)) as store, closing(sqlite3.connect(file, isolation_level=None)) as other:
        supervisor = Supervisor(
            store, device="cpu", version="test", thinker=thinker,  # type: ignore[arg-type]  # all that is needed of it
            open_lab=lambda spec, folder: LabSession(spec, folder, processes=False),
        )  # fmt: skip
        loop = await supervisor.add(load_campaign(write_campaign(tmp_path)))
        if trouble == "locked":
            other.execute("BEGIN IMMEDIATE")
        else:
            with Store.open(str(file)) as second:
                second.events(loop.state.id)
                paused = CampaignStatusChanged(campaign=loop.state.id, at=0.0, status=CampaignStatus.PAUSED)
                await second.commit([paused])
        with caplog.at_level(logging.WARNING):
            async with asyncio.timeout(5.0):
                await supervisor.leave(grace_s=0.0, reason="tested")
        assert "could not be written down" in caplog.text
        assert thinker.closed
        assert not (store.folder / "labs" / loop.definition.lab.lab / "status.json").exists()
        with store.lock_campaign(loop.state.name):
            pass
        if trouble == "locked":
            other.execute("ROLLBACK")
            await until(lambda: store.state == "ok")
    caplog.clear()


async def test_what_was_noted_with_patience_is_in_the_books_when_the_controller_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.engine.ledger.PATIENCE_S", 3600.0)
    with Store.open(str(tmp_path / "books.db")) as store:
        supervisor = Supervisor(
            store, device="cpu", version="test", thinker=SilentThinker(),  # type: ignore[arg-type]  # all that is needed of it
            open_lab=lambda spec, folder: LabSession(spec, folder, processes=False),
        )  # fmt: skip
        loop = await supervisor.add(load_campaign(write_campaign(tmp_path)))
        loop._ledger.note(AlarmRaised(**loop._ledger.stamp(), code="test", message="noted late"), patient=True)
        await supervisor.leave(grace_s=0.0, reason="tested")
        assert [event.kind for event in store.events(loop.state.id)][-2:] == ["alarm.raised", "controller.detached"]
