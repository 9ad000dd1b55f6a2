"""Proposals are derived again from the log: the same bit for bit, or it is said where they part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from controller.campaign import Campaign
from controller.domain.campaign import Definition
from controller.domain.event import Event, ExperimentProposed
from controller.engine.replaying import replay
from controller.learn.software import software
from controller.store.opening import Store
from tests.controller.cli.conftest import Call, call
from tests.controller.store.samples import make_definition

__all__ = ["call"]  # a fixture of the command line's tests


def one_objective(experiments: int = 50) -> Definition:
    definition = make_definition(experiments=experiments)
    problem = definition.problem.model_copy(update={"objectives": {"yield": definition.problem.objectives["yield"]}})
    return definition.model_copy(update={"problem": problem})


@pytest.fixture
def campaign(tmp_path: Path) -> Iterator[Campaign]:
    with Campaign(one_objective(), store=Store.open(str(tmp_path / "c.db")), device="cpu") as campaign:
        yield campaign


def work(campaign: Campaign) -> list[Event]:
    """Batches in which some fail, one is retracted, one never ends and one is a person's own."""
    for turn in range(5):
        asked = campaign.ask(2)
        x = float(asked[0].parameters["temperature"])
        campaign.tell(asked[0], {"yield": 80.0 - 0.01 * (x - 70.0) ** 2})
        if turn == 2:
            campaign.tell(asked[1], None, reason="clogged")
            campaign.tell({"temperature": 33.0, "base": "KOAc"}, {"yield": 55.0})
        elif turn != 3:
            campaign.tell(asked[1], {"yield": 50.0 + turn})
        if turn == 1:
            campaign.retract(1, "wrong bottle")
    campaign.retract(1, "it was the right one", undo=True)
    campaign.ask()
    assert campaign._store is not None
    return campaign._store.events(campaign.state.id)


def _changed(events: list[Event], number: int, **changes: object) -> list[Event]:
    return [
        e.model_copy(update={"proposal": e.proposal.model_copy(update=changes)})
        if isinstance(e, ExperimentProposed) and e.number == number else e
        for e in events
    ]  # fmt: skip


def test_every_proposal_comes_out_the_same_and_what_differs_is_named(campaign: Campaign, call: Call, tmp_path: Path) -> None:
    events = work(campaign)
    threads = torch.get_num_threads()
    software.cache_clear()
    torch.set_num_threads(threads + 1)  # proposals are made on one, whoever asks
    try:
        found = list(replay(campaign.definition, events))
    finally:
        torch.set_num_threads(threads)
    assert not any(r.changed for r in found)
    assert [r.number for r in found] == [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12]  # the seventh is a person's own
    assert all(r.same for r in found), [r.difference for r in found if not r.same]
    assert {r.source for r in found} == {"space-filling", "model"}
    proposal = next(e.proposal for e in events if isinstance(e, ExperimentProposed) and e.number == 11)
    assert proposal.basis is not None
    assert proposal.basis.position == 1
    assert proposal.acquisition is not None

    # The last bit of the acquisition value.
    (one,) = replay(campaign.definition, _changed(events, 11, acquisition=proposal.acquisition * (1 + 3e-16)), {11})
    assert one.same is False
    assert one.difference.startswith("acquisition: ")
    assert not one.changed

    older = proposal.basis.model_copy(update={"software": {**software(), "torch": "1.0"}})
    (one,) = replay(campaign.definition, _changed(events, 11, basis=older, point={"temperature": 20.0, "base": "KOAc"}), {11})
    assert one.difference.startswith("point.temperature: 20.0 was kept")
    assert one.changed == {"torch": ("1.0", software()["torch"])}

    (one,) = replay(campaign.definition, _changed(events, 11, basis=None), {11})
    assert one.same is None

    store = tmp_path / "c.db"
    told = call("campaign", "replay", "sample", "--store", store, "--number", "11", "--number", "2", "--json").json
    assert (told["same"], told["compared"], [p["number"] for p in told["proposals"]]) == (True, 2, [2, 11])
    assert "1 of 1 proposals come out the same" in call("campaign", "replay", "sample", "--store", store, "--number", "3").out
    refused = call("campaign", "replay", "sample", "--store", store, "--number", "7")
    assert refused.code == 2
    assert "user point" in refused.err
    assert "it has 1 to 12" in call("campaign", "replay", "sample", "--store", store, "--number", "99").err


def test_replay_of_an_altered_log_ends_with_exit_code_one(call: Call, tmp_path: Path) -> None:
    store = Store.open(str(tmp_path / "c.db"))
    with Campaign(one_objective(), store=store, device="cpu") as campaign:
        (first,) = campaign.ask()
        proposal = first.proposal.model_copy(update={"point": {"temperature": 20.5, "base": "KOAc"}})
        event = ExperimentProposed(**campaign._stamp(), experiment="x", number=2, proposal=proposal)
        store.commit_now([event])
    said = call("campaign", "replay", "sample", "--store", tmp_path / "c.db")
    assert said.code == 1
    assert "point.temperature: 20.5 was kept" in said.out
    assert "1 of 2 proposals" in said.out
