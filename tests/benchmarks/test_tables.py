from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.tables import mean_hits, parse_seeds

PROBLEMS = """
import itertools


class Table:
    is_pool = True
    name = "grid"
    budget = 20
    q = 1
    noise = 0.0
    params = [
        {"name": "x", "type": "num", "lo": 0.0, "hi": 1.9},
        {"name": "n", "type": "num", "lo": 1.0, "hi": 3.0, "levels": [1.0, 2.0, 3.0]},
        {"name": "s", "type": "cat", "values": ["CO", "CCO", "none"], "smiles": {"CO": "CO", "CCO": "CCO", "none": float("nan")}},
    ]
    pool = list(itertools.product([0.1 * i for i in range(20)], [1.0, 2.0, 3.0], ["CO", "CCO", "none"]))
    target = -0.03

    def row(self, i):
        return dict(zip("xns", self.pool[i]))

    def true(self, p):
        return -((p["x"] - 1.2) ** 2) - (p["n"] - 2) ** 2 - (p["s"] == "none")


def names():
    return ["grid"]


def get(name):
    return Table()
"""


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "problems.py").write_text(PROBLEMS)
    peers = [
        {"problem": "grid", "tool": "botorch", "seeds": {"0": {"hit": 16}, "1": {"hit": None}}},
        {"problem": "grid", "tool": "hebo", "seeds": {"0": {"hit": 15}}},
        {"problem": "grid", "tool": "random", "seeds": {"0": {"hit": None}}},
    ]
    (tmp_path / "bench" / "peers.json").write_text(json.dumps(peers))
    monkeypatch.setenv("LABWRIGHT_SHARED", str(tmp_path))
    return tmp_path


def test_tables_runs_and_writes_what_it_measured(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rdkit")
    output = shared / "out.json"
    assert main(["tables", "--seeds", "0-1", "--output", str(output)]) == 0
    written = json.loads(output.read_text())
    assert written["seeds"] == [0, 1]
    assert {"commit", "versions", "python", "at"} <= written.keys()
    (row,) = written["rows"]
    assert row["theirs"] == {"botorch": 23.0, "hebo": 15.0, "random": 30.0}
    assert row["best"] == "hebo"
    assert row["reached"] == 2
    assert row["ratios"] == {"botorch": pytest.approx(row["mean"] / 23.0), "best": pytest.approx(row["mean"] / 15.0)}
    assert row["mean"] < 12
    assert row["stand_ins"] == 0
    told = capsys.readouterr().out
    assert f"ratios to the best peer of each: {row['ratios']['best']:.3f} over 1 problems" in told
    assert f"table with categories (1): baybe –, ax –, botorch {row['ratios']['botorch']:.2f}" in told
    assert "not better than random: none" in told
    # The same seeds give the same points.
    assert main(["tables", "--seeds", "0-1", "--output", str(output)]) == 0
    again = json.loads(output.read_text())
    assert [c["points"] for c in again["campaigns"]] == [c["points"] for c in written["campaigns"]]


def test_smoke_runs_one_short_campaign(shared: Path) -> None:
    pytest.importorskip("rdkit")
    assert main(["tables", "--smoke", "--output", str(shared / "out.json")]) == 0
    (campaign,) = json.loads((shared / "out.json").read_text())["campaigns"]
    assert len(campaign["points"]) <= 10


def test_proposals_are_made_as_told(shared: Path) -> None:
    pytest.importorskip("rdkit")
    told = '{"first_points": 10}'
    assert main(["tables", "--smoke", "--proposals", told, "--output", str(shared / "out.json")]) == 0
    written = json.loads((shared / "out.json").read_text())
    assert written["proposals"] == {"first_points": 10}
    (random,) = written["campaigns"]
    assert main(["tables", "--smoke", "--output", str(shared / "out.json")]) == 0
    (modelled,) = json.loads((shared / "out.json").read_text())["campaigns"]
    assert random["points"] != modelled["points"]


def test_a_wrong_way_of_making_proposals_is_told_with_its_place(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = '{"surrogate": {"kind": "gp", "choices": "together"}}'
    assert main(["tables", "--smoke", "--proposals", wrong]) == 2
    assert "--proposals surrogate.gp.choices: " in capsys.readouterr().err


def test_absent_tables_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LABWRIGHT_SHARED", str(tmp_path))
    assert main(["tables", "--smoke"]) == 2
    assert "set LABWRIGHT_SHARED" in capsys.readouterr().err


def test_misses_count_one_and_a_half_budgets() -> None:
    assert mean_hits([10, None], 40) == 35.0


def test_parse_seeds_reads_ranges_and_lists() -> None:
    assert parse_seeds("0-2,7") == [0, 1, 2, 7]
