"""Broken lab files, and campaigns that do not fit their lab."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.files.checking import check_file
from tests.controller.files.conftest import GOOD_CAMPAIGN, GOOD_LAB, HERE, OVEN_CAMPAIGN, OVEN_LAB, on_lab_file, write

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
    write(folder, {"lab.yaml": GOOD_LAB.replace(old, new, 1), "campaign.yaml": on_lab_file(GOOD_CAMPAIGN)})
    faults = check_file(folder / "campaign.yaml")
    start = f"{folder}/{place}: {keys}: "
    assert len([f for f in faults if f.startswith(start) and all(word in f for word in words)]) == 1, faults


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
