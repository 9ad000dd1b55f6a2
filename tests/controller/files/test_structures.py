"""Lists of molecules as chemists have them: what cannot be read, what is listed twice, what must not be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from controller.cli.app import app
from controller.errors import FileFaultsError
from controller.files.loading import load_campaign
from controller.files.structures import remarks

pytest.importorskip("rdkit", reason="structures need the extra chem")

CAMPAIGN = """campaign: molecules
parameters: {molecule: {type: categorical, choices: molecules.csv}}
objectives: {log_s: {goal: maximize}}
budget: {experiments: 2}
lab: {by_hand: true}
"""


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN, encoding="utf-8")
    return tmp_path / "campaign.yaml"


def listed(campaign: Path, *rows: str, header: str = "smiles") -> Path:
    (campaign.parent / "molecules.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return campaign


def test_what_rdkit_finds_wrong_is_told_with_its_line(campaign: Path) -> None:
    listed(campaign, "CCO", "CN(C)(C)(C)C", "c1ccccc", "C[C@H](O)F", "CC(C")
    with pytest.raises(FileFaultsError) as caught:
        load_campaign(campaign)
    valence, notation = caught.value.faults
    why = "(Explicit valence for atom # 1 N, 5, is greater than permitted)"
    assert "molecules.csv:3: smiles: " in valence
    assert f"is not a SMILES that RDKit can read {why}; correct it" in valence
    assert "molecules.csv:4: smiles: " in notation
    assert "is not a SMILES that RDKit can read; correct it" in notation
    assert "6" in notation.partition("RDKit can read")[2]


def test_salts_metals_large_and_charged_molecules_are_read(campaign: Path) -> None:
    peptide = "NCC(=O)" * 150 + "O"
    rows = ["[Na+].CC(=O)[O-]", "[Fe+2].c1cc[cH-]c1.c1cc[cH-]c1", "Cl[Pt](Cl)([NH3])[NH3]", peptide, "O=[N+]([O-])c1ccccc1"]
    problem = load_campaign(listed(campaign, *rows)).problem
    assert problem.descriptors["molecule"].smiles == tuple(rows)
    assert remarks(problem) == []


def test_one_molecule_twice_is_remarked_upon_and_isomers_are_not(campaign: Path) -> None:
    rows = ["CCO", "CC(=O)[O-].[Na+]", "OCC", "C[C@H](O)F", "C[C@@H](O)F", "[Na+].CC(=O)[O-]", "F/C=C/F", "F/C=C\\F"]
    problem = load_campaign(listed(campaign, *rows)).problem
    assert remarks(problem) == [
        'molecule: "OCC" is the same molecule as "CCO", and may be measured besides; keep one of them',
        'molecule: "[Na+].CC(=O)[O-]" is the same molecule as "CC(=O)[O-].[Na+]", and may be measured besides; keep one of them',
    ]


def test_validate_tells_remarks_of_a_good_file(campaign: Path) -> None:
    listed(campaign, "CCO", "OCC", "CCC")
    done = CliRunner().invoke(app, ["validate", str(campaign)])
    assert done.exit_code == 0
    good, remark = done.stdout.splitlines()
    assert good == f"{campaign}: good"
    assert remark.startswith(f'{campaign}: remark: molecule: "OCC" is the same molecule')
    plain = CliRunner().invoke(app, ["validate", str(campaign), "--json"])
    (told,) = json.loads(plain.stdout)
    assert told["faults"] == []
    assert len(told["remarks"]) == 1


def test_many_twins_are_counted(campaign: Path) -> None:
    chains = ["C" * n + "O" for n in range(2, 32)]
    problem = load_campaign(listed(campaign, *chains, *(chain[::-1] for chain in chains))).problem
    assert len(remarks(problem)) == 21
    assert remarks(problem)[-1] == "molecule: and 10 molecules more that are listed twice"


def test_results_beside_the_molecules_are_no_descriptors(campaign: Path) -> None:
    listed(campaign, "CCO,1,46.07", "CCC,-2,44.1", "CCCCO,0,74.12", header="smiles,log_s,mass")
    assert load_campaign(campaign).problem.descriptors["molecule"].columns == {"mass": (46.07, 44.1, 74.12)}
    listed(campaign, "ethanol,1", "propane,-2", header="name,log_s")
    assert load_campaign(campaign).problem.descriptors == {}
