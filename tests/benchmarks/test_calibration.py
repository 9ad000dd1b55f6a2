from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.calibration import KINDS, summary
from tests.benchmarks.test_tables import shared

__all__ = ["shared"]  # a fixture


def test_calibration_smoke_measures_random_rows_and_next_points(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rdkit")
    output = shared / "out.json"
    assert main(["calibration", "--smoke", "--output", str(output)]) == 0
    written = json.loads(output.read_text())
    assert {"commit", "versions", "python", "at", "seeds"} <= written.keys()
    (row,) = written["rows"]
    assert row["kinds"].keys() == set(KINDS)
    assert row["kinds"]["loop"]["predicted"] == 2  # after 15 and after 16 results
    assert row["kinds"]["random"]["predicted"] == 50
    assert 0.5 < row["kinds"]["random"]["90"] <= 1.0
    assert "90 % intervals on tables" in capsys.readouterr().out


def test_summary_counts_what_lies_inside() -> None:
    inside, outside = [0.0, 1.0, 3.0, 0.1], [0.0, 1.0, 3.0, 50.0]
    predicted = {"random": [inside] * 8 + [outside] * 2, "loop": [inside, outside] * 10, "elsewhere": []}
    row = summary("grid", True, [{"predicted": predicted}])
    assert row["kinds"]["random"]["90"] == 0.8
    assert row["kinds"]["loop"]["50"] == 0.5
    assert row["both_90"] == pytest.approx(0.65)
    assert row["distrusted"] == 1
