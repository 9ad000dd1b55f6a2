"""A store in trouble: nothing acknowledged is lost, nothing is written twice, and it goes on by itself."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import pytest
from sqlalchemy.engine import Connection

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
    monkeypatch.setattr(connecting, "IDLE_S", 2.0)
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


class Faulty:
    """A job that raises, as often as it is to, something that is no trouble of the store."""

    def __init__(self, error: BaseException, times: int = 1_000, where: str = "find_applied") -> None:
        self._error, self._left, self._where = error, times, where
        self.tries = 0

    def apply(self, connection: Connection, ends: Mapping[str, int]) -> Mapping[str, int]:
        self.tries += 1
        self._raise("apply")
        return {}

    def find_applied(self, connection: Connection) -> Mapping[str, int] | None:
        self._raise("find_applied")
        return None

    def _raise(self, where: str) -> None:
        if where == self._where and self._left > 0:
            self._left -= 1
            raise self._error


@contextlib.contextmanager
def failing_connections(store: Store, error: Exception, times: int) -> Iterator[list[int]]:
    """Have the writer's next connections fail as no driver says it fails."""
    left = [times]

    def fail() -> None:
        if left[0] > 0:
            left[0] -= 1
            raise error

    writer = store._writer
    writer._disconnect()  # it stands idle
    before, writer._on_connect = writer._on_connect, fail
    yield left
    writer._on_connect = before


def test_fault_that_nobody_expects_is_got_over_with_a_new_connection(store: Store, script: Script) -> None:
    store.commit_now(script.created(), definition=script.definition)
    with failing_connections(store, RuntimeError("a fault of ours"), 1):
        store._writer.submit(store._unit(script.proposed()[1], None)).result(20)
    assert len(store.reader.experiments("sample")) == 1
    assert store.state == "ok"


def test_what_cannot_be_written_for_a_reason_that_nobody_expects_fails_and_the_store_goes_on(
    store: Store, script: Script
) -> None:
    store.commit_now(script.created(), definition=script.definition)
    with failing_connections(store, RuntimeError("a fault of ours"), 2):
        refused = store._writer.submit(store._unit([script.attached()], None))
        with pytest.raises(StoreError, match=r"RuntimeError: a fault of ours\); whether this was stored is not known"):
            refused.result(20)
    store._writer.submit(store._unit(script.proposed()[1], None)).result(20)
    assert len(store.reader.experiments("sample")) == 1
    assert audit(store, "sample").balanced


def test_faulty_job_fails_alone_and_what_shares_its_commit_is_written_once(store: Store, script: Script) -> None:
    store.commit_now(script.created(), definition=script.definition)
    writer = store._writer
    units = [store._unit(script.proposed()[1], None), store._unit([script.attached()], None)]
    with failing_connections(store, RuntimeError("once"), 1):
        with writer._changed:  # they gather, and are then in doubt
            futures = [writer.submit(job) for job in (units[0], Faulty(ZeroDivisionError("planted")), units[1])]
        futures[0].result(20)
    with pytest.raises(StoreError, match="ZeroDivisionError: planted"):
        futures[1].result(20)
    futures[2].result(20)
    assert len(store.reader.experiments("sample")) == 1
    assert audit(store, "sample").balanced


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_store_whose_writer_was_ended_says_so_at_once(store: Store, script: Script) -> None:
    store.commit_now(script.created(), definition=script.definition)
    writer = store._writer
    with writer._changed:
        jobs = [Faulty(SystemExit(), where="apply"), *(Faulty(SystemExit(), 0) for _ in range(600))]
        futures = [writer.submit(job) for job in jobs]
    for future in futures:
        with pytest.raises(StoreError, match="whether this was stored is not known"):
            future.result(20)
    with pytest.raises(StoreError, match="the thread that writes it has ended; restart the"):
        store.commit_now(script.proposed()[1])
    store.close()
