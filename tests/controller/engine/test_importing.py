"""What is imported enters the books whole or not at all, costs nothing, and never was on these instruments."""

from __future__ import annotations

from typing import Any

import pytest

from controller.domain.event import ExperimentProposed, ExperimentStatusChanged
from controller.domain.experiment import ExperimentStatus
from controller.domain.ids import new_id
from controller.domain.proposal import Proposal
from controller.domain.state import CampaignState, fold
from controller.engine.importing import import_events, imported_text
from controller.engine.pricing import previous_point
from controller.errors import ConflictError
from controller.learn.stopping import experiments_left
from tests.controller.store.samples import Script

POINT = {"temperature": 25.0, "base": "KOAc"}


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def state(script: Script) -> CampaignState:
    return fold(script.created())


def argument(*rows: dict[str, Any], **change: Any) -> dict[str, Any]:
    rows = rows or ({"row": 2, "point": POINT, "values": {"yield": 60.0, "cost": 1.0}, "sem": {"yield": 0.5}},)
    return {"file": "old.csv", "sha256": "ab" * 32, "form": "table", "by": "Ada", "rows": list(rows), **change}


@pytest.mark.parametrize("lean", [False, True])
def test_results_are_learned_from_and_the_budget_stays_whole(script: Script, lean: bool) -> None:
    state = fold(script.created(), lean=lean)
    failed = {"row": 3, "point": {**POINT, "temperature": 30.0}, "values": None, "sem": {}, "reason": "spilt"}
    told = argument(*argument()["rows"], failed)
    for event in import_events(state, script.definition, told, 5.0):
        state.apply(event)
    assert [(e.number, e.values) for e in state.history] == [(1, {"yield": 60.0, "cost": 1.0}), (2, None)]
    assert (state.spent, state.imported) == (0, {1, 2})
    assert experiments_left(script.definition.budget, state) == script.definition.budget.experiments
    assert state.counts()["completed"] == state.counts()["abandoned"] == 1
    assert imported_text(told) == "2 results imported from old.csv, 1 of them failed ones; they cost no budget"


def test_setting_before_is_that_of_the_newest_experiment_on_these_instruments(script: Script, state: CampaignState) -> None:
    key = new_id()
    here = Proposal(point={**POINT, "temperature": 90.0}, source="user")
    state.apply(ExperimentProposed(campaign=state.id, at=6.0, experiment=key, number=1, proposal=here))
    for status in (ExperimentStatus.QUEUED, ExperimentStatus.RUNNING, ExperimentStatus.COMPLETED):
        state.apply(ExperimentStatusChanged(campaign=state.id, at=6.0, experiment=key, status=status))
    for event in import_events(state, script.definition, argument(), 7.0):
        state.apply(event)
    assert state.n_experiments == 2
    assert previous_point(state)["temperature"] == 90.0


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (argument(rows=[]), "holds no results"),
        (argument({"row": 2, "point": {**POINT, "base": "NaOH"}, "values": {"yield": 1.0, "cost": 1.0}}), "not a setting"),
        (argument({"row": 2, "point": POINT, "values": {"yield": 1.0}}), "a value for each of"),
        (argument({"row": 2, "point": POINT, "values": {"yield": "much", "cost": 1.0}}), "cannot be imported"),
        (argument({"row": 2, "point": POINT, "values": {"yield": float("nan"), "cost": 1.0}}), "finite number"),
        (argument({"row": 2, "values": None}), "cannot be imported"),
        (argument({"row": 2, "point": 7, "values": None}), "cannot be imported"),
        (argument(rows=["x"]), "cannot be imported"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_whole_whoever_left_the_request(
    script: Script, state: CampaignState, told: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConflictError, match=message):
        import_events(state, script.definition, told, 5.0)
    assert state.n_experiments == 0


def test_same_content_comes_in_once_under_whatever_name(script: Script, state: CampaignState) -> None:
    for event in import_events(state, script.definition, argument(), 5.0):
        state.apply(event)
    with pytest.raises(ConflictError, match=r"new\.csv was imported into sample already: experiments 1 to 1; nothing was changed"):
        import_events(state, script.definition, argument(file="new.csv"), 6.0)
