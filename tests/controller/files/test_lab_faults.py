"""Broken lab files, twins, and where a campaign meets a lab."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.errors import FileFaultsError
from controller.files.checking import check_file
from controller.files.loading import load_campaign, load_lab
from tests.controller.files.conftest import GOOD_CAMPAIGN, GOOD_LAB, write

HERE = "tests.controller.files.drivers"

LAB_CASES: dict[str, tuple[str, str, int, list[str]]] = {
    "driver_unknown": (
        "driver: simulated-hplc",
        "driver: simulated-hplcc",
        5,
        ["instruments.hplc.driver", "did you mean simulated-hplc"],
    ),
    "driver_missing": ("driver: simulated-hplc", "options: {}", 5, ["instruments.hplc.driver: is missing"]),
    "driver_module": (
        "driver: simulated-hplc",
        "driver: no.such.module:Thing",
        5,
        ["instruments.hplc.driver", "cannot be loaded on this machine"],
    ),
    "driver_file": (
        "driver: simulated-hplc",
        "driver: gone.py:Thing",
        5,
        ["instruments.hplc.driver", "cannot be loaded on this machine"],
    ),
    "driver_no_driver": (
        "driver: simulated-hplc",
        "driver: json:JSONDecoder",
        5,
        ["instruments.hplc.driver", "no driver class"],
    ),
    "driver_dies": ("driver: simulated-hplc", f"driver: {HERE}:NeverBuilt", 5, ["instruments.hplc", "no such device"]),
    "option_unknown": ("{seed: 1}", "{sed: 1}", 4, ["instruments.reactor.options", "'sed'", "seed"]),
    "option_type": ("{seed: 1}", "{seed: one}", 4, ["instruments.reactor.options", "seed"]),
    "option_missing": ("driver: simulated-hplc", f"driver: {HERE}:Oven", 5, ["instruments.hplc", "port"]),
    "limits_unknown": (
        "{temperature: [25, 125]}",
        "{temprature: [25, 125]}",
        4,
        ["instruments.reactor.limits", "'temprature'", "temperature"],
    ),
    "limits_empty": ("[25, 125]", "[300, 400]", 4, ["instruments.reactor.limits", "leaves nothing"]),
    "limits_one": ("[25, 125]", "[25]", 4, ["instruments.reactor.limits.temperature"]),
    "capacity_zero": (
        "driver: simulated-hplc",
        "driver: simulated-hplc, capacity: 0",
        5,
        ["instruments.hplc.capacity: 0", "at least 1"],
    ),
    "instrument_key": (
        "driver: simulated-hplc",
        "driver: simulated-hplc, adress: 3",
        5,
        ["instruments.hplc.adress", "unknown key"],
    ),
    "no_instruments": ("instruments:", "instruments: {}\nextra:", 3, ["instruments: {}", "at least 1"]),
    "speed_zero": ("speed: 100", "speed: 0", 2, ["speed: 0", "more than 0"]),
    "speed_of_real": (
        "driver: simulated-hplc",
        "driver: external",
        2,
        ["speed 100 is only for simulated labs", "hplc is real"],
    ),
    "instrument_unknown": (
        "instrument: hplc",
        "instrument: hplcc",
        12,
        ['protocol[1].instrument: "hplcc"', "did you mean hplc?"],
    ),
    "step_twice": ("step: assay", "step: react", 11, ['protocol[1].step: "react"', "its own name"]),
    "step_after_unknown": ("[react]", "[raect]", 14, ['protocol[1].after[0]: "raect"', "did you mean react?"]),
    "step_after_itself": ("[react]", "[assay]", 14, ["protocol[1].after[0]", "wait for itself"]),
    "step_cycle": (
        "action: run",
        "action: run\n    after: [assay]",
        10,
        ['protocol[0].after[0]: "assay"', "without a cycle"],
    ),
    "step_key": ("gives:", "give:", 17, ["protocol[1].give", "did you mean gives?"]),
    "step_name": ("step: assay", "step: the assay", 11, ['protocol[1].step: "the assay"', "no spaces"]),
    "argument_list": (
        "temperature: $temperature",
        "temperature: [1, 2]",
        10,
        ["protocol[0].with.temperature: [1, 2]", "$parameter"],
    ),
    "endpoint_form": ("speed: 100", "endpoint: lab-pc:5570", 2, ['endpoint: "lab-pc:5570"', "tcp://HOST:PORT"]),
    "endpoint_name": ("speed: 100", "endpoint: tcp://lab-pc:5570", 2, ["listen on a number", "tcp://0.0.0.0:5570"]),
    "key_form": (
        "driver: simulated-hplc",
        "driver: external, key: abc",
        5,
        ['instruments.hplc.key: "abc"', "40 characters that labwright keys list shows"],
    ),
    "key_of_own_driver": (
        "driver: simulated-hplc",
        "driver: simulated-hplc, key: 'N=EFLuia4nhi6cnr1kUTT$h2c31t7>Oj[GU:$jbc'",
        5,
        ["instruments.hplc", "only for driver: external"],
    ),
    "lab_name_missing": ("lab: bench\n", "", 1, ["lab: is missing", "lab: bench-1"]),
}

WIRING_CASES: dict[str, tuple[str, str, str, str, list[str]]] = {
    # name: (what of the lab, by what, where the fault is placed: file:line, its key path, words)
    "action_unknown": (
        "action: run",
        "action: rnu",
        "lab.yaml:9",
        "protocol[0].action",
        ["reactor has no such action", "run"],
    ),
    "argument_unknown": (
        "{temperature: $temp",
        "{temperatur: $temp",
        "lab.yaml:10",
        "protocol[0].with.temperatur",
        ["did you mean temperature?"],
    ),
    "argument_missing": (
        ", concentration: $concentration",
        "",
        "lab.yaml:10",
        "protocol[0].with",
        ["also needs concentration [mol/L]"],
    ),
    "parameter_unknown": (
        "$temperature",
        "$temperatur",
        "lab.yaml:10",
        "protocol[0].with.temperature",
        ["no parameter temperatur", "did you mean temperature?"],
    ),
    "parameter_unused": (
        "equivalents: $equivalents",
        "equivalents: 2",
        "campaign.yaml:5",
        "parameters.equivalents",
        ["no step of the protocol uses it", "$equivalents"],
    ),
    "value_unknown": (
        "$react.ortho",
        "$react.orto",
        "lab.yaml:15",
        "protocol[1].with.ortho",
        ["react returns no orto", "did you mean ortho?"],
    ),
    "value_too_early": (
        "temperature: $temperature",
        "temperature: $assay.e_factor",
        "lab.yaml:10",
        "protocol[0].with.temperature",
        ["assay does not come before react"],
    ),
    "value_of_itself": (
        "$react.ortho",
        "$assay.e_factor",
        "lab.yaml:15",
        "protocol[1].with.ortho",
        ["assay does not come before assay"],
    ),
    "literal_text": (
        "equivalents: $equivalents",
        "equivalents: two",
        "lab.yaml:10",
        "protocol[0].with.equivalents",
        ["must be a number"],
    ),
    "literal_outside": (
        "temperature: $temperature",
        "temperature: 130",
        "lab.yaml:10",
        "protocol[0].with.temperature: 130",
        ["25 to 125 degC"],
    ),
    "limits_narrower": (
        "[25, 125]",
        "[25, 100]",
        "campaign.yaml:3",
        "parameters.temperature.bounds: [30, 120]",
        ["120 would be refused", "25 to 100 degC", "narrow it"],
    ),
    "gives_unknown": (
        "e_factor: e_factor",
        "e_factor: efactor",
        "lab.yaml:17",
        "protocol[1].gives.e_factor",
        ["measure returns no efactor", "did you mean e_factor?"],
    ),
    "gives_twice": (
        "    with: {temp",
        "    gives: {e_factor: ortho}\n    with: {temp",
        "lab.yaml:18",
        "protocol[1].gives.e_factor",
        ["step react gives e_factor already"],
    ),
    "objective_not_given": (
        ", e_factor: e_factor",
        "",
        "campaign.yaml:11",
        "objectives.e_factor",
        ["no step of the protocol gives it", "the steps give space_time_yield"],
    ),
}


@pytest.mark.parametrize(("old", "new", "line", "words"), LAB_CASES.values(), ids=LAB_CASES.keys())
def test_broken_lab_tells_line_and_remedy(old: str, new: str, line: int, words: list[str], folder: Path) -> None:
    assert GOOD_LAB.count(old) >= 1
    path = folder / "lab.yaml"
    write(folder, {"lab.yaml": GOOD_LAB.replace(old, new, 1)})
    before = sorted(folder.rglob("*"))
    faults = check_file(path)
    assert sorted(folder.rglob("*")) == before
    assert all(fault.isprintable() for fault in faults)
    assert len([f for f in faults if f.startswith(f"{path}:{line}: ") and all(word in f for word in words)]) == 1, (
        faults
    )


@pytest.mark.parametrize(("old", "new", "place", "keys", "words"), WIRING_CASES.values(), ids=WIRING_CASES.keys())
def test_campaign_and_lab_that_do_not_fit_are_refused(
    old: str, new: str, place: str, keys: str, words: list[str], folder: Path
) -> None:
    assert GOOD_LAB.count(old) >= 1
    write(folder, {"lab.yaml": GOOD_LAB.replace(old, new, 1), "campaign.yaml": _on_lab_file(GOOD_CAMPAIGN)})
    faults = check_file(folder / "campaign.yaml")
    start = f"{folder}/{place}: {keys}: "
    assert len([f for f in faults if f.startswith(start) and all(word in f for word in words)]) == 1, faults


def _on_lab_file(campaign: str) -> str:
    return campaign.replace("{simulator: flow-chemistry}", "lab.yaml")


OVEN_CAMPAIGN = """\
campaign: oven
parameters:
  heat: {type: continuous, bounds: [300, 400], unit: kelvin}
  gas: {type: categorical, choices: [air, argon]}
  rounds: {type: integer, bounds: [1, 3]}
objectives:
  weight: {goal: minimize, unit: mg}
budget: {experiments: 10}
lab: oven.yaml
"""
OVEN_LAB = f"""\
lab: oven-room
instruments:
  oven: {{driver: "{HERE}:Oven", options: {{port: COM1}}}}
protocol:
  - {{step: bake, instrument: oven, action: bake, gives: {{weight: mass}},
     with: {{temperature: $heat, atmosphere: $gas, cycles: $rounds}}}}
"""

OVEN_CASES: dict[str, tuple[str, str, str, str, list[str]]] = {
    "converted_outside": (
        "[300, 400]",
        "[300, 500]",
        "campaign.yaml:3",
        "parameters.heat.bounds",
        ["500 would be refused", "20 to 200 degC"],
    ),
    "unit_left_out": (", unit: kelvin", "", "campaign.yaml:3", "parameters.heat", ["has no unit", "add unit: degC"]),
    "unit_dimension": (
        "unit: kelvin",
        "unit: bar",
        "campaign.yaml:3",
        'parameters.heat.unit: "bar"',
        ["cannot be converted", "degC"],
    ),
    "choice_unknown": (
        "[air, argon]",
        "[air, helium]",
        "campaign.yaml:4",
        "parameters.gas.choices",
        ["does not know helium", "air, argon"],
    ),
    "fractions_for_whole": (
        "type: integer, bounds: [1, 3]",
        "type: continuous, bounds: [1, 3]",
        "campaign.yaml:5",
        "parameters.rounds",
        ["whole numbers"],
    ),
    "number_for_text": (
        "atmosphere: $gas",
        "atmosphere: $rounds",
        "oven.yaml:6",
        "protocol[0].with.atmosphere",
        ["is a number", "takes text"],
    ),
    "choices_for_number": (
        "temperature: $heat",
        "temperature: $gas",
        "oven.yaml:6",
        "protocol[0].with.temperature",
        ["has choices", "takes a number"],
    ),
    "number_for_switch": (
        "cycles: $rounds",
        "cycles: $rounds, fan: $rounds",
        "oven.yaml:6",
        "protocol[0].with.fan",
        ["true or false"],
    ),
    "literal_not_whole": (
        "cycles: $rounds",
        "cycles: 1.5",
        "oven.yaml:6",
        "protocol[0].with.cycles",
        ["a whole number"],
    ),
    "literal_choice": (
        "atmosphere: $gas",
        "atmosphere: neon",
        "oven.yaml:6",
        "protocol[0].with.atmosphere",
        ["one of air, argon"],
    ),
    "unit_meets_bare_argument": (
        "cycles: $rounds",
        "cycles: $rounds, load: $heat",
        "campaign.yaml:3",
        "parameters.heat.unit",
        ["bare number"],
    ),
    "objective_is_text": (
        "weight: mass",
        "weight: colour",
        "oven.yaml:5",
        "protocol[0].gives.weight",
        ["must be a number"],
    ),
    "objective_dimension": (
        "unit: mg",
        "unit: mL",
        "campaign.yaml:7",
        'objectives.weight.unit: "mL"',
        ["measured in g"],
    ),
    "objective_bare": (
        "weight: mass",
        "weight: score",
        "campaign.yaml:7",
        "objectives.weight.unit",
        ["bare number", "declare it there"],
    ),
}


@pytest.mark.parametrize(("old", "new", "place", "keys", "words"), OVEN_CASES.values(), ids=OVEN_CASES.keys())
def test_units_and_kinds_are_checked_against_the_driver(
    old: str, new: str, place: str, keys: str, words: list[str], folder: Path
) -> None:
    assert (OVEN_CAMPAIGN + OVEN_LAB).count(old) == 1
    write(folder, {"campaign.yaml": OVEN_CAMPAIGN.replace(old, new), "oven.yaml": OVEN_LAB.replace(old, new)})
    faults = check_file(folder / "campaign.yaml")
    start = f"{folder}/{place}: {keys}"
    assert len([f for f in faults if f.startswith(start) and all(word in f for word in words)]) == 1, faults


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
    write(folder, {"lab.yaml": lab, "campaign.yaml": _on_lab_file(GOOD_CAMPAIGN)})
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
    write(folder, {"lab.yaml": lab, "campaign.yaml": _on_lab_file(GOOD_CAMPAIGN)})
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
    write(folder, {"lab.yaml": lab, "campaign.yaml": _on_lab_file(GOOD_CAMPAIGN)})
    assert not load_campaign(folder / "campaign.yaml").simulated


def test_lab_alone_is_loaded_with_its_own_speed(folder: Path) -> None:
    lab = load_lab(folder / "lab.yaml")
    assert (lab.lab, lab.speed, lab.simulated) == ("bench", 100, True)
    assert [step.after for step in lab.protocol] == [(), ("react",)]


def test_lab_file_may_name_a_simulator(folder: Path) -> None:
    write(folder, {"lab.yaml": "simulator: flow-chemistry\nspeed: 20\n", "campaign.yaml": _on_lab_file(GOOD_CAMPAIGN)})
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
