"""What a proposal rested on is found in the log again, whatever happened between question and answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.campaign import Campaign
from controller.design.initial import data_fingerprint
from controller.domain.event import Event
from controller.domain.state import fold
from controller.engine.recalling import recall
from controller.engine.thinking import propose
from controller.errors import UnknownNameError
from controller.store.opening import Store
from tests.controller.store.samples import make_definition


@pytest.fixture
def campaign(tmp_path: Path) -> Iterator[Campaign]:
    definition = make_definition(experiments=50)
    problem = definition.problem.model_copy(update={"objectives": {"yield": definition.problem.objectives["yield"]}})
    definition = definition.model_copy(update={"problem": problem})
    with Campaign(definition, store=Store.open(str(tmp_path / "c.db")), device="cpu") as campaign:
        yield campaign


def log(campaign: Campaign) -> list[Event]:
    assert campaign._store is not None
    return campaign._store.events(campaign.state.id)


def measure(temperature: float) -> dict[str, float]:
    return {"yield": 80.0 - 0.01 * (temperature - 70.0) ** 2}


def test_every_proposal_of_batches_failures_and_retractions(campaign: Campaign) -> None:
    for turn in range(5):
        asked = campaign.ask(2)
        campaign.tell(asked[0], measure(float(asked[0].parameters["temperature"])))
        if turn == 2:
            campaign.tell(asked[1], None, reason="clogged")
        elif turn != 3:  # one stays under way
            campaign.tell(asked[1], measure(float(asked[1].parameters["temperature"])))
        if turn == 1:
            campaign.retract(1, "wrong bottle")
    events = log(campaign)
    for experiment in fold(events).experiments.values():
        recalled = recall(campaign.definition, events, experiment.number)
        assert recalled.exact, experiment.number
        assert data_fingerprint(recalled.request) == experiment.proposal.data_fingerprint
        assert all(number < experiment.number for number in recalled.numbers)
        assert len(recalled.numbers) == len(recalled.request.observed)
    last = recall(campaign.definition, events, 9)
    assert 1 not in last.numbers
    assert 6 in last.numbers
    assert len(last.request.pending) == 1


def test_results_that_came_while_the_model_was_thinking_are_left_out(campaign: Campaign) -> None:
    first = campaign.ask(6)
    for asked in first[:5]:
        campaign.tell(asked, measure(float(asked.parameters["temperature"])))
    thinking = propose(campaign._request(2))
    campaign.tell(first[5], measure(float(first[5].parameters["temperature"])))
    for proposal in thinking:
        campaign._enter(proposal)
    events = log(campaign)
    for number in (7, 8):
        recalled = recall(campaign.definition, events, number)
        assert recalled.exact
        assert recalled.numbers == (1, 2, 3, 4, 5)
        assert recalled.request.pending[0] == first[5].parameters
        assert len(recalled.request.pending) == number - 6


def test_data_that_are_not_those_of_the_proposal_are_told(campaign: Campaign) -> None:
    asked = campaign.ask(1)[0]
    other = asked.proposal.model_copy(update={"data_fingerprint": "0" * 64})
    campaign._enter(other)
    assert recall(campaign.definition, log(campaign), 1).exact
    assert not recall(campaign.definition, log(campaign), 2).exact


def test_unknown_experiment_is_refused_in_one_line(campaign: Campaign) -> None:
    with pytest.raises(UnknownNameError, match="no experiment 3; it has none yet"):
        recall(campaign.definition, log(campaign), 3)
