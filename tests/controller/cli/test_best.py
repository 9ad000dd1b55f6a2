"""`labwright campaign best`, and what `campaign show` says of costs and outcome constraints."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.campaign import Campaign
from controller.domain.campaign import Definition
from controller.store.opening import Store
from tests.controller.cli.conftest import Call

DEFINITION = Definition.model_validate(
    {
        "name": "goals",
        "problem": {
            "parameters": {
                "x": {"type": "continuous", "bounds": [0, 1]}, "solvent": {"type": "categorical", "choices": ["a", "b"]},
            },
            "objectives": {"yield": {"goal": "maximize", "unit": "percent"}, "impurity": {"goal": "constrain", "at_most": 2.0}},
            "cost": {"each": 5, "change": {"solvent": 10}, "unit": "EUR"},
            "drift": {"reference": {"x": 0.5, "solvent": "a"}, "every": 4},
            "allow_replicates": True,
        },
        "proposals": {"surrogate": {"kind": "gp", "noise": "robust"}},
        "budget": {"experiments": 30, "cost": 200},
        "lab": {
            "lab": "none", "instruments": {"bench": {"driver": "external"}}, "simulated": True,
            "protocol": [{"step": "measure", "instrument": "bench", "action": "measure"}],
        },
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("store") / "goals.db")
    with Campaign(DEFINITION, store=Store.open(path), device="cpu") as campaign:
        for i in range(16):
            x, solvent = (i * 0.37) % 1.0, "ab"[i % 2 and i > 4]
            # One result that the others contradict.
            measured = 400.0 if i == 6 else 70.0 - 40.0 * (x - 0.6) ** 2 - 0.2 * i
            campaign.tell({"x": x, "solvent": solvent}, {"yield": measured, "impurity": 4.0 * x})
        campaign.ask(1)
    return path


def test_best_settings_are_told_as_the_model_believes(call: Call, filled: str) -> None:
    told = call("campaign", "best", "goals", "--store", filled, "--json").json
    first = told["best"][0]
    assert first["expected"]["impurity"]["mean"] <= 2.0
    assert first["expected"]["yield"]["low"] < first["expected"]["yield"]["mean"] < first["expected"]["yield"]["high"]
    assert 0.0 < first["chance"] <= 1.0
    assert told["outliers"] == {"yield": [7]}
    assert len(told["drift"]) == 2
    said = call("campaign", "best", "goals", "--store", filled)
    assert said.code == 0
    for text in ("Best as the model believes: goals", "SIMULATED", "90 %", "acceptable", "Outliers of yield", "has drifted by"):
        assert text in said.out


def test_show_says_what_was_spent_and_what_is_acceptable(call: Call, filled: str) -> None:
    told = call("campaign", "show", "goals", "--store", filled, "--json").json
    # Seventeen experiments; from the sixth on every one changes the solvent, the last one perhaps.
    assert told["cost"] in (85.0 + 110.0, 85.0 + 120.0)
    assert told["best"][0]["feasible"] is True
    said = call("campaign", "show", "goals", "--store", filled).out
    assert f"{told['cost']:g} of 200 EUR" in said
    assert "maximize yield [percent], impurity <= 2" in said
    assert "acceptable" in said


def test_nothing_measured_has_no_best(call: Call, tmp_path: Path) -> None:
    path = str(tmp_path / "empty.db")
    with Campaign(DEFINITION, store=Store.open(path), device="cpu"):
        pass
    said = call("campaign", "best", "goals", "--store", path)
    assert said.code != 0
    assert "has no complete result yet" in said.err
