"""`budget.hours` limits the time at work, whatever clocks are set to and however often controllers die."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.domain.campaign import Budget, CampaignStatus
from controller.domain.event import CampaignCreated, CampaignStatusChanged, ExperimentProposed, ExperimentStatusChanged
from controller.domain.experiment import ExperimentStatus
from controller.domain.proposal import Proposal
from controller.domain.state import CampaignState, fold
from controller.engine.hours import Worked
from controller.engine.loop import CampaignLoop
from controller.engine.session import LabSession
from controller.engine.thinker import Thinker
from controller.files.loading import load_campaign
from controller.store.audit import audit
from controller.store.opening import Store
from instruments.clock import SystemClock
from tests.integration.support import write_campaign

STAMP = {"campaign": "c", "at": 1e9}
HOUR = 3600.0


class SetClock(SystemClock):
    """A clock of which a test says what it shows."""

    def __init__(self) -> None:
        self.wall, self.elapsed = 1e9, 500.0

    def time(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.elapsed


class House:
    """A store, and controllers of one campaign that come and go."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder, self.store, self.clock = folder, store, SetClock()
        read = load_campaign(write_campaign(folder))
        self.definition = read.model_copy(update={"budget": Budget(experiments=100, hours=2.0)})

    async def enter(self) -> None:
        begun = [
            CampaignCreated(**STAMP, name="test", definition_fingerprint=self.definition.fingerprint, seed=0, simulated=True),
            CampaignStatusChanged(**STAMP, status=CampaignStatus.RUNNING),
            ExperimentProposed(
                **STAMP, experiment="e", number=1, proposal=Proposal(point={"a": 0.0, "b": 0.0, "c": "left"}, source="user")
            ),
            ExperimentStatusChanged(**STAMP, experiment="e", status=ExperimentStatus.QUEUED),
        ]
        await self.store.commit(begun, definition=self.definition)

    def controller(self) -> CampaignLoop:
        session = LabSession(self.definition.lab, self.folder / "lab")
        session.clock = self.clock
        state = fold(self.store.events("c"), lean=True)
        return CampaignLoop(self.definition, state, self.store, session, Thinker(self.folder / "log"), "cpu")

    async def work(self, loop: CampaignLoop, seconds: float, step: float = 60.0) -> None:
        for _ in range(int(seconds / step)):
            self.clock.elapsed += step
            self.clock.wall += step
            loop._proposing.exhausted = "test"  # asks for no proposals
            await loop._go_on()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    with Store.open(f"sqlite:///{tmp_path / 'books.db'}") as store:
        made = House(tmp_path, store)
        await made.enter()
        yield made


async def test_clock_that_is_set_forward_or_back_ends_no_campaign(house: House) -> None:
    loop = house.controller()
    for jump in (30 * HOUR, -60 * HOUR, 1e5 * HOUR):
        house.clock.wall += jump
        await house.work(loop, 0.5 * HOUR)
        assert loop.state.status is CampaignStatus.RUNNING
        assert loop.state.experiments["e"].status is ExperimentStatus.QUEUED
    await house.work(loop, 0.6 * HOUR)
    assert loop.state.status is CampaignStatus.COMPLETED
    assert loop.state.reason == "the budget of 2 hours is used up"
    assert loop.state.counts()["cancelled"] == 1


async def test_hours_go_on_over_restarts_and_leave_out_what_lies_between(house: House) -> None:
    for _ in range(3):
        loop = house.controller()
        await loop._go_on()
        await house.work(loop, 0.5 * HOUR)
        house.clock.wall += 200 * HOUR  # nobody is there; and another process has another clock
        house.clock.elapsed = 10.0
    loop = house.controller()
    assert 1.4 * HOUR < loop.state.worked_s <= 1.5 * HOUR
    await loop._go_on()
    await house.work(loop, 0.4 * HOUR)
    assert loop.state.status is CampaignStatus.RUNNING
    await house.work(loop, 0.3 * HOUR)
    assert loop.state.status is CampaignStatus.COMPLETED
    assert audit(house.store, "test", verify=True).differences == []


async def test_pause_costs_nothing_and_is_noted_at_once(house: House) -> None:
    loop = house.controller()
    await loop._go_on()
    await house.work(loop, 90.0, step=30.0)
    await loop._carry_out("pause", {})
    await loop._go_on()
    await house.work(loop, 50 * HOUR, step=HOUR)
    assert loop.state.worked_s == pytest.approx(90.0)
    await loop._carry_out("resume", {})
    await loop._go_on()
    await house.work(loop, 1.8 * HOUR)
    assert loop.state.status is CampaignStatus.RUNNING


def test_nothing_is_noted_where_hours_are_not_limited() -> None:
    clock = SetClock()
    worked = Worked(CampaignState(), clock)
    for _ in range(100):
        clock.elapsed += HOUR
        assert worked.count(True, Budget(experiments=5)) is None
    assert worked.seconds == 99 * HOUR
