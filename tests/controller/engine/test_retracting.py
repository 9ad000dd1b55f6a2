"""A retracted result leaves what the next proposal rests on, in Python, in the books at work and in what is being thought."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.campaign import Campaign
from controller.design.initial import without_model
from controller.domain.campaign import CampaignStatus
from controller.domain.event import (
    CampaignCreated,
    CampaignStatusChanged,
    Event,
    ExperimentProposed,
    ExperimentStatusChanged,
    Observation,
)
from controller.domain.experiment import ExperimentStatus
from controller.domain.proposal import Proposal
from controller.domain.request import Request
from controller.domain.state import CampaignState
from controller.engine.ledger import Ledger
from controller.engine.proposing import Proposed, Proposing
from controller.engine.retracting import retraction_event, retraction_text
from controller.errors import ConflictError
from controller.files.loading import load_campaign
from controller.store.audit import audit
from controller.store.opening import Store
from instruments.clock import SystemClock
from tests.integration.support import write_campaign

VALUES = {1: 5.0, 2: 9.0, 3: 7.0}


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    """The lean books of a campaign with three results, the best of them in the middle."""
    definition = load_campaign(write_campaign(tmp_path))
    with Store.open(f"sqlite:///{tmp_path / 'books.db'}") as store:
        ledger = Ledger(definition, CampaignState(lean=True), store, SystemClock())
        stamp = {"campaign": "c", "at": ledger.clock.time()}
        created = CampaignCreated(
            **stamp, name="test", definition_fingerprint=definition.fingerprint, seed=0, simulated=True
        )
        ledger.state.apply(created)
        await store.commit([created], definition=definition)
        events: list[Event] = [CampaignStatusChanged(**stamp, status=CampaignStatus.RUNNING)]
        for number, value in VALUES.items():
            key, point = f"e{number}", {"a": 0.0, "b": (number - 1) / 11, "c": "left"}
            proposal = Proposal(point={**point, "b": round(point["b"], 6)}, source="model")  # type: ignore[call-overload]
            events.append(ExperimentProposed(**stamp, experiment=key, number=number, proposal=proposal))
            for status in (ExperimentStatus.QUEUED, ExperimentStatus.RUNNING):
                events.append(ExperimentStatusChanged(**stamp, experiment=key, status=status))
            events.append(
                ExperimentStatusChanged(
                    **stamp, experiment=key, status=ExperimentStatus.COMPLETED, observations={"y": Observation(value=value)}
                )
            )
        await ledger.record(*events)
        yield ledger


async def retract(ledger: Ledger, number: int, *, undo: bool = False) -> None:
    argument = {"experiment": number, "reason": "the vial was empty", "undo": undo}
    await ledger.record(retraction_event(ledger.state, ledger.experiment_id(number), argument, ledger.clock.time()))


async def test_best_is_found_again_without_a_retracted_result(ledger: Ledger) -> None:
    assert [row["experiment"] for row in ledger.best] == [2]
    await retract(ledger, 2)
    assert [row["experiment"] for row in ledger.best] == [3]
    assert ledger.state.history.observations().values == {"y": [5.0, 7.0]}
    assert ledger.state.spent == 3
    await retract(ledger, 2, undo=True)
    assert [row["experiment"] for row in ledger.best] == [2]
    assert ledger.state.history.observations().values == {"y": [5.0, 9.0, 7.0]}
    assert audit(ledger._store, "test").differences == []


async def test_retraction_of_what_is_not_there_is_refused(ledger: Ledger) -> None:
    with pytest.raises(ConflictError, match="campaign test has no experiment 9; it has 3"):
        await retract(ledger, 9)


class HeldThinker:
    """Answers with a space-filling point when it is let; says what it was asked."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self.ready.set()
        self.let = asyncio.Event()
        self.asked: list[Request] = []

    async def propose(self, request: Request) -> list[Proposal]:
        self.asked.append(request)
        await self.let.wait()
        return without_model(request, "model", "")


async def test_answer_that_rests_on_a_retracted_result_is_asked_for_again(ledger: Ledger) -> None:
    thinker, answers = HeldThinker(), asyncio.Queue[Proposed]()
    proposing = Proposing(ledger, thinker, "cpu", answers.put_nowait)  # type: ignore[arg-type]  # all that is needed of it
    await proposing.go_on()
    await asyncio.sleep(0)
    await retract(ledger, 2)
    proposing.know_anew()
    thinker.let.set()
    await proposing.accept(await answers.get())
    assert ledger.state.n_experiments == 3
    await proposing.go_on()
    await proposing.accept(await answers.get())
    assert [len(request.observed) for request in thinker.asked] == [3, 2]
    assert ledger.state.n_experiments > 3
    proposing.close()


async def test_point_of_a_retracted_result_may_be_proposed_again(ledger: Ledger) -> None:
    point = ledger.state.history.get(2)
    assert point is not None
    again = Proposed([Proposal(point=point.point, source="model")])
    proposing = Proposing(ledger, HeldThinker(), "cpu", lambda _: None)  # type: ignore[arg-type]  # never asked
    await proposing.accept(again)
    assert ledger.state.n_experiments == 3
    await retract(ledger, 2)
    proposing.know_anew()
    await proposing.accept(again)
    assert ledger.state.n_experiments == 4


def test_text_lists_what_rested_on_it() -> None:
    rested = [{"number": 4, "status": "completed"}, {"number": 6, "status": "queued"}]
    assert retraction_text(2, False, rested).endswith("2 proposals rested on it: 4 (completed), 6 (queued)")
    assert retraction_text(2, False, []).endswith("no proposal of the model rested on it")


@pytest.mark.timeout(120)
def test_campaign_in_python_retracts_and_takes_back(tmp_path: Path) -> None:
    file = str(tmp_path / "told.db")
    with Campaign.load(write_campaign(tmp_path, extra="proposals: {first_points: 2}\n"), store=file, device="cpu") as campaign:
        for value in (1.0, 8.0, 2.0):
            (suggestion,) = campaign.ask()
            campaign.tell(suggestion, {"y": value})
        assert campaign.retract(2, "a typing error") == [3]
        assert campaign.best()[0]["experiment"] == 3
        with pytest.raises(ConflictError, match="experiment 2 is retracted already"):
            campaign.retract(2, "again")
        with pytest.raises(ConflictError, match="why"):
            campaign.retract(1, "")
        with pytest.raises(ConflictError, match="has no experiment 7"):
            campaign.retract(7, "no such")
    with Campaign.load(tmp_path / "campaign.yaml", store=file, device="cpu") as campaign:
        assert list(campaign.state.history.retracted) == [2]
        (suggestion,) = campaign.ask()
        campaign.tell(suggestion, {"y": 3.0})
        assert campaign.retract(2, "it was right", undo=True) == [3], "4 was proposed without it"
        assert campaign.best()[0]["experiment"] == 2
        campaign.ask()
        assert campaign.retract(2, "it was wrong after all") == [3, 5]
    with Store.open(file) as store:
        assert audit(store, "test", verify=True).differences == []
        assert [e["number"] for e in store.reader.rested_on(store.campaigns()[0].id, 2)] == [3, 5]
