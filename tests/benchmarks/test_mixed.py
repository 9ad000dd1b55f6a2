"""The mixed functions: what is written to be their best value is nearly reached by climbing, and never surpassed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from benchmarks.__main__ import main
from benchmarks.mixed import MADE
from controller.design.drawing import draw
from controller.encoding.space import SearchSpace


@pytest.mark.parametrize("name", MADE)
def test_best_value_is_the_one_that_is_written(name: str) -> None:
    own = MADE[name]()
    space = SearchSpace.of(own.problem)
    drawn = draw(space, 4096, 0)
    values = np.array([own.true(space.point(z)) for z in drawn])
    assert float(np.median(values)) < own.target < own.best
    free, best = space.continuous, float(values.max())
    for z in drawn[np.argsort(-values)[:12]]:

        def negative(moved: np.ndarray, z: np.ndarray = z) -> float:
            there = z.copy()
            there[free] = moved
            return -own.true(space.point(there))

        best = max(best, -minimize(negative, z[free], bounds=[(0.0, 1.0)] * int(free.sum()), method="Nelder-Mead").fun)
    assert best <= own.best + 1e-5 * abs(own.best) + 1e-5
    assert best > own.target


def test_mixed_functions_run_beside_random_choice_and_botorch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "mixed.json"
    assert main(["tables", "--problems", "four_landscapes", "--seeds", "0", "--budget", "7", "--output", str(output)]) == 0
    (row,) = json.loads(output.read_text())["rows"]
    assert row["kind"] == "mixed"
    assert row["theirs"].keys() == {"random", "botorch"}
    assert "four_landscapes" in capsys.readouterr().out
