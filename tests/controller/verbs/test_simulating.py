"""A lab with simulated and real instruments: its data say SIMULATED, and each value says of which kind its instrument is."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.domain.campaign import Definition
from controller.domain.state import CampaignState
from controller.engine.supervisor import amended
from controller.errors import ConflictError
from controller.files.loading import load_campaign
from controller.settings import HOME_VARIABLE, default_store_url
from controller.verbs.campaigns import own_store
from controller.verbs.entering import enter_by_hand
from controller.verbs.instruments import list_instruments
from controller.verbs.sheets import about, measurements_sheet
from controller.verbs.stores import find, readers

LAB = """lab: bench
instruments:
  oven:
    driver: simulated-twin
    options:
      driver: command
      options:
        actions:
          bake:
            command: [oven, "{sugar}"]
            arguments: {sugar: {low: 0, high: 1}}
            returns: {heat: {}}
            duration: [9, 90]
            consequence: consumes
  cook:
    driver: person
    options:
      actions: {taste: {instructions: Taste it., returns: {score: {low: 0, high: 10}}, duration: [9, 90], consequence: consumes}}
protocol:
  - {step: bake, instrument: oven, action: bake, with: {sugar: $sugar}}
  - {step: taste, instrument: cook, action: taste, after: [bake], gives: {score: score}}
"""
CAMPAIGN = """campaign: cake
parameters: {sugar: {type: continuous, bounds: [0, 1]}}
objectives: {score: {goal: maximize}}
budget: {experiments: 3}
lab: lab.yaml
"""


@pytest.fixture
def kitchen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Definition:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    (tmp_path / "lab.yaml").write_text(LAB, encoding="utf-8")
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN, encoding="utf-8")
    return load_campaign(tmp_path / "campaign.yaml")


def test_data_of_a_lab_with_both_say_simulated_and_each_value_by_its_instrument(kitchen: Definition) -> None:
    assert (kitchen.simulated, kitchen.lab.simulated, kitchen.lab.twins) == (True, False, ("oven",))
    url = own_store(kitchen)
    assert url == default_store_url(simulated=True)
    enter_by_hand(url, kitchen)
    with find([url], "cake") as found, readers([url]) as opened:
        assert found.simulated
        assert about(found)["data"] == "SIMULATED: values of oven; the other instruments are real"
        told = {row["instrument"]: row["simulated"] for row in list_instruments(opened)[0]}
        assert told == {"oven": True, "cook": False}
        definition = found.reader.definition(found.id)
    assert definition["lab"]["twins"] == ["oven"]
    done = {"experiment": "e", "step": "s", "ordinal": 1, "action": "a"}
    measured = [{"name": "v", "value": 1.0, "unit": None, "sem": None, "at": None}]
    attempts = [{**done, "instrument": name, "measurements": measured} for name in ("oven", "cook")]
    sheet = measurements_sheet("cake", definition, [{"id": "e", "number": 1}], attempts, simulated=True)
    kept = [column.name for column in sheet.columns].index("simulated")
    assert [row[kept] for row in sheet.rows] == [True, False]


def test_twin_that_has_no_part_in_the_protocol_simulates_nothing(kitchen: Definition) -> None:
    tasting = tuple(step.model_copy(update={"after": ()}) for step in kitchen.lab.protocol if step.instrument == "cook")
    assert not kitchen.lab.model_copy(update={"protocol": tasting}).gives_simulated


def test_what_an_earlier_version_took_for_real_goes_on_where_it_is(kitchen: Definition) -> None:
    before = kitchen.model_copy(update={"lab": kitchen.lab.model_copy(update={"twins": ()})})
    assert not before.simulated
    url = default_store_url(simulated=False)
    enter_by_hand(url, before)
    assert own_store(kitchen) == url
    goes_on, changes = amended(before, kitchen, CampaignState())
    assert (goes_on.lab.twins, list(changes)) == (("oven",), ["lab"])
    real = {name: spec.model_copy(update={"driver": "command"}) for name, spec in kitchen.lab.instruments.items()}
    other = before.model_copy(update={"lab": before.lab.model_copy(update={"instruments": real})})
    with pytest.raises(ConflictError, match="simulated \\(the store's is real\\)"):
        amended(other, kitchen, CampaignState())
