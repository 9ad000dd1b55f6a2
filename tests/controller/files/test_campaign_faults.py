"""Broken campaign files: one line per fault, with its line, its place, its value and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.errors import FileFaultsError
from controller.files.checking import check_file
from controller.files.loading import load_campaign
from controller.verbs.validating import objection_to
from tests.controller.files.conftest import DATA, GOOD_CAMPAIGN, GOOD_LAB, POOL_CAMPAIGN, SOLVENTS, write

# What is replaced in a good file, by what; the line of the fault; words that its line must hold.
FLOW_CASES: dict[str, tuple[str, str, int, list[str]]] = {
    "bounds_swapped": (
        "[30, 120]",
        "[120, 30]",
        3,
        ["parameters.temperature.bounds: [120, 30]: ", "120 must be below", "swap"],
    ),
    "bounds_equal": ("[30, 120]", "[30, 30]", 3, ["parameters.temperature.bounds", "widen"]),
    "bounds_text": ("[30, 120]", "[30, hot]", 3, ['parameters.temperature.bounds[1]: "hot"', "must be a number"]),
    "bounds_quoted": ("[30, 120]", "['30', 120]", 3, ["parameters.temperature.bounds[0]", "must be a number"]),
    "bounds_true": ("[1, 5]", "[true, 5]", 5, ["parameters.equivalents.bounds[0]: true", "must be a number"]),
    "bounds_one": ("[1, 5]", "[1]", 5, ["parameters.equivalents.bounds: [1]", "needs 2 entries"]),
    "bounds_infinite": ("[1, 5]", "[1, .inf]", 5, ["equivalents.bounds[1]: Infinity", "ordinary number"]),
    "bounds_missing": (
        "bounds: [1, 5]",
        "scale: linear",
        5,
        ["equivalents.bounds: is missing", "add bounds", "bounds: [20, 80]"],
    ),
    "bounds_in_digits": (
        "[1, 5]",
        "[473612214, 473612214.9]",
        5,
        ["equivalents.bounds: [473612214, 473612214.9]", "told apart by nine digits", "how far the setting is from 473612214"],
    ),
    "log_of_zero": ("[1, 5]}", "[0, 5], scale: log}", 5, ["equivalents", "log scale needs positive bounds"]),
    "scale_unknown": (
        "[1, 5]}",
        "[1, 5], scale: logg}",
        5,
        ['equivalents.scale: "logg"', "linear, log", "did you mean log?"],
    ),
    "key_misspelt": (
        "bounds: [1, 5]",
        "bound: [1, 5]",
        5,
        ["parameters.equivalents.bound", "unknown key", "did you mean bounds?"],
    ),
    "key_unknown_at_top": ("budget:", "colour: red\nbudget:", 12, ['colour: "red"', "unknown key"]),
    "key_twice": ("budget:", "campaign: other\nbudget:", 12, ["campaign", "second time", "line 1", "keep one"]),
    "parameter_twice": (
        "  equivalents",
        "  temperature: {type: continuous, bounds: [1, 2]}\n  equivalents",
        5,
        ["parameters.temperature", "second time", "line 3"],
    ),
    "type_misspelt": (
        "{type: continuous, bounds: [1, 5]}",
        "{type: contnuous, bounds: [1, 5]}",
        5,
        ['equivalents.type: "contnuous"', "integer", "did you mean continuous?"],
    ),
    "type_missing": (
        "{type: continuous, bounds: [1, 5]}",
        "{bounds: [1, 5]}",
        5,
        ["type is missing", "add type", "categorical"],
    ),
    "parameter_not_mapping": ("{type: continuous, bounds: [1, 5]}", "5", 5, ["parameters.equivalents: 5", "mapping"]),
    "parameter_name": ("  equivalents", "  2equivalents", 5, ["parameters.2equivalents", "rename"]),
    "unit_unknown": (
        "unit: min",
        "unit: minits",
        4,
        ['parameters.residence_time.unit: "minits"', "unknown unit", "min"],
    ),
    "unit_dimension": ("unit: min", "unit: mol/L", 4, ["residence_time", "min"]),
    "unit_left_out": (", unit: degC", "", 3, ["parameters.temperature", "unit", "degC"]),
    "objective_unit_unknown": (
        "unit: kg/m**3/h",
        "unit: kgg",
        10,
        ['objectives.space_time_yield.unit: "kgg"', "unknown unit"],
    ),
    "objective_unit_dimension": (
        "unit: kg/m**3/h",
        "unit: kelvin",
        10,
        ["objectives.space_time_yield.unit", "kg/m**3/h"],
    ),
    "goal_unknown": (
        "goal: minimize",
        "goal: minimise",
        11,
        ['objectives.e_factor.goal: "minimise"', "did you mean minimize?"],
    ),
    "match_without_target": ("goal: minimize", "goal: match", 11, ["objectives.e_factor", "target"]),
    "target_without_match": ("goal: minimize", "goal: minimize, target: 3", 11, ["objectives.e_factor", "goal: match"]),
    "objectives_missing": ("objectives:", "objectivs:", 9, ["objectivs", "did you mean objectives?"]),
    "budget_zero": ("experiments: 20", "experiments: 0", 12, ["budget.experiments: 0", "at least 1"]),
    "budget_fraction": ("experiments: 20", "experiments: 2.5", 12, ["budget.experiments: 2.5", "whole number"]),
    "budget_text": ("experiments: 20", "experiments: many", 12, ['budget.experiments: "many"', "whole number"]),
    "budget_missing": ("budget: {experiments: 20}\n", "", 1, ["budget: is missing", "budget: {experiments: 40}"]),
    "name_with_spaces": ("campaign: demo", "campaign: my demo", 1, ['campaign: "my demo"', "no spaces"]),
    "batch_zero": ("budget:", "batch: 0\nbudget:", 12, ["batch: 0", "at least 1"]),
    "surrogate_unknown": (
        "budget:",
        "proposals: {surrogate: {kind: tree}}\nbudget:",
        12,
        ['proposals.surrogate.kind: "tree"', "gp", "deep_ensemble"],
    ),
    "surrogate_key": (
        "budget:",
        "proposals: {surrogate: {kind: gp, recpe: table}}\nbudget:",
        12,
        ["proposals.surrogate.recpe", "did you mean recipe?"],
    ),
    "constraint_syntax": ("<= 7", "<=", 8, ["constraints[0]", "not an expression"]),
    "constraint_strict": ("<= 7", "< 7", 8, ["constraints[0]", "<=, >= or =="]),
    "constraint_unknown": (
        "6 * concentration",
        "6 * concentraton",
        8,
        ["concentraton is no parameter", "did you mean concentration?"],
    ),
    "constraint_equality": (
        "equivalents + 6 * concentration <= 7", "concentration * equivalents == 7", 8, ["constraints[0]", "not linear"],
    ),
    "constraint_code": ("equivalents + 6", "__import__('os').getpid() + 6", 8, ["constraints[0]", "may hold only"]),
    "constraint_impossible": ("<= 7", "<= 1", 8, ["constraints[0]", "cannot be met", "between 1.6 and 8", "widen"]),
    "constraints_contradict": (
        "<= 7",
        "<= 2\n  - equivalents >= 4.5",
        7,
        ["constraints", "cannot all be met", "relax"],
    ),
    "constraints_not_list": (
        "\n  - equivalents + 6 * concentration <= 7",
        " equivalents <= 2",
        7,
        ["constraints", "list"],
    ),
    "simulator_unknown": (
        "flow-chemistry",
        "flow-chemisty",
        13,
        ['lab.simulator: "flow-chemisty"', "did you mean flow-chemistry?"],
    ),
    "simulator_missing": (
        "{simulator: flow-chemistry}",
        "{noise: 0.1}",
        13,
        ["lab.simulator", "is missing", "flow-chemistry"],
    ),
    "simulator_option": ("flow-chemistry}", "flow-chemistry, nose: 0.1}", 13, ["lab.nose: 0.1", "noise"]),
    "simulator_option_value": ("flow-chemistry}", "flow-chemistry, noise: loud}", 13, ['lab.noise: "loud"', "number"]),
    "speed_negative": ("flow-chemistry}", "flow-chemistry, speed: -1}", 13, ["lab.speed: -1", "above 0"]),
    "lab_list": (
        "{simulator: flow-chemistry}",
        "[flow-chemistry]",
        13,
        ['lab: ["flow-chemistry"]', "path of a lab file"],
    ),
    "lab_missing_file": (
        "{simulator: flow-chemistry}",
        "lob.yaml",
        13,
        ['lab: "lob.yaml"', "no such file", "did you mean lab.yaml?"],
    ),
    "lab_folder": ("{simulator: flow-chemistry}", "..", 13, ['lab: ".."', "is a folder"]),
    "beyond_the_lab": ("[30, 120]", "[30, 400]", 3, ["parameters.temperature", "30 to 120"]),
    "parameter_strange_to_lab": ("equivalents: {", "equivalent: {", 5, ["equivalent", "equivalents"]),
    "objective_strange_to_lab": ("e_factor: {", "e_facter: {", 11, ["objectives.e_facter", "e_factor"]),
    "tab": ("  - equivalents", "\t- equivalents", 8, ["tab", "spaces"]),
    "bracket_open": ("bounds: [1, 5]}", "bounds: [1, 5}", 5, ["check quotes, brackets"]),
    "colon_in_text": ("campaign: demo", "campaign: demo: two", 1, ["colon", "quotes"]),
    "indentation": ("  equivalents", "   equivalents", 5, ["indent"]),
    "tag": ("campaign: demo", "campaign: !python/object demo", 1, ["campaign", "tag", "remove it"]),
    "alias_unknown": ("campaign: demo", "campaign: *demo", 1, ["undefined alias"]),
    "merge_key": (
        "  equivalents: {type: continuous, bounds: [1, 5]}",
        "  <<: {a: 1}",
        5,
        ["merge keys", "write the entries out"],
    ),
    "list_as_key": ("budget:", "? [a, b]\n: 3\nbudget:", 12, ["a key must be a name"]),
    "two_documents": ("budget:", "---\nbudget:", 12, ["second document"]),
    "control_character": ("campaign: demo", "campaign: de\x07mo", 1, ["U+0007", "remove it"]),
}

POOL_CASES: dict[str, tuple[str, str, int, list[str]]] = {
    "choices_repeat": ("[DMF, THF, MeCN]", "[DMF, THF, DMF]", 3, ["solvent.choices", "'DMF' is listed twice"]),
    "choice_is_true": ("[DMF, THF, MeCN]", "[DMF, THF, true]", 3, ["solvent.choices[2]: true", "quotes"]),
    "one_choice": ("[DMF, THF, MeCN]", "[DMF]", 3, ["solvent.choices", "at least 2 entries"]),
    "choices_empty": ("[DMF, THF, MeCN]", "[]", 3, ["solvent.choices: []", "at least 2 entries"]),
    "values_repeat": ("[60, 80]", "[60, 60]", 4, ["temperature.values", "60 is listed twice"]),
    "values_in_digits": ("[60, 80]", "[60.00000001, 60.00000002]", 4, ["temperature.values", "60.00000001 and 60.00000002 agree"]),
    "constraint_on_choices": (
        "objectives:",
        "constraints: [solvent <= 3]\nobjectives:",
        5,
        ["constraints[0]", "categorical", "leave it out"],
    ),
    "budget_beyond_pool": (
        "experiments: 5",
        "experiments: 7",
        7,
        ["budget.experiments: 7", "only 6 settings", "allow_replicates"],
    ),
    "constraint_leaves_nothing": (
        "objectives:",
        "constraints: [temperature == 70]\nobjectives:",
        5,
        ["constraints[0]", "6 listed settings"],
    ),
    "descriptors_missing": (
        "solvents.csv",
        "solvent.csv",
        3,
        ['solvent.descriptors: "solvent.csv"', "no such file", "solvents.csv"],
    ),
    "data_missing": ("data: data.csv", "data: dota.csv", 8, ['lab.data: "dota.csv"', "data.csv"]),
    "values_not_in_data": ("[60, 80]", "[60, 90]", 4, ["parameters.temperature", "80", "widen"]),
    "choice_not_in_campaign": ("[DMF, THF, MeCN]", "[DMF, THF]", 3, ["parameters.solvent", "MeCN"]),
    "candidates_missing": (
        "objectives:",
        "candidates: cand.csv\nobjectives:",
        5,
        ['candidates: "cand.csv"', "no such file"],
    ),
}


@pytest.mark.parametrize(("old", "new", "line", "words"), FLOW_CASES.values(), ids=FLOW_CASES.keys())
def test_broken_campaign_tells_line_and_remedy(old: str, new: str, line: int, words: list[str], folder: Path) -> None:
    assert GOOD_CAMPAIGN.count(old) >= 1
    _expect(folder, GOOD_CAMPAIGN.replace(old, new, 1), line, words)


@pytest.mark.parametrize(("old", "new", "line", "words"), POOL_CASES.values(), ids=POOL_CASES.keys())
def test_broken_pool_campaign_tells_line_and_remedy(
    old: str, new: str, line: int, words: list[str], folder: Path
) -> None:
    assert POOL_CAMPAIGN.count(old) >= 1
    _expect(folder, POOL_CAMPAIGN.replace(old, new, 1), line, words)


def _expect(folder: Path, text: str, line: int, words: list[str]) -> None:
    path = folder / "campaign.yaml"
    write(folder, {"campaign.yaml": text})
    before = sorted(folder.rglob("*"))
    faults = check_file(path)
    assert sorted(folder.rglob("*")) == before
    assert all("\n" not in fault and fault.isprintable() for fault in faults)
    fitting = [
        fault for fault in faults if fault.startswith(f"{path}:{line}: ") and all(word in fault for word in words)
    ]
    assert len(fitting) == 1, faults
    with pytest.raises(FileFaultsError) as caught:
        load_campaign(path)
    assert caught.value.faults == faults
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "text", [GOOD_CAMPAIGN, POOL_CAMPAIGN, GOOD_CAMPAIGN.replace("{simulator: flow-chemistry}", "lab.yaml"), GOOD_LAB]
)
def test_good_file_has_no_fault(text: str, folder: Path) -> None:
    write(folder, {"file.yaml": text})
    assert check_file(folder / "file.yaml") == []


# The table that is broken, its text, the line of the fault in it (None: no line of its own), and words.
TABLE_CASES: dict[str, tuple[str, str, int | None, list[str]]] = {
    "choice_without_row": ("solvents.csv", SOLVENTS.replace("THF,7.6,66\n", ""), None, ["no row for the choice 'THF'"]),
    "choice_misspelt": ("solvents.csv", SOLVENTS.replace("MeCN", "Mecn"), None, ["'MeCN'", "did you mean Mecn?"]),
    "rows_differ": (
        "solvents.csv",
        SOLVENTS + "DMF,36.9,153\n",
        5,
        ["dielectric", "'DMF' differ", "line 2", "keep one"],
    ),
    "not_a_number": ("solvents.csv", SOLVENTS.replace("7.6", "low"), 3, ['dielectric: "low"', "is not a number"]),
    "empty_cell": ("solvents.csv", SOLVENTS.replace("7.6", ""), 3, ['dielectric: ""', "is not a number"]),
    "nan_cell": ("solvents.csv", SOLVENTS.replace("7.6", "nan"), 3, ['dielectric: "nan"', "is not a number"]),
    "all_constant": (
        "solvents.csv",
        "solvent,a\nDMF,1\nTHF,1\nMeCN,1\n",
        1,
        ["the same for every choice", "leave descriptors out"],
    ),
    "no_descriptor": ("solvents.csv", "solvent\nDMF\nTHF\nMeCN\n", 1, ["says nothing about the choices"]),
    "no_choice_column": ("solvents.csv", "x,y\n1,2\n3,4\n", 1, ["no column holds the choices of solvent"]),
    "ragged": ("solvents.csv", SOLVENTS.replace("THF,7.6,66", "THF,7.6,66,1"), 3, ["4 cells", "header has 3"]),
    "column_twice": ("solvents.csv", SOLVENTS.replace("boiling", "dielectric"), 1, ["two columns 'dielectric'"]),
    "semicolons": ("solvents.csv", SOLVENTS.replace(",", ";"), 1, ["semicolons", "commas"]),
    "header_only": ("solvents.csv", "solvent,a\n", 1, ["no rows"]),
    "quote_open": ("solvents.csv", SOLVENTS + '"DMF,1,2\n', 5, ["not CSV", "quotes"]),
    "candidate_column": (
        "candidates.csv",
        "solvents,temperature\nDMF,60\n",
        1,
        ["no column 'solvent'", "did you mean solvents?"],
    ),
    "candidate_text": (
        "candidates.csv",
        "solvent,temperature\nDMF,60\nTHF,warm\n",
        3,
        ['temperature: "warm"', "must be a number"],
    ),
    "candidate_outside": (
        "candidates.csv",
        "solvent,temperature\nDMF,60\nDMF,85\nTHF,85\n",
        3,
        ['temperature: "85"', "values 60, 80", "line 4"],
    ),
    "candidate_choice": (
        "candidates.csv",
        "solvent,temperature\nDMSO,60\nDMF,60\n",
        2,
        ['solvent: "DMSO"', "choices DMF, THF, MeCN"],
    ),
}


@pytest.mark.parametrize(("name", "table", "line", "words"), TABLE_CASES.values(), ids=TABLE_CASES.keys())
def test_broken_table_tells_its_line_and_remedy(
    name: str, table: str, line: int | None, words: list[str], folder: Path
) -> None:
    campaign = (
        POOL_CAMPAIGN.replace("budget:", "candidates: candidates.csv\nbudget:")
        if name == "candidates.csv"
        else POOL_CAMPAIGN
    )
    write(folder, {"campaign.yaml": campaign, name: table})
    place = f"{folder / name}:{line}: " if line is not None else f"{folder / name}: "
    faults = check_file(folder / "campaign.yaml")
    fitting = [fault for fault in faults if fault.startswith(place) and all(word in fault for word in words)]
    assert len(fitting) == 1, faults


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (DATA.replace("DMF,60,", "DMF,60,about "), 2, "is not a number"),
        (DATA.replace("yield", "yeld"), 1, "no column 'yield'"),
        (DATA.replace("THF,60,", "THF,60,1,"), 4, "cells"),
    ],
    ids=["text", "column", "ragged"],
)
def test_fault_in_the_data_of_a_table_lab_is_placed_there(data: str, line: int, words: str, folder: Path) -> None:
    write(folder, {"campaign.yaml": POOL_CAMPAIGN, "data.csv": data})
    (fault,) = check_file(folder / "campaign.yaml")
    assert fault.startswith(f"{folder / 'data.csv'}:{line}: ")
    assert words in fault


def test_equality_that_rounded_rows_miss_is_refused_with_the_miss(folder: Path) -> None:
    text = (
        "campaign: mix\nparameters:\n  a: {type: continuous, bounds: [0, 1]}\n  b: {type: continuous, bounds: [0, 1]}\n"
        "constraints: [a + b == 1]\nobjectives: {y: {goal: maximize}}\nbudget: {experiments: 1}\n"
        "lab: {simulator: table, data: mix.csv}\n"
    )
    write(folder, {"campaign.yaml": text, "mix.csv": "a,b,y\n0.5,0.5,1\n0.333,0.666,2\n"})
    (fault,) = check_file(folder / "campaign.yaml")
    assert fault.startswith(f"{folder / 'campaign.yaml'}:5: constraints[0]: ")
    assert "misses it by -0.001" in fault


def test_space_too_large_to_list_says_what_to_do(folder: Path) -> None:
    choices = ", ".join(f"c{i}" for i in range(300))
    columns = "".join(f"  p{i}: {{type: categorical, choices: [{choices}]}}\n" for i in range(3))
    lab = "lab: big\ninstruments: {x: {driver: external}}\nprotocol:\n  - {step: s, instrument: x, action: go, "
    lab += "with: {p0: $p0, p1: $p1, p2: $p2}, gives: {y: y}}\n"
    text = f"campaign: big\nparameters:\n{columns}objectives: {{y: {{goal: maximize}}}}\n"
    text += "budget: {experiments: 5}\nlab: big.yaml\n"
    write(folder, {"campaign.yaml": text, "big.yaml": lab})
    (fault,) = check_file(folder / "campaign.yaml")
    assert fault.startswith(f"{folder / 'campaign.yaml'}:2: parameters: about 1e7 settings are too many")
    assert "candidates: FILE.csv" in fault


def test_discrete_settings_that_no_combination_allows_are_refused(folder: Path) -> None:
    lab = "lab: big\ninstruments: {x: {driver: external}}\nprotocol:\n  - {step: s, instrument: x, action: go, "
    lab += "with: {a: $a, b: $b}, gives: {y: y}}\n"
    text = (
        "campaign: grid\nparameters:\n  a: {type: discrete, values: [0.2, 0.4]}\n  b: {type: discrete, values: [0.1, 0.5]}\n"
        "constraints: [a + b == 0.8]\nobjectives: {y: {goal: maximize}}\nbudget: {experiments: 1}\nlab: big.yaml\n"
    )
    write(folder, {"campaign.yaml": text, "big.yaml": lab})
    (fault,) = check_file(folder / "campaign.yaml")
    assert "none of the 4 settings meets them" in fault
    write(folder, {"campaign.yaml": text.replace("0.8", "0.9").replace("experiments: 1", "experiments: 2")})
    (fault,) = check_file(folder / "campaign.yaml")
    assert "only 1 settings" in fault


def test_all_faults_are_told_at_once_in_the_order_of_lines(folder: Path) -> None:
    text = GOOD_CAMPAIGN.replace("[30, 120]", "[120, 30]").replace("unit: min", "unit: minits").replace("<= 7", "<= x")
    text = (
        text.replace("maximize", "maximise")
        .replace("experiments: 20", "experiments: 0")
        .replace("{simulator: flow-chemistry}", "lab.yaml")
    )
    write(folder, {"campaign.yaml": text, "lab.yaml": GOOD_LAB.replace("instrument: hplc", "instrument: gc")})
    faults = check_file(folder / "campaign.yaml")
    own = [int(fault.split(":")[1]) for fault in faults if fault.startswith(str(folder / "campaign.yaml"))]
    assert own == [3, 4, 8, 10, 12]
    assert [fault for fault in faults if fault.startswith(f"{folder / 'lab.yaml'}:12: protocol[1].instrument")]
    assert len(faults) == 6


SPACE = """campaign: demo
parameters:
  kind: {type: categorical, choices: [acid, metal]}
  amount: {type: continuous, bounds: [0, 1], active_when: {kind: [metal]}}
  time: {type: continuous, bounds: [1, 2], unit: h}
  rate: {type: continuous, bounds: [2, 3]}
context:
  humidity: {type: continuous, bounds: [0, 100], unit: percent}
constraints:
  - time * rate <= 5 if kind == "metal"
  - count(amount, time) <= 2
objectives: {y: {goal: maximize}}
budget: {experiments: 5}
lab: {simulator: nowhere}
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('"metal"\n', '"metals"\n', 10, ["constraints[0]", 'no choice "metals"', "did you mean metal?"]),
        ('"metal"\n', "metal\n", 10, ["constraints[0]", "metal is no parameter", "put it in quotes"]),
        ('kind == "metal"', 'time == "metal"', 10, ["constraints[0]", "only one of the two"]),
        ('if kind == "metal"', "if kind > 2", 10, ["constraints[0]", "kind is categorical", "in quotes"]),
        ("time * rate <= 5", "time * rat <= 5", 10, ["constraints[0]", "rat is no parameter", "did you mean rate?"]),
        ("count(amount, time)", "count(amount, rate)", 11, ["constraints[1]", "the range of rate does not begin at 0"]),
        ("{kind: [metal]}", "{kind: [metals]}", 4, ["active_when.kind", "no choice", "did you mean metal?"]),
        ("{kind: [metal]}", "{knd: [metal]}", 4, ["active_when.knd", "no parameter", "did you mean kind?"]),
        ("{kind: [metal]}", "{time: [2]}", 4, ["active_when.time", "[lowest, highest]"]),
        ("{kind: [metal]}", "{time: [5, 9]}", 4, ["active_when.time", "beyond the range of time, 1 to 2"]),
        ("{kind: [metal]}", "{amount: [0, 1]}", 4, ["active_when.amount", "for itself"]),
        ("{kind: [metal]}", "{}", 4, ["amount", "names no parameter"]),
        ("unit: h}", "unit: h, active_when: {rate: [2, 3]}, when_inactive: fast}", 5, ["when_inactive", "must be a number"]),
        ("unit: h}", "unit: h, when_inactive: 1}", 5, ["when_inactive", "always active"]),
        ("unit: h}", "unit: h, active_when: {amount: [0, 1]}}", 4, ["active_when", "circle"]),
        ("humidity:", "rate:", 8, ["context.rate", "a parameter has that name"]),
        ("unit: percent}", "unit: percnt}", 8, ["context.humidity.unit", "percnt"]),
        ("unit: percent}", "unit: percent, active_when: {time: [1, 2]}}", 8, ["context.humidity.active_when", "always there"]),
    ],
)
def test_fault_of_a_space_tells_line_and_remedy(folder: Path, old: str, new: str, line: int, words: list[str]) -> None:
    text = SPACE.replace(old, new, 1)
    if "circle" in words:
        text = text.replace("{kind: [metal]}", "{time: [1, 2]}")
    assert text != SPACE
    _expect(folder, text, line, words)


def test_space_without_any_setting_is_said_with_what_was_tried(folder: Path) -> None:
    text = GOOD_CAMPAIGN.replace("equivalents + 6 * concentration <= 7", "equivalents * concentration >= 3")
    write(folder, {"campaign.yaml": text})
    (fault,) = check_file(folder / "campaign.yaml", objection=objection_to)
    assert "campaign.yaml:7: constraints: no setting was found" in fault
    assert "among 21,504 tried" in fault
    text = text.replace(">= 3", ">= 2.4")
    write(folder, {"campaign.yaml": text})
    assert check_file(folder / "campaign.yaml", objection=objection_to) == []
