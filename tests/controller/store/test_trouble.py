"""A store in trouble: nothing acknowledged is lost, nothing is written twice, and it goes on by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from controller.errors import CampaignLockedError, StoreError
from controller.store import connecting
from controller.store.audit import audit
from controller.store.opening import Store
from tests.controller.store.conftest import connect_raw
from tests.controller.store.postgres import PostgresServer
from tests.controller.store.proxy import CuttingProxy
from tests.controller.store.samples import Script
from tests.controller.store.starting import read_line, started
from tests.controller.store.test_committing import hold, let_go


async def wait_for_state(store: Store, start: str, timeout_s: float = 20.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not store.state.startswith(start):
            await asyncio.sleep(0.01)


async def test_locked_store_holds_and_goes_on_when_it_is_free(
    store_url: str, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "BUSY_S", 0.2)
    with Store.open(store_url) as store:
        heard: list[str] = []
        store.on_trouble(heard.append)
        await store.commit(script.created(), definition=script.definition)
        blocker = connect_raw(store_url)
        hold(blocker, store)
        unit = asyncio.create_task(store.commit(script.proposed()[1]))
        await wait_for_state(store, "holding: ")
        assert "lock" in store.state
        assert not unit.done()
        let_go(blocker, store)
        async with asyncio.timeout(20):
            await unit
        assert store.state == "ok"
        assert [text.partition(":")[0] for text in heard] == ["holding", "ok"]
        assert len(store.reader.experiments("sample")) == 1


async def test_close_gives_up_after_its_time_when_the_store_stays_locked(
    store_url: str, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "BUSY_S", 0.1)
    store = Store.open(store_url)
    await store.commit(script.created(), definition=script.definition)
    blocker = connect_raw(store_url)
    hold(blocker, store)
    units = [asyncio.create_task(store.commit(script.proposed()[1])) for _ in range(3)]
    await wait_for_state(store, "holding: ")
    started_at = time.monotonic()
    await asyncio.to_thread(store.close, 0.5)
    assert time.monotonic() - started_at < 5
    outcomes = await asyncio.gather(*units, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreError] * 3
    let_go(blocker, store)
    with Store.open(store_url) as again:
        assert again.reader.experiments("sample") == []


def test_full_disk_holds_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with started("fill_disk", str(tmp_path / "store.db")) as process:
        said = [read_line(process) for _ in range(4)]
    states = [line.split()[1] for line in said if line.startswith("state ")]
    assert states == ["holding:", "ok"]
    assert any(line.startswith("acknowledged while full 0 holding: ") for line in said)
    assert said[-1] == "acknowledged 43 ok"


async def test_restarted_server_is_found_again(postgres: PostgresServer, script: Script) -> None:
    url = postgres.create_database()
    with Store.open(url) as store, store.lock_campaign("sample"):
        await store.commit(script.created(), definition=script.definition)
        await asyncio.to_thread(postgres.stop)
        try:
            units = [asyncio.create_task(store.commit(script.proposed()[1])) for _ in range(10)]
            await wait_for_state(store, "holding: ")
            with pytest.raises(StoreError, match="cannot be read"):
                store.events(script.campaign)
            assert "s3cret" not in store.state
        finally:
            await asyncio.to_thread(postgres.start)
        async with asyncio.timeout(20):
            await asyncio.gather(*units)
        assert len(store.events(script.campaign)) == 23
        assert audit(store, "sample").differences == []
        with Store.open(url) as other, pytest.raises(CampaignLockedError):  # our lock was taken again too
            other.lock_campaign("sample").acquire()


async def test_lock_lost_to_another_controller_ends_the_writing(postgres: PostgresServer, script: Script) -> None:
    url = postgres.create_database()
    with Store.open(url) as store, store.lock_campaign("sample"):
        await store.commit(script.created(), definition=script.definition)
        await asyncio.to_thread(postgres.stop)
        await asyncio.to_thread(postgres.start)
        with started("hold_lock", url) as other:
            assert await asyncio.to_thread(read_line, other) == "held"
            with pytest.raises(CampaignLockedError, match=f"now held by process {other.pid}"):
                await store.commit(script.proposed()[1])
        assert store.reader.experiments("sample") == []


@pytest.fixture
def proxy(postgres: PostgresServer) -> Iterator[CuttingProxy]:
    made = CuttingProxy(postgres.port)
    yield made
    made.close()


@pytest.mark.parametrize("how", ["before", "silent", "after"])
async def test_commit_in_doubt_is_written_once(
    postgres: PostgresServer,
    proxy: CuttingProxy,
    script: Script,
    how: Literal["before", "silent", "after"],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connecting, "IDLE_S", 0.5)
    database = postgres.create_database().rpartition("/")[2]
    with Store.open(postgres.url(database, proxy.port)) as store:
        await store.commit(script.created(), definition=script.definition)
        for _ in range(3):
            proxy.cut = how
            async with asyncio.timeout(20):
                await store.commit(script.proposed()[1])
        request = store.ask("pause", script.campaign, {}, "a test")
        proxy.cut = how
        async with asyncio.timeout(20):
            await store.answer(request, "paused", ok=True)
        assert proxy.n_cuts == 4
        assert [e["number"] for e in store.reader.experiments("sample")] == [1, 2, 3]
        assert audit(store, "sample").differences == []
        assert store.reader.request(request)["answer"] == "paused"


def test_moved_away_file_is_noticed(tmp_path: Path, script: Script) -> None:
    file = tmp_path / "store.db"
    store = Store.open(str(file))
    store.commit_now(script.created(), definition=script.definition)

    async def scenario() -> None:
        file.rename(tmp_path / "elsewhere.db")
        unit = asyncio.create_task(store.commit(script.proposed()[1]))
        await wait_for_state(store, "holding: ")
        assert not file.exists()
        (tmp_path / "elsewhere.db").rename(file)
        async with asyncio.timeout(20):
            await unit

    asyncio.run(scenario())
    assert len(store.reader.experiments("sample")) == 1
    store.close()
