"""What is committed is there, whole, once, and in order, on every kind of store."""

from __future__ import annotations

import asyncio
from itertools import chain
from typing import Any

import pytest

from controller.domain.campaign import Budget, CampaignStatus
from controller.domain.event import event_adapter
from controller.domain.experiment import AttemptStatus, ExperimentStatus
from controller.domain.state import fold
from controller.errors import ConflictError, StoreError
from controller.store.opening import Store
from tests.controller.store.conftest import connect_raw, fill, tamper
from tests.controller.store.samples import Script, make_definition


def test_log_returns_every_kind_of_event_as_it_was_written(store: Store, script: Script) -> None:
    units = script.everything()
    store.commit_now(units[0], definition=script.definition)
    store.commit_now([script.amended()], definition=make_definition(experiments=20))
    for unit in units[1:]:
        store.commit_now(unit)
    store.commit_now([script.worked(), script.abort_requested(), script.context_told(), script.imported()])
    told = store.events(script.campaign)
    others = {f"campaign.{what}" for what in ("amended", "worked", "abort_requested", "context_told", "results_imported")}
    assert [e for e in told if e.kind not in others] == list(chain(*units))
    kinds = set(event_adapter.json_schema()["discriminator"]["mapping"])
    assert {e.kind for e in told} == kinds


def test_definition_returns_as_it_was_written(store: Store, script: Script) -> None:
    store.commit_now(script.created(), definition=script.definition)
    assert store.definition("sample") == store.definition(script.campaign) == script.definition


def test_find_knows_name_and_id(filled: Store, script: Script) -> None:
    by_name = filled.find("sample")
    assert by_name is not None
    assert by_name == filled.find(script.campaign) == filled.campaigns()[0]
    assert (by_name.status, by_name.reason, by_name.seed) == (CampaignStatus.RUNNING, "begun", 7)
    assert by_name.simulated is True
    assert by_name.budget_experiments == 10
    assert filled.find("another") is None


def test_log_outlives_the_process_that_wrote_it(store_url: str, script: Script) -> None:
    with Store.open(store_url) as first:
        fill(first, script)
        told = first.events(script.campaign)
    with Store.open(store_url) as second:
        assert second.events(script.campaign) == told
        second.commit_now([script.alarm("again")])
        assert len(second.events(script.campaign)) == len(told) + 1


def test_unit_is_refused_whole_when_one_event_cannot_be_stored(store: Store, script: Script) -> None:
    store.commit_now(script.created(), definition=script.definition)
    experiment, proposed = script.proposed()
    stranger = script.status("no-such-experiment", ExperimentStatus.RUNNING)
    before = store.reader.campaign_rows()
    with pytest.raises(ConflictError, match="no-such-experiment"):
        store.commit_now([*proposed, stranger])
    assert store.reader.experiments("sample") == []
    assert store.reader.campaign_rows() == before
    store.commit_now(proposed)
    assert [e["id"] for e in store.reader.experiments("sample")] == [experiment]


def test_bad_unit_fails_alone_when_it_shares_a_commit(store: Store, script: Script) -> None:
    store.commit_now(script.created(), definition=script.definition)
    units = [script.proposed()[1] for _ in range(3)]
    bad = [script.status("nobody", ExperimentStatus.RUNNING)]

    async def commit_all() -> list[Any]:
        blocker = connect_raw(store.url)
        hold(blocker, store)
        jobs = [asyncio.create_task(store.commit(u)) for u in (units[0], units[1], bad, units[2])]
        await asyncio.sleep(0.2)
        commits = store.n_commits
        let_go(blocker, store)
        outcomes = await asyncio.gather(*jobs, return_exceptions=True)
        assert store.n_commits - commits <= 2
        return outcomes

    outcomes = asyncio.run(commit_all())
    assert [type(o) for o in outcomes] == [type(None), type(None), ConflictError, type(None)]
    assert [e["number"] for e in store.reader.experiments("sample")] == [1, 2, 3]


def hold(connection: Any, store: Store) -> None:
    """Keep everybody else from writing."""
    connection.execute("BEGIN IMMEDIATE" if store.kind == "sqlite" else "BEGIN")
    if store.kind == "postgresql":
        connection.execute("LOCK TABLE event IN ACCESS EXCLUSIVE MODE")


def let_go(connection: Any, store: Store) -> None:
    connection.execute("ROLLBACK")
    connection.close()


def test_units_that_gather_share_one_commit(store: Store, script: Script) -> None:
    store.commit_now(script.created(), definition=script.definition)
    units = [script.proposed()[1] for _ in range(100)]

    async def commit_all() -> int:
        blocker = connect_raw(store.url)
        hold(blocker, store)
        jobs = [asyncio.create_task(store.commit(unit)) for unit in units]
        await asyncio.sleep(0.2)
        before = store.n_commits
        let_go(blocker, store)
        await asyncio.gather(*jobs)
        return store.n_commits - before

    # The first unit may have been taken alone, before the others came.
    assert asyncio.run(commit_all()) <= 2
    assert [e["number"] for e in store.reader.experiments("sample")] == list(range(1, 101))


async def test_commit_is_carried_out_when_its_task_is_cancelled(store: Store, script: Script) -> None:
    store.commit_now(script.created(), definition=script.definition)
    task = asyncio.create_task(store.commit(script.proposed()[1]))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await store.commit([script.alarm()])
    assert len(store.reader.experiments("sample")) == 1


async def test_commit_of_nothing_does_nothing(store: Store) -> None:
    await store.commit([])
    store.commit_now([])
    assert store.n_commits == 0


def test_commit_refuses_a_log_that_another_program_has_written(store: Store, script: Script) -> None:
    store.commit_now(script.created(), definition=script.definition)
    with Store.open(store.url) as other:
        other.commit_now([script.alarm("from the other")])
    mine = [script.alarm("mine")]
    with pytest.raises(ConflictError, match="another program"):
        store.commit_now(mine)
    assert len(store.events(script.campaign)) == 4
    store.commit_now(mine)
    assert [a["message"] for a in store.reader.alarms("sample")] == ["from the other", "mine"]


def test_created_campaign_must_have_a_free_name(filled: Store) -> None:
    second = Script()
    with pytest.raises(ConflictError, match="named sample already"):
        filled.commit_now(second.created(), definition=second.definition)
    assert len(filled.campaigns()) == 1


def test_created_campaign_must_come_with_its_definition(store: Store, script: Script) -> None:
    with pytest.raises(ConflictError, match="without its definition"):
        store.commit_now(script.created())
    with pytest.raises(ConflictError, match="its definition says"):
        store.commit_now(script.created(), definition=make_definition(seed=8))
    assert store.campaigns() == []


def test_amended_budget_holds_and_the_older_definition_is_kept(store: Store, script: Script) -> None:
    store.commit_now(script.created(), definition=script.definition)
    larger = script.definition.model_copy(update={"budget": Budget(experiments=20)})
    store.commit_now([script.amended()], definition=larger)
    assert store.definition("sample") == larger
    assert store.campaigns()[0].budget_experiments == 20
    assert [row["version"] for row in store.reader.definition_rows(script.campaign)] == [1, 2]


def test_amended_search_is_refused(store: Store, script: Script) -> None:
    store.commit_now(script.created(), definition=script.definition)
    with pytest.raises(ConflictError, match="start it as another campaign"):
        store.commit_now([script.amended()], definition=make_definition(seed=8))
    assert store.definition("sample") == script.definition


def test_event_of_an_unknown_campaign_is_refused(store: Store, script: Script) -> None:
    with pytest.raises(ConflictError):
        store.commit_now([script.alarm()])


def test_unit_of_two_campaigns_is_refused(store: Store, script: Script) -> None:
    with pytest.raises(ValueError, match="one campaign"):
        store.commit_now([script.alarm(), Script().alarm()])


def test_closed_store_refuses_to_write(store: Store, script: Script) -> None:
    store.close()
    with pytest.raises(StoreError, match="is closed"):
        store.commit_now([script.alarm()])
    store.close()


def test_database_itself_refuses_to_change_or_delete_an_event(filled: Store) -> None:
    told = filled.reader.events("sample")
    for statement in ("UPDATE event SET kind = 'alarm.raised'", "DELETE FROM event WHERE campaign_sequence = 3"):
        with pytest.raises(Exception, match="never changed or deleted"):
            tamper(filled.url, statement)
    assert filled.reader.events("sample") == told


def test_log_folds_to_the_state_that_was_told(filled: Store, script: Script) -> None:
    state = fold(filled.events(script.campaign))
    counts = {status: n for status, n in state.counts().items() if n}
    assert counts == {"completed": 1, "running": 1, "unknown": 1, "cancelled": 1, "queued": 1}
    assert [a.status for a in state.open_attempts()] == [AttemptStatus.RUNNING]
