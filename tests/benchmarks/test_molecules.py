from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.molecules import Library, campaign, longer
from tests.controller.encoding.test_structure import molecules


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "problems.py").write_text("")
    folder = tmp_path / "data" / "aqsoldb_solubility"
    folder.mkdir(parents=True)
    rows = [f"{s},{s.count('O') - s.count('c')}" for s in molecules(150)]
    (folder / "data.csv").write_text("\n".join(["smiles,log_s", "C1CC,9", *rows]) + "\n")
    monkeypatch.setenv("LABWRIGHT_SHARED", str(tmp_path))
    return tmp_path


def test_molecules_runs_every_method_and_writes_what_it_found(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = shared / "found.json"
    methods = "ours,ours-gp,tanimoto,forest,random"
    assert main(["molecules", "--smoke", "--libraries", "solubility", "--methods", methods, "--output", str(output)]) == 0
    assert "after 50" in capsys.readouterr().out
    written = json.loads(output.read_text())
    assert [c["method"] for c in written["campaigns"]] == methods.split(",")
    for found in written["campaigns"]:
        assert len(found["found"]) == 20
        assert len(found["seconds"]) == 3
        assert 1 <= found["of"] <= 150
    assert {"commit", "seeds", "versions"} <= written.keys()


def test_a_name_that_is_none_is_told_with_those_that_are(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["molecules", "--libraries", "solubilty"]) == 2
    assert "'solubilty': expected some of solubility, docking" in capsys.readouterr().err


def test_no_molecule_is_measured_twice_and_all_begin_alike() -> None:
    smiles = molecules(30)
    source = Library("made", tuple(smiles), tuple(float(s.count("O")) for s in smiles))
    ends = {campaign(source, method, 10, 30, 3)["found"][-1] for method in ("tanimoto", "forest", "random")}
    assert ends == {len(source.best)}
    starts = [campaign(source, method, 5, 5, 3)["best"] for method in ("tanimoto", "random")]
    assert starts[0] == starts[1]


def test_longer_lists_hold_different_molecules() -> None:
    smiles = ["C" * n + end for n in (1, 20) for end in ("O", "N", "c1ccccc1", "(=O)O")]
    found = longer(smiles, 40)
    assert len(set(found)) == 40
    assert found[:8] == smiles
