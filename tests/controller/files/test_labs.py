"""Labs that are as they should be, and what the command line makes of them: twins, speed, seed, and where files are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.errors import FileFaultsError
from controller.files.checking import check_file
from controller.files.loading import load_campaign, load_lab
from tests.controller.files.conftest import GOOD_CAMPAIGN, GOOD_LAB, HERE, OVEN_CAMPAIGN, OVEN_LAB, on_lab_file, write


def test_convertible_units_are_accepted(folder: Path) -> None:
    write(folder, {"campaign.yaml": OVEN_CAMPAIGN, "oven.yaml": OVEN_LAB})
    definition = load_campaign(folder / "campaign.yaml")
    assert not definition.simulated
    assert definition.lab.instruments["oven"].options == {"port": "COM1"}


def test_simulate_takes_the_twin_that_the_driver_declares(folder: Path) -> None:
    write(folder, {"campaign.yaml": OVEN_CAMPAIGN, "oven.yaml": OVEN_LAB.replace(":Oven", ":TwinnedOven")})
    definition = load_campaign(folder / "campaign.yaml", simulate=True, speed=50)
    assert definition.simulated
    assert definition.lab.speed == 50
    assert definition.lab.instruments["oven"].driver == f"{HERE}:SimulatedOven"
    assert definition.lab.instruments["oven"].options == {"port": "COM1"}


def test_simulate_takes_the_twin_of_the_file_first(folder: Path) -> None:
    twin = f'options: {{port: COM1}}, twin: {{driver: "{HERE}:SimulatedOven", options: {{port: X}}}}'
    lab = OVEN_LAB.replace(":Oven", ":TwinnedOven").replace("options: {port: COM1}", twin)
    write(folder, {"campaign.yaml": OVEN_CAMPAIGN, "oven.yaml": lab})
    assert load_campaign(folder / "campaign.yaml", simulate=True).lab.instruments["oven"].options == {"port": "X"}
    assert load_campaign(folder / "campaign.yaml").lab.instruments["oven"].options == {"port": "COM1"}


def test_simulate_takes_the_generic_twin_where_none_is_declared(folder: Path) -> None:
    write(folder, {"campaign.yaml": OVEN_CAMPAIGN, "oven.yaml": OVEN_LAB})
    oven = load_campaign(folder / "campaign.yaml", simulate=True).lab.instruments["oven"]
    assert oven.driver == "simulated-twin"
    assert oven.options == {"driver": f"{HERE}:Oven", "options": {"port": "COM1"}}


def test_value_of_an_earlier_step_needs_no_after(folder: Path) -> None:
    lab = GOOD_LAB.replace("    after: [react]\n", "")
    write(folder, {"lab.yaml": lab, "campaign.yaml": on_lab_file(GOOD_CAMPAIGN)})
    assert check_file(folder / "campaign.yaml") == []


def test_generic_twin_takes_driver_options_and_limits_of_its_instrument(folder: Path) -> None:
    more = "options: {port: COM1}, limits: {temperature: [20, 150]}, twin: {driver: simulated-twin}"
    lab = OVEN_LAB.replace("options: {port: COM1}", more)
    write(folder, {"campaign.yaml": OVEN_CAMPAIGN, "oven.yaml": lab})
    spec = load_campaign(folder / "campaign.yaml", simulate=True).lab.instruments["oven"]
    assert spec.options == {"driver": f"{HERE}:Oven", "options": {"port": "COM1"}}
    assert spec.limits == {"temperature": (20, 150)}


def test_external_instrument_without_a_twin_is_refused_under_simulate(folder: Path) -> None:
    lab = GOOD_LAB.replace("driver: simulated-hplc", "driver: external")
    write(folder, {"lab.yaml": lab, "campaign.yaml": on_lab_file(GOOD_CAMPAIGN)})
    with pytest.raises(
        FileFaultsError, match=r"lab.yaml:5: instruments.hplc: nothing can stand in .* YOUR-SIMULATED-DRIVER"
    ):
        load_campaign(folder / "campaign.yaml", simulate=True)


def test_twin_that_is_real_is_refused(folder: Path) -> None:
    lab = OVEN_LAB.replace(
        "options: {port: COM1}", f'options: {{port: A}}, twin: {{driver: "{HERE}:Oven", options: {{port: B}}}}'
    )
    write(folder, {"campaign.yaml": OVEN_CAMPAIGN, "oven.yaml": lab})
    with pytest.raises(FileFaultsError, match=r"oven.yaml:3: instruments.oven.twin: .* is not simulated"):
        load_campaign(folder / "campaign.yaml", simulate=True)


def test_speed_of_the_command_line_is_refused_for_a_real_lab(folder: Path) -> None:
    write(folder, {"campaign.yaml": OVEN_CAMPAIGN, "oven.yaml": OVEN_LAB})
    with pytest.raises(FileFaultsError, match="speed 20 is only for simulated labs, and oven is real"):
        load_campaign(folder / "campaign.yaml", speed=20)


@pytest.mark.parametrize("speed", [0.0, -3.0, 1e9, float("nan")])
def test_speed_out_of_range_is_refused(speed: float, folder: Path) -> None:
    write(folder, {"campaign.yaml": GOOD_CAMPAIGN})
    with pytest.raises(FileFaultsError, match="must be above 0 and at most 1e\\+06"):
        load_campaign(folder / "campaign.yaml", speed=speed)


def test_seed_of_the_command_line_wins_and_is_checked(folder: Path) -> None:
    write(folder, {"campaign.yaml": GOOD_CAMPAIGN})
    assert load_campaign(folder / "campaign.yaml", seed=9).seed == 9
    with pytest.raises(FileFaultsError, match="seed: -1: must be at least 0"):
        load_campaign(folder / "campaign.yaml", seed=-1)


def test_external_driver_is_real_and_checked_when_it_connects(folder: Path) -> None:
    lab = GOOD_LAB.replace("speed: 100\n", "").replace("driver: simulated-hplc", "driver: external")
    write(folder, {"lab.yaml": lab, "campaign.yaml": on_lab_file(GOOD_CAMPAIGN)})
    definition = load_campaign(folder / "campaign.yaml")
    assert (definition.lab.simulated, definition.lab.twins, definition.simulated) == (False, ("reactor",), True)


def test_lab_alone_is_loaded_with_its_own_speed(folder: Path) -> None:
    lab = load_lab(folder / "lab.yaml")
    assert (lab.lab, lab.speed, lab.simulated) == ("bench", 100, True)
    assert [step.after for step in lab.protocol] == [(), ("react",)]


def test_lab_file_may_name_a_simulator(folder: Path) -> None:
    write(folder, {"lab.yaml": "simulator: flow-chemistry\nspeed: 20\n", "campaign.yaml": on_lab_file(GOOD_CAMPAIGN)})
    lab = load_campaign(folder / "campaign.yaml").lab
    assert lab.simulated
    assert lab.speed == 20
    with pytest.raises(FileFaultsError, match=r"lab.yaml:1: simulator: .* needs a campaign"):
        load_lab(folder / "lab.yaml")


def test_files_in_options_are_found_from_the_lab_file(folder: Path) -> None:
    own = folder / "own.py"
    code = """\
from instruments.sdk.action import action
from instruments.sdk.driver import Driver

class Own(Driver):
    def __init__(self, *, commands: str, note_file: str, label: str, code: str) -> None:
        pass

    @action(duration=(1, 2), consequence="safe")
    def go(self, ctx):
        return {}
"""
    lab = """\
lab: own
instruments:
  own: {driver: own.py:Own, options: {commands: data.csv, note_file: none.txt, label: data.csv, code: "own.py:Own"}}
protocol: [{step: go, instrument: own, action: go}]
"""
    write(folder, {"own.py": code, "lab.yaml": lab})
    spec = load_lab(folder / "lab.yaml").instruments["own"]
    assert spec.driver == f"{own}:Own"
    found = str(folder / "data.csv")
    assert spec.options == {"commands": found, "note_file": "none.txt", "label": "data.csv", "code": f"{own}:Own"}
