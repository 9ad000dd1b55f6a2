"""What is wrong with bounds, desirability, costs and drift: one line per fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.files.checking import check_file
from controller.files.loading import load_campaign
from tests.controller.files.conftest import write

CAMPAIGN = """campaign: goals
parameters:
  solvent: {type: categorical, choices: [DMF, THF]}
  time: {type: discrete, values: [1, 5], unit: h}
objectives:
  yield: {goal: maximize, unit: percent, at_least: 20}
  waste: {goal: minimize}
  impurity: {goal: constrain, at_most: 2}
desirability:
  yield: {from: 20, to: 90, weight: 2}
  waste: {from: 10, to: 0}
cost: {each: 3 + time ** 2, choices: {solvent: {DMF: 4}}, change: {solvent: 10}, unit: EUR}
drift: {reference: {solvent: DMF, time: 1}, every: 2, block: 3}
allow_replicates: auto
budget: {experiments: 3, cost: 100}
lab: {simulator: table, data: rows.csv}
"""
ROWS = "solvent,time,yield,waste,impurity\nDMF,1,30,5,1\nDMF,5,60,6,3\nTHF,5,80,9,1\n"


def test_goals_costs_and_drift_are_read(tmp_path: Path) -> None:
    write(tmp_path, {"campaign.yaml": CAMPAIGN, "rows.csv": ROWS})
    definition = load_campaign(tmp_path / "campaign.yaml")
    assert definition.problem.desirability["waste"].worthless == 10
    assert definition.problem.cost is not None
    assert definition.problem.cost.of({"solvent": "DMF", "time": 5.0}, {"solvent": "THF", "time": 5.0}) == 42.0
    assert definition.problem.drift is not None
    assert definition.problem.drift.blocks([1, 3, 4]) == [0, 0, 1]
    # What is kept can be read again, to the same fingerprint.
    again = type(definition).model_validate_json(definition.model_dump_json())
    assert again.fingerprint == definition.fingerprint


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("at_least: 20", "limits: [0, 10], at_least: 20", ["objectives.yield", "at_least: 20 lies beyond the limits 0 to 10"]),
        ("waste: {goal: minimize}", "waste: {goal: minimize, limits: [0]}", ["objectives.waste.limits"]),
        ("at_most: 2}", "}", ["objectives.impurity", "goal: constrain needs at_least, at_most or both"]),
        ("at_least: 20", "at_least: 20, at_most: 10", ["objectives.yield", "at_least 20 must be below at_most 10"]),
        ("from: 20, to: 90", "from: 90, to: 20", ["desirability.yield", "from 90 must be below to 20"]),
        ("  waste: {from: 10, to: 0}\n", "", ["desirability", "says nothing of waste"]),
        ("yield: {from: 20", "impurity: {from: 1, to: 0}\n  yield: {from: 20", ["desirability.impurity", "no objective"]),
        ("to: 90, weight: 2", "too: 90", ["desirability.yield.too", "unknown key"]),
        ("time ** 2", "tim ** 2", ["cost.each", "tim is no parameter", "time"]),
        ("3 + time ** 2", "solvent", ["cost.each", "solvent has choices"]),
        ("3 + time ** 2", "time +", ["cost.each", "is not an expression"]),
        ("3 + time ** 2", "time - 1", ["cost.each", "comes to 0 at time = 1"]),
        ("{DMF: 4}", "{DMSO: 4}", ["cost.choices.solvent.DMSO", "is no choice of solvent"]),
        ("change: {solvent", "change: {solvnt", ["cost.change.solvnt", "is no parameter", "solvent"]),
        ("time: 1}, every", "time: 2}, every", ["drift.reference.time: 2", "is not what time may be"]),
        ("DMF, time: 1}, every", "THF, time: 1}, every", ["drift.reference", "none of the settings possible"]),
        ("{solvent: DMF, time: 1}", "{solvent: DMF}", ["drift.reference", "does not set time"]),
        ("every: 2, ", "", ["drift", "reference needs every"]),
        ("allow_replicates: auto", "allow_replicates: often", ['allow_replicates: "often": must be one of', "auto"]),
    ],
)
def test_what_is_wrong_is_told_in_one_line_with_its_place(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    assert old in CAMPAIGN
    write(tmp_path, {"campaign.yaml": CAMPAIGN.replace(old, new), "rows.csv": ROWS})
    faults = check_file(tmp_path / "campaign.yaml")
    assert len(faults) == 1, faults
    for text in expected:
        assert text in faults[0]


def test_a_budget_of_cost_needs_a_cost(tmp_path: Path) -> None:
    text = "\n".join(line for line in CAMPAIGN.splitlines() if not line.startswith("cost:"))
    write(tmp_path, {"campaign.yaml": text, "rows.csv": ROWS})
    (fault,) = check_file(tmp_path / "campaign.yaml")
    assert "budget.cost" in fault
    assert "add cost" in fault


def test_replicates_decided_by_itself_are_for_one_score(tmp_path: Path) -> None:
    text = CAMPAIGN.replace("desirability:\n  yield: {from: 20, to: 90, weight: 2}\n  waste: {from: 10, to: 0}\n", "")
    write(tmp_path, {"campaign.yaml": text, "rows.csv": ROWS})
    (fault,) = check_file(tmp_path / "campaign.yaml")
    assert 'allow_replicates: "auto": auto is for one objective' in fault
