"""The problems of our own are those of the literature: their best settings are allowed and worth what is written there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import main
from benchmarks.own import MADE
from controller.domain.expression import PYTHON

BEST: dict[str, dict[str, Any]] = {
    "welded_beam": {"h": 0.205730, "l": 3.470489, "t": 9.036624, "b": 0.205730},
    "pressure_vessel": {"shell": 13, "head": 7, "radius": 42.098446, "length": 176.636596},
    "speed_reducer": {"face": 3.5, "module": 0.7, "teeth": 17, "l1": 7.3, "l2": 7.71532, "d1": 3.350215, "d2": 5.286654},
    "tension_spring": {"wire": 0.051689, "coil": 0.356718, "turns": 11.288966},
    "blend": {"x1": 0.0, "x2": 0.5, "x3": 0.0, "x4": 0.0, "x5": 0.5, "x6": 0.0},
    "flow": {"catalyst": "Pd", "ligand": "L2", "loading": 2.0, "solvent": "DMF", "temperature": 110.0, "residence": 20.0},
}


@pytest.mark.parametrize("name", MADE)
def test_best_known_setting_is_allowed_and_worth_what_is_written(name: str) -> None:
    own, point = MADE[name](), BEST[name]
    assert own.true(point) == pytest.approx(own.best, rel=2e-5)
    for rule in own.problem.rules:
        values = {n: float(v) if n in rule.numbers else v for n, v in point.items() if n in rule.names}
        assert rule.allows(point) or rule.excess(values, PYTHON) < 1e-5, rule.text  # published to six digits
    assert own.target < own.best


def test_own_problems_run_beside_random_choice_and_botorch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "own.json"
    assert main(["tables", "--problems", "flow", "--seeds", "0", "--budget", "8", "--output", str(output)]) == 0
    written = json.loads(output.read_text())
    (row,) = written["rows"]
    assert row["theirs"].keys() == {"random", "botorch"}
    own = MADE["flow"]()
    assert all(own.problem.allows(point) for point in written["campaigns"][0]["points"])
    assert "flow" in capsys.readouterr().out
