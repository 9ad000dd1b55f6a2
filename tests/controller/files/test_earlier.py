"""Earlier campaigns and fidelities of a campaign file."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.domain.knowledge import EarlierCampaign
from controller.errors import FileFaultsError, UnknownNameError
from controller.files.checking import check_file
from controller.files.loading import load_campaign
from tests.controller.files.conftest import OVEN_CAMPAIGN, OVEN_LAB, POOL_CAMPAIGN, write


def saved(folder: Path, texts: dict[str, str]) -> Path:
    """Write files; return the path of the campaign."""
    write(folder, texts)
    return folder / "campaign.yaml"


BEFORE = "temperature,solvent,yield,note\n60,DMF,12,a\n80,THF,30,b\n95,THF,,c\n80,water,50,d\n90,MeCN,44,e\n"
NAMED = POOL_CAMPAIGN + "earlier: [{file: before.csv}]\n"


def test_rows_of_a_file_are_read_once(folder: Path) -> None:
    definition = load_campaign(saved(folder, {"campaign.yaml": NAMED, "before.csv": BEFORE}))
    (earlier,) = definition.problem.earlier
    assert earlier.name == "before"
    # A row without result and one with a solvent that nothing is known of are left out; 90 °C lies beyond the bounds and is not.
    assert earlier.points == {"solvent": ("DMF", "THF", "MeCN"), "temperature": (60, 80, 90)}
    assert earlier.values == {"yield": (12, 30, 44)}
    assert earlier.left_out == 1
    assert definition.fingerprint != load_campaign(saved(folder, {"campaign.yaml": POOL_CAMPAIGN})).fingerprint


FAULTS: dict[str, tuple[str, str, list[str]]] = {
    "no_file": (NAMED.replace("before.csv", "befor.csv"), BEFORE, ["earlier[0].file", "no such file", "before.csv"]),
    "no_column": (NAMED, BEFORE.replace("yield", "yeild"), ["no column 'yield' for the objective", "did you mean yeild"]),
    "text": (NAMED, BEFORE.replace("12", "much"), ["before.csv:2", "yield", "much", "must be a number, or empty"]),
    "setting": (NAMED, BEFORE.replace("60,", "hot,"), ["before.csv:2", "temperature", "must be a number"]),
    "nothing_in_common": (NAMED, "solvent,temperature,yield\nwater,60,3\n", ["no row has choices of this campaign", "solvent"]),
    "nothing_measured": (NAMED, "solvent,temperature,yield\nDMF,60,\n", ["no row has a value of yield"]),
    "both": (NAMED.replace("{file:", "{campaign: x, file:"), BEFORE, ["earlier[0]", "either a campaign or a file"]),
    "neither": (NAMED.replace("{file: before.csv}", "{}"), BEFORE, ["earlier[0]", "either a campaign or a file"]),
    "no_store": (NAMED.replace("file: before.csv", "campaign: x"), BEFORE, ["earlier[0].campaign", "no store", "name the file"]),
}


@pytest.mark.parametrize("case", FAULTS)
def test_fault_of_earlier_campaigns_is_one_line_that_says_what_to_do(folder: Path, case: str) -> None:
    campaign, table, words = FAULTS[case]
    (line,) = check_file(saved(folder, {"campaign.yaml": campaign, "before.csv": table}))
    assert all(word in line for word in words), line


def test_fault_of_a_hint_is_told_beside_that_of_an_earlier_campaign(folder: Path) -> None:
    campaign = NAMED.replace("before.csv", "before.txt") + "hints: [{near: {temprature: 80}}, {near: {temperature: 8000}}]\n"
    lines = check_file(saved(folder, {"campaign.yaml": campaign}))
    assert [line.partition(": ")[2].partition(":")[0] for line in lines] == [
        "earlier[0].file", "hints[0].near.temprature", "hints[1].near.temperature",
    ]  # fmt: skip
    assert "there is no such file; correct the name" in lines[0]
    assert "labwright init" not in lines[0], "that makes campaigns, not results"
    assert "temperature" in lines[1]


def test_campaign_of_the_store_is_asked_for_by_name(folder: Path) -> None:
    path = saved(folder, {"campaign.yaml": POOL_CAMPAIGN + "earlier: [{campaign: old}]\n"})
    old = EarlierCampaign(name="old", points={"temperature": (80.0,), "solvent": ("DMF",)}, values={"yield": (4.0,)})

    def read(name: str) -> EarlierCampaign:
        if name != "old":
            raise UnknownNameError(f"no campaign {name!r}; did you mean old?")
        return old

    assert load_campaign(path, read_campaign=read).problem.earlier[0].values == {"yield": (4.0,)}
    renamed = path.read_text().replace("old", "new")
    (line,) = check_file(saved(folder, {"campaign.yaml": renamed}), read)
    assert "earlier[0].campaign: no campaign 'new'; did you mean old?" in line
    other = old.model_copy(update={"values": {"purity": (1.0,)}})
    (line,) = check_file(saved(folder, {"campaign.yaml": path.read_text().replace("new", "old")}), lambda _: other)
    assert "it has no objective yield; it has purity" in line


LEVELLED = OVEN_CAMPAIGN.replace("  gas: {type: categorical, choices: [air, argon]}\n", "").replace(
    "budget:", "fidelity: {levels: {air: {cost: 1}, argon: {cost: 8}}, target: argon}\nbudget:"
)
LEVELLED_LAB = OVEN_LAB.replace("$gas", "$fidelity")


def test_levels_are_a_setting_that_a_step_takes(folder: Path) -> None:
    problem = load_campaign(saved(folder, {"campaign.yaml": LEVELLED, "oven.yaml": LEVELLED_LAB})).problem
    assert list(problem.parameters) == ["heat", "rounds", "fidelity"]
    assert problem.fidelity is not None
    assert problem.fidelity.cheapest == "air"
    assert problem.counts({"heat": 300.0, "rounds": 1, "fidelity": "argon"})
    assert not problem.counts({"heat": 300.0, "rounds": 1, "fidelity": "air"})
    assert problem.cost is not None
    assert problem.cost.of({"heat": 300.0, "rounds": 1, "fidelity": "argon"}, {}) == 8.0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("target: argon", "target: neon", ["fidelity", "target neon is none of the levels air, argon"]),
        ("cost: 1}", "cost: 8}", ["fidelity", "level air costs 8, no less than the target's 8", "leave it out"]),
        ("cost: 1}", "cost: 0}", ["fidelity.levels.air.cost: 0", "more than 0"]),
        ("air: {cost: 1}, ", "", ["fidelity.levels", "at least 2 entries"]),
        ("  rounds:", "  fidelity: {type: continuous, bounds: [0, 1]}\n  rounds:", ["parameters.fidelity", "rename it"]),
        ("argon: {", "helium: {", ["helium"]),
    ],
)
def test_fault_of_levels_says_what_to_do(folder: Path, old: str, new: str, words: list[str]) -> None:
    assert old in LEVELLED
    lines = check_file(saved(folder, {"campaign.yaml": LEVELLED.replace(old, new), "oven.yaml": LEVELLED_LAB}))
    assert any(all(word in line for word in words) for line in lines), lines


def test_levels_that_no_step_takes_are_refused(folder: Path) -> None:
    lab = OVEN_LAB.replace("$gas", "air")
    (line,) = check_file(saved(folder, {"campaign.yaml": LEVELLED, "oven.yaml": lab}))
    assert "no step of the protocol uses it; write $fidelity" in line


def test_candidates_are_offered_at_each_level(folder: Path) -> None:
    text = LEVELLED.replace("budget:", "candidates: c.csv\nbudget:").replace("experiments: 10", "experiments: 6")
    files = {"campaign.yaml": text, "oven.yaml": LEVELLED_LAB, "c.csv": "heat,rounds\n310,1\n320,2\n330,3\n"}
    pool = load_campaign(saved(folder, files)).problem.pool
    assert pool is not None
    assert list(pool.columns["fidelity"]) == ["air"] * 3 + ["argon"] * 3
    with pytest.raises(FileFaultsError, match="only 6 settings"):
        load_campaign(saved(folder, {"campaign.yaml": text.replace("experiments: 6", "experiments: 7")}))
