"""Thousands of molecules: coordinates from landmarks say what those from all similarities say."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import numpy as np
import pytest

from controller.domain.request import Observed
from controller.domain.space import DescriptorTable
from controller.encoding import structure
from controller.engine.thinking import propose
from controller.errors import FileFaultsError
from controller.files.loading import load_campaign
from tests.controller.spaces import continuous, problem, request

pytest.importorskip("rdkit")

_RINGS = (
    "c1ccc({})cc1", "C1CCC({})CC1", "c1ccc({})nc1",
    "c1cc({})cs1", "C1CC({})CO1", "N1CCC({})CC1", "c1cc({})ccc1Cl", "c1ccc2cc({})ccc2c1",
)  # fmt: skip
_LINKS = ("", "C", "CC", "O", "C(=O)", "C(=O)N", "S(=O)(=O)", "CO", "C=C", "CN")
_ENDS = (
    "C", "N", "O", "F", "Cl", "C#N", "C(F)(F)F", "CCCC", "C(C)(C)C", "c9ccccc9", "c9ccncc9", "C9CC9", "OC", "Br", "CCO", "C(=O)O",
)  # fmt: skip


def molecules(n: int) -> list[str]:
    found = [r.format(a + e) for r, a, e in itertools.product(_RINGS, _LINKS, _ENDS)]
    chains = [c + m for c in ("C", "CC", "CCC", "CCCC", "FC", "OC", "NC", "CSC") for m in found]
    return list(dict.fromkeys([*found, *chains]))[:n]


def test_landmarks_keep_the_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    smiles = molecules(260)
    exact = structure.embed(smiles)
    monkeypatch.setattr(structure, "MOST_EXACT", 100)
    near = structure.embed(smiles)
    assert near.shape[1] <= 128 < exact.shape[1]
    some = np.random.default_rng(0).integers(260, size=(2000, 2))
    pairs = [np.linalg.norm(z[some[:, 0]] - z[some[:, 1]], axis=1) for z in (exact, near)]
    assert np.corrcoef(*pairs)[0, 1] > 0.95


def test_thousands_of_molecules_are_searched_with_a_number_beside() -> None:
    smiles = molecules(3000)
    space = problem(
        {"molecule": {"type": "categorical", "choices": smiles}, **continuous("t")},
        descriptors={"molecule": DescriptorTable(smiles=tuple(smiles))},
    )
    rng = np.random.default_rng(1)

    def value(molecule: str, t: float) -> float:
        return molecule.count("Cl") + molecule.count("C(=O)N") - (t - 0.3) ** 2

    points = [{"molecule": smiles[int(i)], "t": float(rng.random())} for i in rng.integers(3000, size=40)]
    observed = [Observed(point=p, values={"y": value(str(p["molecule"]), float(p["t"]))}) for p in points]
    begin = time.process_time()
    (found,) = propose(request(space, observed, []))
    assert time.process_time() - begin < 20.0  # a tenth of it where nothing else runs
    assert found.source == "model", found.note
    assert value(str(found.point["molecule"]), float(found.point["t"])) > 1.9


def test_choices_are_read_from_a_file(tmp_path: Path) -> None:
    smiles = molecules(700)
    (tmp_path / "molecules.csv").write_text("smiles\n" + "\n".join(smiles) + "\n")
    (tmp_path / "names.csv").write_text("name\nA\nB\nA\n")
    rows = [f"{s},{i % 2},{'AB'[i % 2]},{i}" for i, s in enumerate(smiles[:20])]
    (tmp_path / "table.csv").write_text("molecule,t,kind,y\n" + "\n".join(rows) + "\n")
    text = """campaign: molecules
parameters:
  molecule: {type: categorical, choices: molecules.csv}
  kind: {type: categorical, choices: names.csv}
  t: {type: continuous, bounds: [0, 1]}
objectives: {y: {goal: maximize}}
budget: {experiments: 5}
lab: {simulator: table, data: table.csv}
"""
    file = tmp_path / "campaign.yaml"
    file.write_text(text)
    loaded = load_campaign(file).problem
    assert loaded.parameters["molecule"].choices == tuple(smiles)  # type: ignore[union-attr]
    assert loaded.descriptors["molecule"].smiles == tuple(smiles)
    assert loaded.parameters["kind"].choices == ("A", "B")  # type: ignore[union-attr]
    assert loaded.descriptors.keys() == {"molecule"}
    file.write_text(text.replace("names.csv", "nowhere.csv"))
    with pytest.raises(FileFaultsError, match=r"campaign.yaml:4: parameters.kind.choices: .*there is no such file"):
        load_campaign(file)


def test_isomers_are_near_and_not_the_same() -> None:
    left, right, flat, other = "C[C@H](O)c1ccccc1", "C[C@@H](O)c1ccccc1", "CC(O)c1ccccc1", "CCCCCCN"
    for more, least in (([], 0.1), (molecules(structure.MOST_EXACT), 0.01)):  # landmarks say less of what is as near as this
        z = structure.embed([left, right, flat, other, "F/C=C/F", "F/C=C\\F", *more])
        apart = [float(np.linalg.norm(z[i] - z[j])) for i, j in ((0, 1), (0, 2), (4, 5), (0, 3))]
        assert all(least < near < 0.5 * apart[-1] for near in apart[:-1])


def test_what_has_no_stereochemistry_is_as_alike_as_ever() -> None:
    from rdkit import Chem
    from rdkit.Chem import rdFingerprintGenerator

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=4096)
    some = molecules(40)
    a, b = (np.array(list(counts), dtype=float) for counts in (
        structure._counts(some), (generator.GetCountFingerprintAsNumPy(Chem.MolFromSmiles(s)) for s in some)
    ))  # fmt: skip
    np.testing.assert_array_equal(a, 4 * b)
