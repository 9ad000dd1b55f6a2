"""`labwright campaign why`, `sensitivity` and `slice`, over a store that a campaign in Python has filled."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.campaign import Campaign
from controller.domain.explanation import Explanation, SensitivityReport, Slice
from controller.store.opening import Store
from tests.controller.cli.conftest import Call
from tests.controller.store.samples import make_definition


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with a campaign of eight experiments, the last by the model and under way, and one that has not begun."""
    path = str(tmp_path_factory.mktemp("store") / "filled.db")
    definition = make_definition("filled")
    problem = definition.problem.model_copy(update={"objectives": {"yield": definition.problem.objectives["yield"]}})
    with Campaign(definition.model_copy(update={"problem": problem}), store=Store.open(path), device="cpu") as campaign:
        for _ in range(7):
            (asked,) = campaign.ask(1)
            temperature = float(asked.parameters["temperature"])
            campaign.tell(asked, {"yield": 80.0 - 0.01 * (temperature - 70.0) ** 2 + 5.0 * (asked.parameters["base"] == "CsOAc")})
        campaign.ask(1)
    with Campaign(make_definition("empty"), store=Store.open(path), device="cpu"):
        pass
    return path


def test_why_is_told_in_words_and_as_data(call: Call, filled: str) -> None:
    said = call("campaign", "why", "filled", "--store", filled)
    assert said.code == 0
    for text in ("Why experiment 8 of filled (queued) · SIMULATED DATA", "Proposed by the model, which had learned from 7",
                 "the best measured was", "Nearest measured points", "What matters over the space: yield", "That came close",
                 "Members, with their lengthscales", "temperature [degC]", "percent"):  # fmt: skip
        assert text in said.out
    told = call("campaign", "why", "filled", "--store", filled, "--json").json
    assert told.pop("simulated") is True
    assert told.pop("store") == filled
    explanation = Explanation.model_validate(told)
    assert explanation.experiment == 8
    assert explanation.exact
    assert explanation.same_model
    assert explanation.expected["yield"].measured is None
    measured = call("campaign", "why", "filled", "7", "--store", filled, "--json").json
    assert measured["expected"]["yield"]["measured"] is not None
    assert "Measured:" in " ".join(measured["summary"])


def test_points_without_a_model_are_told_plainly(call: Call, filled: str) -> None:
    said = call("campaign", "why", "filled", "2", "--store", filled)
    assert "A space-filling point, chosen without a model" in said.out
    assert "Members" not in said.out


def test_sensitivity_and_slices(call: Call, filled: str) -> None:
    said = call("campaign", "sensitivity", "filled", "--store", filled)
    assert "Sensitivity of filled · SIMULATED DATA: yield (from 7 observations" in said.out
    assert "█" in said.out
    told = call("campaign", "sensitivity", "filled", "--store", filled, "--json").json
    report = SensitivityReport.model_validate({k: v for k, v in told.items() if k not in ("simulated", "store")})
    assert {e.parameter for e in report.objectives["yield"].effects} == {"temperature", "base"}
    said = call("campaign", "slice", "filled", "temperature", "--through", "3", "--store", filled)
    assert "along temperature, through experiment 3 · SIMULATED DATA" in said.out
    assert "here" in said.out
    assert "●" in said.out
    told = call("campaign", "slice", "filled", "base", "--store", filled, "--json").json
    line = Slice.model_validate({k: v for k, v in told.items() if k not in ("simulated", "store")})
    assert [row.value for row in line.values] == ["KOAc", "CsOAc"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("why", "filled", "99"), "has no experiment 99; it has 1 to 8"),
        (("why", "empty"), "campaign empty has no experiment yet; there is nothing to explain"),
        (("why", "nowhere"), "no campaign 'nowhere'"),
        (("sensitivity", "empty"), "campaign empty has no result yet that a model could learn from"),
        (("slice", "filled", "pressure"), "campaign filled has no parameter 'pressure'; it has temperature, base"),
        (("slice", "empty", "base"), "campaign empty has no result yet"),
    ],
    ids=str,
)
def test_what_cannot_be_told_is_one_line(call: Call, filled: str, words: tuple[str, ...], text: str) -> None:
    said = call("campaign", *words, "--store", filled)
    assert said.code == 2
    assert text in said.err
    assert said.err.count("\n") == 1


def test_they_only_look(call: Call, filled: str) -> None:
    before = Path(filled).read_bytes()
    call("campaign", "why", "filled", "--store", filled)
    assert Path(filled).read_bytes() == before
