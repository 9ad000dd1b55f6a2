"""The benchmarks of what is known beside a campaign's own results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import beliefs, fidelity, transfer
from benchmarks.__main__ import main

PROBLEMS = """
class Problem:
    is_pool, pool, q, noise = False, None, 1, 0.0

    def __init__(self, name, params, f, opt, budget, target_frac=0.95):
        self.name, self.params, self._f, self.opt, self.budget, self.target = name, params, f, opt, budget, -0.002

    def true(self, x):
        return self._f(x)


def get(name):
    params = [{"name": f"x{j}", "type": "num", "lo": 0.0, "hi": 1.0} for j in (1, 2)]
    return Problem(name, params, lambda x: -((x["x1"] - 0.37) ** 2) - (x["x2"] - 0.71) ** 2, 0.0, 20)
"""


def test_transfer_compares_campaigns_with_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "problems.py").write_text(PROBLEMS)
    monkeypatch.setenv("LABWRIGHT_SHARED", str(tmp_path))
    output = tmp_path / "out.json"
    assert main(["transfer", "--smoke", "--output", str(output)]) in (0, 1)
    written = json.loads(output.read_text())
    assert {"commit", "versions", "seeds"} <= written.keys()
    assert [c["kind"] for c in written["campaigns"]] == list(transfer.KINDS)
    assert written["ratios"].keys() == {"with", "shuffled", "inverted"}
    assert written["rows"][0]["stand_ins"] == 0
    assert "with / without" in capsys.readouterr().out


def test_fidelity_spends_a_budget_of_costs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out.json"
    assert main(["fidelity", "--smoke", "--output", str(output)]) == 0
    (row,) = json.loads(output.read_text())["rows"]
    (found,) = row["campaigns"]["several"]
    assert found["stand_ins"] == 0
    assert found["cheap"] >= 5
    assert found["cheap"] / 10 + found["real"] <= 5.0
    assert "branin" in capsys.readouterr().out


def test_cheap_functions_resemble_the_real_ones_and_the_useless_one_does_not() -> None:
    rng = np.random.default_rng(0)
    for name, pair in fidelity.PAIRS.items():
        points = rng.random((400, pair.d))
        both = np.array([[pair.real(u), pair.cheap(u)] for u in points])
        assert np.isfinite(both).all()
        correlation = float(np.corrcoef(both.T)[0, 1])
        assert (correlation > 0.6) != name.startswith("useless"), (name, correlation)
    # Branin's largest value, negated, is known.
    assert fidelity.PAIRS["branin, 1:10"].real(np.array([(np.pi + 5) / 15, 2.275 / 15])) == pytest.approx(-0.397887, abs=1e-4)
    assert fidelity.target_of(fidelity.PAIRS["branin, 1:10"]) < -0.39


def test_beliefs_compares_right_and_wrong_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out.json"
    assert main(["beliefs", "--smoke", "--output", str(output)]) in (0, 1)
    (row,) = json.loads(output.read_text())["rows"]
    assert {c["kind"] for c in row["campaigns"]} == set(beliefs.KINDS)
    assert sum(c["stand_ins"] for c in row["campaigns"]) == 0
    assert "wrong physics / without" in capsys.readouterr().out


@pytest.mark.parametrize("name", beliefs.CASES)
def test_hints_and_laws_are_as_right_and_as_wrong_as_they_say(name: str) -> None:
    case = beliefs.CASES[name]
    best, worst = beliefs.extremes(case)
    points = np.random.default_rng(3).random((300, case.d))
    real = np.array([case.real(u) for u in points])
    assert case.real(best) >= real.max()
    assert case.real(worst) <= np.quantile(real, 0.05)
    if case.law:
        module: dict[str, Any] = {}
        exec(case.law, module)
        settings = {f"x{j}": points[:, j] for j in range(case.d)}
        middle = {n: (low + high) / 2 for n, low, high in case.parameters}
        assert np.corrcoef(module["right"](settings, middle), real)[0, 1] > 0.4
        assert np.corrcoef(module["wrong"](settings, middle), real)[0, 1] < -0.4
        assert abs(np.corrcoef(module["strange"](settings, middle), real)[0, 1]) < 0.3
