"""What the loop makes of proposals, on real books and with a proposer that a test plays."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from controller.design.initial import seen_points
from controller.domain.base import Point
from controller.domain.campaign import CampaignStatus
from controller.domain.event import CampaignCreated, CampaignStatusChanged
from controller.domain.objective import Objective
from controller.domain.parameter import DiscreteParameter
from controller.domain.proposal import Proposal
from controller.domain.request import Request
from controller.domain.space import Problem
from controller.domain.state import CampaignState
from controller.engine.asking import request_for
from controller.engine.ledger import Ledger
from controller.engine.proposing import Proposed, Proposing
from controller.engine.thinker import Thinker
from controller.files.loading import load_campaign
from controller.store.opening import Store
from instruments.clock import SystemClock
from tests.integration.support import write_campaign

LEVELS = (-2.0, -1.0, 0.0, 1.0)


@pytest.mark.parametrize("after_a_restart", [False, True])
async def test_every_setting_of_a_small_space_is_entered_once(tmp_path: Path, after_a_restart: bool) -> None:
    problem = Problem(
        parameters={"charge": DiscreteParameter(type="discrete", values=LEVELS)}, objectives={"y": Objective(goal="maximize")}
    )
    definition = load_campaign(write_campaign(tmp_path, batch=10)).model_copy(update={"problem": problem})
    stamp = {"campaign": "c", "at": 0.0}
    with Store.open(f"sqlite:///{tmp_path / 'books.db'}") as store:
        ledger = Ledger(definition, CampaignState(lean=True), store, SystemClock())
        created = CampaignCreated(
            **stamp, name="test", definition_fingerprint=definition.fingerprint, seed=0, simulated=True
        )
        ledger.state.apply(created)
        await store.commit([created], definition=definition)
        await ledger.record(CampaignStatusChanged(**stamp, status=CampaignStatus.RUNNING))
        proposing = Proposing(ledger, Thinker(tmp_path / "log"), "cpu", lambda _: None)
        for charge in (*LEVELS, *LEVELS, -0.0):
            await proposing.accept(Proposed([Proposal(point={"charge": charge}, source="model")]))
            if after_a_restart:
                proposing = Proposing(ledger, Thinker(tmp_path / "log"), "cpu", lambda _: None)
        assert [e.point["charge"] for e in ledger.state.experiments.values()] == [*LEVELS]


async def test_proposer_is_told_of_what_it_has_proposed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.engine.asking.MOST_LISTED", 3)
    monkeypatch.setattr("controller.engine.asking.selected", lambda *_: [])
    monkeypatch.setitem(request_for.__kwdefaults__, "most_others", 1)
    problem = Problem(
        parameters={"charge": DiscreteParameter(type="discrete", values=LEVELS)}, objectives={"y": Objective(goal="maximize")}
    )
    definition = load_campaign(write_campaign(tmp_path, batch=10)).model_copy(update={"problem": problem})
    stamp = {"campaign": "c", "at": 0.0}
    with Store.open(f"sqlite:///{tmp_path / 'books.db'}") as store:
        ledger = Ledger(definition, CampaignState(lean=True), store, SystemClock())
        created = CampaignCreated(**stamp, name="test", definition_fingerprint=definition.fingerprint, seed=0, simulated=True)
        ledger.state.apply(created)
        await store.commit([created], definition=definition)
        await ledger.record(CampaignStatusChanged(**stamp, status=CampaignStatus.RUNNING))
        for number, charge in enumerate(LEVELS[:3], start=1):
            ledger.state.history.put(number, {"charge": charge}, None)
        asked: list[list[Point]] = []

        class Stubborn(Thinker):
            """Proposes the first setting that it was not told of."""

            async def propose(self, request: Request) -> list[Proposal]:
                asked.append(seen_points(request))
                point = next({"charge": c} for c in LEVELS if {"charge": c} not in asked[-1])
                return [Proposal(point=point, source="model")]

        answers: asyncio.Queue[Proposed] = asyncio.Queue()
        proposing = Proposing(ledger, Stubborn(tmp_path / "log"), "cpu", answers.put_nowait)
        while not ledger.state.experiments:
            assert len(asked) < 4
            await proposing.go_on()
            await proposing.accept(await answers.get())
        assert asked[0] == [{"charge": LEVELS[2]}], "the newest alone"
        assert [len(points) for points in asked] == [1, 2, 3]
        assert [e.point["charge"] for e in ledger.state.experiments.values()] == [LEVELS[3]]
