"""The context: told by people, learned from as it was, proposed for as it is, and asked for while it is unknown."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.campaign import Campaign
from controller.domain.campaign import CampaignStatus
from controller.domain.event import (
    CampaignCreated,
    CampaignStatusChanged,
    ContextTold,
    Event,
    ExperimentProposed,
    ExperimentStatusChanged,
    Observation,
)
from controller.domain.experiment import ExperimentStatus
from controller.domain.proposal import Proposal
from controller.domain.request import Observed
from controller.domain.state import CampaignState
from controller.engine.context import context_event, untold
from controller.engine.ledger import Ledger
from controller.engine.proposing import Proposed, Proposing
from controller.engine.thinking import propose, stand_in
from controller.errors import ConflictError
from controller.files.loading import load_campaign
from controller.store.audit import audit
from controller.store.opening import Store
from controller.verbs.export import as_csv
from controller.verbs.stores import find
from instruments.clock import SystemClock
from tests.controller.cli.conftest import Call, call, state_home
from tests.controller.spaces import continuous, pool_problem, problem, request
from tests.integration.support import write_campaign

__all__ = ["call", "state_home"]

CONTEXT = """context:
  humidity: {type: continuous, bounds: [0, 100], unit: percent}
  room: {type: categorical, choices: [A, B]}
"""


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    """The books of a campaign that runs and knows nothing of its context."""
    definition = load_campaign(write_campaign(tmp_path, extra=CONTEXT))
    with Store.open(f"sqlite:///{tmp_path / 'books.db'}") as store:
        ledger = Ledger(definition, CampaignState(lean=True), store, SystemClock())
        stamp = {"campaign": "c", "at": ledger.clock.time()}
        fingerprint = definition.fingerprint
        created = CampaignCreated(**stamp, name="test", definition_fingerprint=fingerprint, seed=0, simulated=True)
        ledger.state.apply(created)
        await store.commit([created], definition=definition)
        await ledger.record(CampaignStatusChanged(**stamp, status=CampaignStatus.RUNNING))
        yield ledger


class _Ready:
    """A proposer that is never asked."""

    class ready:  # noqa: N801 - as an event
        @staticmethod
        def is_set() -> bool:
            return True


async def test_nothing_is_proposed_before_the_context_is_known(ledger: Ledger) -> None:
    proposing = Proposing(ledger, _Ready(), "cpu", lambda answer: None)  # type: ignore[arg-type]  # it must not be asked
    await proposing.go_on()
    await proposing.go_on()
    assert proposing.wanted() == 0
    assert not proposing.thinking
    assert list(ledger.alarms) == [
        "nothing is proposed before the context is known: labwright campaign context test humidity=VALUE room=VALUE"
    ]
    told = context_event(ledger.state, ledger.definition, {"values": {"humidity": "43", "room": "B"}, "by": "Ada"}, 5.0)
    await ledger.record(told)
    assert untold(ledger.definition.problem, ledger.state) == ()
    assert proposing.wanted() == 1
    assert ledger.request(1, "cpu").context == {"humidity": 43.0, "room": "B"}
    (answer,) = stand_in(ledger.request(1, "cpu"))
    assert answer.context == {"humidity": 43.0, "room": "B"}
    await proposing.accept(Proposed([answer]))
    assert [e.proposal.point for e in ledger.state.experiments.values()] == [answer.point]


async def test_experiment_is_learned_with_the_context_it_began_in(ledger: Ledger, tmp_path: Path) -> None:
    stamp = {"campaign": "c", "at": ledger.clock.time()}
    point = {"a": 0.0, "b": 0.0, "c": "left"}
    proposal = Proposal(point=point, source="user", context={"humidity": 20.0, "room": "A"})
    events: list[Event] = [
        ContextTold(**stamp, values={"humidity": 20.0, "room": "A"}),
        ExperimentProposed(**stamp, experiment="e", number=1, proposal=proposal),
        ExperimentStatusChanged(**stamp, experiment="e", status=ExperimentStatus.QUEUED),
        ContextTold(**stamp, values={"humidity": 60.0}, by="Ada"),
        ExperimentStatusChanged(**stamp, experiment="e", status=ExperimentStatus.RUNNING),
    ]
    await ledger.record(*events)
    assert ledger.request(1, "cpu").pending == ({**point, "humidity": 60.0, "room": "A"},)
    later = {"campaign": "c", "at": ledger.clock.time() + 60.0}
    done = {"y": Observation(value=7.0)}
    await ledger.record(
        ContextTold(**later, values={"humidity": 90.0}),
        ExperimentStatusChanged(**later, experiment="e", status=ExperimentStatus.COMPLETED, observations=done),
    )
    asked = ledger.request(1, "cpu")
    assert asked.observed.settings() == [{**point, "humidity": 60.0, "room": "A"}]
    assert asked.context == {"humidity": 90.0, "room": "A"}
    assert ledger.best[0]["parameters"] == {**point, "humidity": 60.0, "room": "A"}
    url = f"sqlite:///{tmp_path / 'books.db'}"
    with find([url], "test") as found:
        assert audit(found.reader, found.id).differences == []
        (row,) = csv.DictReader(io.StringIO(as_csv(found)))
        assert (row["humidity"], row["room"], row["a"], row["y"]) == ("60.0", "A", "0.0", "7.0")
        assert found.reader.experiment(found.id, 1)["context"] == {"humidity": 60.0, "room": "A"}
        shown = {r["name"]: (r["value"], r["by"]) for r in found.reader.context(found.id)}
        assert shown == {"humidity": (90.0, ""), "room": ("A", "")}


async def test_what_cannot_be_the_context_is_refused(ledger: Ledger) -> None:
    for values, words in (
        ({"humidity": "wet"}, "humidity=wet: must be a number of percent, without the unit"),
        ({"humidity": 143}, "must be within 0, 100 percent"),
        ({"room": "C"}, "room=C: must be one of A, B"),
        ({"rooms": "A"}, "rooms is no context variable of test; there is humidity, room"),
        ({}, "nothing was told; write NAME=VALUE for humidity, room"),
    ):
        with pytest.raises(ConflictError, match=words):
            context_event(ledger.state, ledger.definition, {"values": values}, 5.0)


async def test_command_tells_and_shows_the_context(ledger: Ledger, tmp_path: Path, call: Call) -> None:
    store = tmp_path / "books.db"
    said = call("campaign", "context", "test", "humidity=43", "room=B", "--store", store)
    assert said.code == 0
    assert "noted: humidity = 43, room = B" in said.out
    shown = call("campaign", "context", "test", "--store", store, "--json").json
    assert {r["name"]: r["value"] for r in shown["context"]} == {"humidity": 43.0, "room": "B"}
    assert call("campaign", "context", "test", "humidity", "--store", store, "--json").code != 0
    assert "must be within" in call("campaign", "context", "test", "humidity=430", "--store", store).err


def test_context_is_told_in_python(tmp_path: Path) -> None:
    with Campaign.load(write_campaign(tmp_path, extra=CONTEXT)) as campaign:
        with pytest.raises(ConflictError, match="call tell_context with humidity, room"):
            campaign.ask()
        with pytest.raises(ConflictError, match="must be one of A, B"):
            campaign.tell_context({"room": "C"})
        campaign.tell_context({"humidity": 30, "room": "A"})
        (first,) = campaign.ask()
        campaign.tell(first, {"y": 1.0})
        assert campaign.best()[0]["parameters"] == {**first.parameters, "humidity": 30.0, "room": "A"}
        campaign.tell_context({"humidity": 70})
        (second,) = campaign.ask()
        assert second.proposal.context == {"humidity": 70.0, "room": "A"}
        at, of = campaign.predict([first.parameters, {**first.parameters, "humidity": 30.0}])
        assert at["y"].sd > of["y"].sd  # where it was measured it is known better


def test_model_proposes_for_the_context_of_now() -> None:
    space = problem(continuous("a"), context={**continuous("h"), "room": {"type": "categorical", "choices": ["A", "B"]}})
    observed = [
        Observed(point={"a": a / 6, "h": h, "room": "A"}, values={"y": -((a / 6 - h) ** 2)})
        for a in range(7)
        for h in (0.2, 0.5, 0.8)
    ]
    for h in (0.15, 0.85):
        asked = request(space, observed, []).model_copy(update={"context": {"h": h, "room": "A"}})
        (found,) = propose(asked)
        assert found.source == "model", found.note
        assert found.point.keys() == {"a"}
        assert abs(float(found.point["a"]) - h) < 0.15
        assert found.context == {"h": h, "room": "A"}
        (again,) = propose(asked.model_copy(update={"pending": ({"a": found.point["a"], "h": h, "room": "A"},)}))
        assert again.point != found.point


def test_listed_rows_are_chosen_for_the_context_of_now() -> None:
    space = pool_problem(40, 1, context=continuous("h"))
    rows = [space.pool.row(i) for i in range(0, 40, 3)] if space.pool else []
    observed = [
        Observed(point={**row, "h": i % 3 / 2}, values={"y": -((float(row["x0"]) - i % 3 / 2) ** 2)}) for i, row in enumerate(rows)
    ]
    chosen = []
    for h in (0.1, 0.9):
        (found,) = propose(request(space, observed, []).model_copy(update={"context": {"h": h}}))
        assert found.source == "model", found.note
        assert space.allows(found.point)
        chosen.append(float(found.point["x0"]))
    assert chosen[0] < chosen[1]
