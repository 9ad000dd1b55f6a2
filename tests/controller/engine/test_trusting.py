"""A campaign whose results lie outside what was predicted warns once, or pauses, and remembers it over a death."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.domain.campaign import CampaignStatus, Definition
from controller.domain.event import (
    AlarmRaised,
    CampaignCreated,
    CampaignStatusChanged,
    Event,
    ExperimentProposed,
    ExperimentRetracted,
    ExperimentStatusChanged,
    Observation,
)
from controller.domain.experiment import ExperimentStatus
from controller.domain.proposal import Prediction, Proposal
from controller.domain.state import DISTRUST, fold
from controller.engine.ledger import Ledger
from controller.engine.trusting import Trusting
from controller.files.loading import load_campaign
from controller.store.opening import Store
from instruments.clock import SystemClock
from tests.integration.support import write_campaign

STAMP = {"campaign": "c", "at": 0.0}
FAR, NEAR = 100.0, 0.1


def _result(number: int, value: float, definition: Definition) -> list[Event]:
    names = definition.problem.objectives
    proposal = Proposal(
        point={"a": 0.1 * number, "b": 0.0, "c": "left"}, source="model",
        predictions={name: Prediction(mean=0.0, sd=0.5, scale=1.0, freedom=3.0) for name in names},
    )  # fmt: skip
    moves = [ExperimentStatus.QUEUED, ExperimentStatus.RUNNING, ExperimentStatus.COMPLETED]
    observed = {name: Observation(value=value) for name in names}
    return [
        ExperimentProposed(**STAMP, experiment=f"e{number}", number=number, proposal=proposal),
        *(
            ExperimentStatusChanged(
                **STAMP, experiment=f"e{number}", status=status,
                observations=observed if status is ExperimentStatus.COMPLETED else {},
            )
            for status in moves
        ),
    ]  # fmt: skip


@pytest.fixture
async def books(tmp_path: Path) -> AsyncIterator[tuple[Definition, Store]]:
    definition = load_campaign(write_campaign(tmp_path))
    with Store.open(f"sqlite:///{tmp_path / 'books.db'}") as store:
        begun = [
            CampaignCreated(**STAMP, name="test", definition_fingerprint=definition.fingerprint, seed=0, simulated=True),
            CampaignStatusChanged(**STAMP, status=CampaignStatus.RUNNING),
        ]
        await store.commit(begun, definition=definition)
        yield definition, store


def _ledger(definition: Definition, store: Store, policy: str = "alarm") -> Ledger:
    failures = definition.failures.model_copy(update={"distrust": policy})
    definition = definition.model_copy(update={"failures": failures})
    return Ledger(definition, fold(store.events("c"), lean=True), store, SystemClock())


def _alarms(store: Store) -> list[AlarmRaised]:
    return [e for e in store.events("c") if isinstance(e, AlarmRaised) and e.code == DISTRUST]


async def _learn(ledger: Ledger, trusting: Trusting, first: int, n: int, value: float) -> None:
    for number in range(first, first + n):
        await ledger.record(*_result(number, value, ledger.definition))
        await trusting.look()
        await ledger.settle()


async def test_alarm_comes_once_and_needs_new_evidence(books: tuple[Definition, Store]) -> None:
    ledger = _ledger(*books)
    trusting = Trusting(ledger)
    await _learn(ledger, trusting, 1, 9, FAR)
    assert not _alarms(books[1])
    await _learn(ledger, trusting, 10, 6, FAR)
    (alarm,) = _alarms(books[1])
    assert "0 lie inside their 90 % intervals" in alarm.message
    assert ledger.state.status is CampaignStatus.RUNNING
    # Another controller, after a death, knows it from the log.
    again = _ledger(*books)
    await _learn(again, Trusting(again), 16, 3, FAR)
    assert len(_alarms(books[1])) == 1
    await _learn(again, Trusting(again), 19, 2, FAR)
    assert len(_alarms(books[1])) == 2


async def test_campaign_pauses_where_its_file_asks_for_it_and_goes_on_when_resumed(books: tuple[Definition, Store]) -> None:
    ledger = _ledger(*books, policy="pause")
    trusting = Trusting(ledger)
    await _learn(ledger, trusting, 1, 10, FAR)
    assert ledger.state.status is CampaignStatus.PAUSED
    assert "no longer deserves trust" in fold(books[1].events("c")).reason
    await ledger.move_campaign(CampaignStatus.RUNNING, "resumed by request")
    await _learn(ledger, trusting, 11, 9, FAR)
    assert ledger.state.status is CampaignStatus.RUNNING
    await _learn(ledger, trusting, 20, 1, FAR)
    assert ledger.state.status is CampaignStatus.PAUSED


async def test_right_predictions_and_retracted_results_raise_nothing(books: tuple[Definition, Store]) -> None:
    ledger = _ledger(*books)
    trusting = Trusting(ledger)
    await _learn(ledger, trusting, 1, 12, NEAR)
    await _learn(ledger, trusting, 13, 4, FAR)
    for number in range(13, 17):
        await ledger.record(ExperimentRetracted(**STAMP, experiment=f"e{number}", number=number, reason="spilt"))
    await _learn(ledger, trusting, 17, 4, FAR)
    assert not _alarms(books[1])
    assert len(ledger.state.judged_results()) == 16


async def test_it_is_not_looked_at_where_the_file_says_so(books: tuple[Definition, Store]) -> None:
    ledger = _ledger(*books, policy="ignore")
    await _learn(ledger, Trusting(ledger), 1, 15, FAR)
    assert not _alarms(books[1])
