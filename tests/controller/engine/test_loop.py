"""One campaign's turns: what was decided before a death is carried to its end after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.domain.campaign import CampaignStatus
from controller.domain.event import (
    AttemptCommitted,
    CampaignCreated,
    CampaignStatusChanged,
    ExperimentProposed,
    ExperimentStatusChanged,
)
from controller.domain.experiment import ExperimentStatus
from controller.domain.proposal import Proposal
from controller.domain.state import CampaignState, fold
from controller.engine.loop import CampaignLoop
from controller.engine.session import LabSession
from controller.engine.thinker import Thinker
from controller.errors import ConflictError
from controller.files.loading import load_campaign
from controller.store.opening import Store
from instruments.client import AttemptFinished, AttemptReported
from instruments.protocol.values import FaultCode, Faulted
from tests.integration.support import write_campaign

STAMP = {"campaign": "c", "at": 0.0}
POINT = {"a": 0.0, "b": 0.0, "c": "left"}


@pytest.fixture
async def loop(tmp_path: Path) -> AsyncIterator[CampaignLoop]:
    """A campaign that runs, with one experiment queued."""
    definition = load_campaign(write_campaign(tmp_path))
    with Store.open(f"sqlite:///{tmp_path / 'books.db'}") as store:
        begun = [
            CampaignCreated(**STAMP, name="test", definition_fingerprint=definition.fingerprint, seed=0, simulated=True),
            CampaignStatusChanged(**STAMP, status=CampaignStatus.RUNNING),
            ExperimentProposed(**STAMP, experiment="e", number=1, proposal=Proposal(point=POINT, source="user")),
            ExperimentStatusChanged(**STAMP, experiment="e", status=ExperimentStatus.QUEUED),
        ]
        await store.commit(begun, definition=definition)
        session = LabSession(definition.lab, tmp_path / "lab")
        yield CampaignLoop(definition, fold(begun, lean=True), store, session, Thinker(tmp_path / "log"), "cpu")


def _stored(loop: CampaignLoop) -> CampaignState:
    return fold(loop._ledger._store.events("c"))


async def test_stop_that_was_cut_short_by_a_death_cancels_what_waits(loop: CampaignLoop) -> None:
    await loop._ledger.record(CampaignStatusChanged(**STAMP, status=CampaignStatus.STOPPING, reason="stopped by request"))
    await loop._go_on()
    stored = _stored(loop)
    assert (stored.status, stored.experiments["e"].status) == (CampaignStatus.COMPLETED, ExperimentStatus.CANCELLED)


async def test_abort_is_in_the_books_before_anybody_is_told(loop: CampaignLoop) -> None:
    assert "aborting" in await loop._carry_out("abort", {})
    await loop._ledger.record()
    assert _stored(loop).status is CampaignStatus.STOPPING
    await loop._go_on()
    stored = _stored(loop)
    assert (stored.status, stored.reason) == (CampaignStatus.FAILED, "aborted by request")
    assert stored.experiments["e"].status is ExperimentStatus.CANCELLED


def _next_controller(loop: CampaignLoop, tmp_path: Path) -> CampaignLoop:
    """Return the loop of a controller that comes after the death of the one before."""
    store = loop._ledger._store
    state = fold(store.events("c"), lean=True)
    return CampaignLoop(loop.definition, state, store, LabSession(loop.definition.lab, tmp_path / "lab"), Thinker(tmp_path), "cpu")


@pytest.mark.parametrize("verbs", [["abort"], ["stop", "abort"], ["abort", "abort"]], ids=" then ".join)
async def test_abort_is_carried_through_by_the_next_controller(
    loop: CampaignLoop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verbs: list[str]
) -> None:
    running = ExperimentStatusChanged(**STAMP, experiment="e", status=ExperimentStatus.RUNNING)
    committed = AttemptCommitted(
        **STAMP, attempt="a", experiment="e", step="measure", ordinal=1, instrument="bench", action="measure", arguments={}
    )
    await loop._ledger.record(running, committed)
    for verb in verbs:
        await loop._carry_out(verb, {"reason": f"{verb} by alice"})
    await loop._ledger.settle()
    after = _next_controller(loop, tmp_path)
    told: list[str] = []
    monkeypatch.setattr(after._session, "cancel", lambda attempt: told.append(attempt.id))
    monkeypatch.setattr(after._session, "send", lambda attempt, **_: pytest.fail(f"{attempt.id} was sent"))
    await after._go_on()
    assert told == ["a"]
    for status in ("never_heard", "accepted", "running"):  # its driver comes back only now
        await after._handle(AttemptReported("bench", "a", status, None))  # type: ignore[arg-type]  # it is one of them
    assert told == ["a"] * 4
    await after._go_on()
    assert _stored(loop).status is CampaignStatus.STOPPING
    cancelled = Faulted(code=FaultCode.cancelled, message="cancelled", retryable=False, started_at=0.0, finished_at=1.0)
    await after._handle(AttemptFinished("bench", "a", cancelled))
    await after._go_on()
    stored = _stored(loop)
    assert (stored.status, stored.reason) == (CampaignStatus.FAILED, "abort by alice")
    assert stored.experiments["e"].status is ExperimentStatus.CANCELLED


async def test_person_who_waits_no_longer_does_not_end_the_campaign(loop: CampaignLoop) -> None:
    asking = asyncio.create_task(loop.ask("pause", {}))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await loop._handle(loop._inbox.popleft())
    assert _stored(loop).status is CampaignStatus.PAUSED


@pytest.mark.parametrize("verb", ["pause", "stop"])
async def test_request_that_cannot_be_committed_ends_the_loop_and_is_told(loop: CampaignLoop, verb: str) -> None:
    _stored(loop)
    with Store.open(loop._ledger._store.url) as other:  # another program writes this campaign's log
        other.events("c")
        await other.commit([CampaignStatusChanged(**STAMP, status=CampaignStatus.PAUSED)])
    asking = asyncio.create_task(loop.ask(verb, {}))
    await asyncio.sleep(0)
    with pytest.raises(ConflictError, match="another program"):
        await loop._handle(loop._inbox.popleft())
    with pytest.raises(ConflictError, match="another program"):
        await asking


async def test_who_asks_a_loop_that_broke_is_told_and_waits_for_nothing(
    loop: CampaignLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_down() -> None:
        asking.append(asyncio.create_task(loop.ask("pause", {})))
        await asyncio.sleep(0)
        raise RuntimeError("a fault of ours")

    asking: list[asyncio.Task[str]] = []
    monkeypatch.setattr(loop, "_go_on", break_down)
    async with asyncio.timeout(5.0):
        with pytest.raises(RuntimeError, match="a fault of ours"):
            await loop.run()
        for asked in (asking[0], loop.ask("pause", {})):
            with pytest.raises(ConflictError, match="no longer under control here; restart the controller"):
                await asked
