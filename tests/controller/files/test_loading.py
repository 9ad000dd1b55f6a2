"""Good files become definitions that need no file any more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from controller.domain.campaign import Definition
from controller.domain.space import DescriptorTable
from controller.errors import FileFaultsError
from controller.files.checking import check_file
from controller.files.loading import load_campaign
from tests.controller.files.conftest import DATA, GOOD_CAMPAIGN, POOL_CAMPAIGN, SOLVENTS, write


def test_definition_holds_what_the_files_said(folder: Path) -> None:
    write(folder, {"campaign.yaml": POOL_CAMPAIGN + "seed: 4\nbatch: 2\n"})
    definition = load_campaign(folder / "campaign.yaml")
    assert (definition.name, definition.seed, definition.batch, definition.budget.experiments) == ("pool", 4, 2, 5)
    assert definition.simulated
    table = definition.problem.descriptors["solvent"]
    assert table.columns == {"dielectric": (36.7, 7.6, 37.5), "boiling": (153, 66, 81.6)}
    assert table.smiles is None
    assert definition.problem.pool is not None
    assert len(definition.problem.pool) == 6
    assert all(definition.problem.allows(definition.problem.pool.row(i)) for i in range(6))
    assert Definition.model_validate_json(definition.model_dump_json(by_alias=True)) == definition


def test_definition_is_the_same_from_another_working_directory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, {"campaign.yaml": POOL_CAMPAIGN})
    before = load_campaign(folder / "campaign.yaml")
    monkeypatch.chdir(folder)
    assert load_campaign(Path("campaign.yaml")).fingerprint == before.fingerprint


def test_pool_holds_each_setting_once_and_only_what_constraints_allow(folder: Path) -> None:
    text = POOL_CAMPAIGN.replace("objectives:", "constraints: [temperature <= 70]\nobjectives:").replace(
        "experiments: 5", "experiments: 3"
    )
    write(folder, {"campaign.yaml": text, "data.csv": DATA + "DMF,60,99\nDMF,60,98\n"})
    pool = load_campaign(folder / "campaign.yaml").problem.pool
    assert pool is not None
    assert pool.columns == {"solvent": ("DMF", "THF", "MeCN"), "temperature": (60, 60, 60)}


def test_candidates_narrow_what_the_table_of_a_lab_offers(folder: Path) -> None:
    text = POOL_CAMPAIGN.replace("budget: {experiments: 5}", "candidates: candidates.csv\nbudget: {experiments: 2}")
    write(
        folder, {"campaign.yaml": text, "candidates.csv": "temperature,solvent,note\n80,THF,x\n60,DMF,y\n60.0,DMF,z\n"}
    )
    pool = load_campaign(folder / "campaign.yaml").problem.pool
    assert pool is not None
    assert pool.columns == {"solvent": ("THF", "DMF"), "temperature": (80, 60)}


def test_candidates_that_the_table_does_not_hold_are_refused(folder: Path) -> None:
    text = POOL_CAMPAIGN.replace("budget: {experiments: 5}", "candidates: candidates.csv\nbudget: {experiments: 1}")
    write(
        folder,
        {
            "campaign.yaml": text,
            "data.csv": DATA.replace("THF,80", "THF,60"),
            "candidates.csv": "solvent,temperature\nTHF,80\n",
        },
    )
    (fault,) = check_file(folder / "campaign.yaml")
    assert 'candidates: "candidates.csv": 1 of its 1 settings are not in the lab\'s table' in fault


def test_budget_beyond_the_pool_is_allowed_with_replicates(folder: Path) -> None:
    text = POOL_CAMPAIGN.replace("experiments: 5", "experiments: 50")
    write(folder, {"campaign.yaml": text + "allow_replicates: true\n"})
    assert load_campaign(folder / "campaign.yaml").budget.experiments == 50


@pytest.mark.parametrize("header", ["solvent", "choice", "name", "label", "whatever"])
def test_choices_are_found_in_the_column_that_names_them(header: str, folder: Path) -> None:
    content = SOLVENTS.replace("solvent,", f"{header},") + "water,80.1,100\n" + "DMF,36.7,153\n"
    write(folder, {"campaign.yaml": POOL_CAMPAIGN, "solvents.csv": content})
    table = load_campaign(folder / "campaign.yaml").problem.descriptors["solvent"]
    assert table.columns["dielectric"] == (36.7, 7.6, 37.5)


def test_constant_columns_are_left_out(folder: Path) -> None:
    write(folder, {"campaign.yaml": POOL_CAMPAIGN, "solvents.csv": "solvent,a,b\nDMF,1,2\nTHF,1,3\nMeCN,1,3\n"})
    assert load_campaign(folder / "campaign.yaml").problem.descriptors["solvent"].columns == {"b": (2, 3, 3)}


def test_smiles_are_checked_and_none_is_allowed(folder: Path) -> None:
    pytest.importorskip("rdkit", reason="structures need the extra chem")
    write(
        folder,
        {"campaign.yaml": POOL_CAMPAIGN, "solvents.csv": "solvent,smiles,a\nDMF,CN(C)C=O,1\nTHF,,2\nMeCN,CC#N,4\n"},
    )
    table = load_campaign(folder / "campaign.yaml").problem.descriptors["solvent"]
    assert table.smiles == ("CN(C)C=O", "", "CC#N")
    assert table.columns == {"a": (1, 2, 4)}
    write(folder, {"solvents.csv": "solvent,smiles\nDMF,CN(C)C=O\nTHF,C1CCOC\nMeCN,CC#N\n"})
    (fault,) = check_file(folder / "campaign.yaml")
    assert fault.startswith(f'{folder / "solvents.csv"}:3: smiles: "C1CCOC": is not a SMILES')


def test_smiles_without_rdkit_names_the_extra(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rdkit", None)
    write(
        folder,
        {"campaign.yaml": POOL_CAMPAIGN, "solvents.csv": "solvent,smiles\nDMF,CN(C)C=O\nTHF,C1CCOC1\nMeCN,CC#N\n"},
    )
    (fault,) = check_file(folder / "campaign.yaml")
    assert "pip install 'labwright[chem]'" in fault


def test_data_table_with_a_column_of_structures_serves_as_descriptors(folder: Path) -> None:
    pytest.importorskip("rdkit", reason="structures need the extra chem")
    smiles = {"DMF": "CN(C)C=O", "THF": "C1CCOC1", "MeCN": "CC#N"}
    lines = DATA.splitlines()
    data = "\n".join([f"{lines[0]},solvent_smiles", *(f"{row},{smiles[row.split(',')[0]]}" for row in lines[1:])])
    write(folder, {"campaign.yaml": POOL_CAMPAIGN.replace("solvents.csv", "data.csv"), "data.csv": data})
    table = load_campaign(folder / "campaign.yaml").problem.descriptors["solvent"]
    assert table == DescriptorTable(columns={}, smiles=tuple(smiles[s] for s in ("DMF", "THF", "MeCN")))


def test_faults_of_a_broken_campaign_name_what_can_still_be_checked(folder: Path) -> None:
    text = POOL_CAMPAIGN.replace("goal: maximize", "goal: more").replace("values: [60, 80]", "values: [60]")
    write(folder, {"campaign.yaml": text, "solvents.csv": SOLVENTS.replace("7.6", "?")})
    with pytest.raises(FileFaultsError) as caught:
        load_campaign(folder / "campaign.yaml")
    assert [fault.removeprefix(str(folder) + "/").split(": ")[0] for fault in caught.value.faults] == [
        "campaign.yaml:4", "campaign.yaml:6", "solvents.csv:3",
    ]  # fmt: skip


@pytest.mark.parametrize("text", [GOOD_CAMPAIGN, POOL_CAMPAIGN], ids=["continuous", "pool"])
def test_checking_needs_neither_torch_nor_scipy(text: str, folder: Path) -> None:
    write(folder, {"campaign.yaml": text})
    code = (
        "import sys, pathlib\nfrom controller.files.checking import check_file\n"
        f"assert check_file(pathlib.Path({str(folder / 'campaign.yaml')!r})) == []\n"
        "print([m for m in ('torch', 'scipy', 'sqlmodel', 'botorch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
