from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.forecast import summary
from tests.benchmarks.test_tables import shared

__all__ = ["shared"]  # a fixture


def test_forecast_smoke_compares_with_what_came(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rdkit")
    output = shared / "out.json"
    assert main(["forecast", "--smoke", "--output", str(output)]) == 0
    written = json.loads(output.read_text())
    forecasts = written["campaigns"][0]["forecasts"]
    assert [(f["asked_at"], f["ahead"]) for f in forecasts] == [(10, 2), (10, 5)]
    assert all(f["low"] <= f["median"] <= f["high"] and f["outcome"] >= f["now"] for f in forecasts)
    assert "the outcome lies inside" in capsys.readouterr().out


def test_summary_says_on_which_side_outcomes_lie() -> None:
    told = {"now": 1.0, "median": 2.0, "low": 1.0, "high": 3.0, "improved": 0.5, "seconds": 0.1}
    row = summary("grid", [{**told, "outcome": y} for y in (1.0, 2.0, 2.5, 4.0)])
    assert (row["inside"], row["above"], row["below"], row["open"]) == (0.75, 0.25, 0.0, 1.0)
    assert row["over_median"] == (0.0 + 0.5 + 1.0 + 1.0) / 4
    assert row["brier"] == 0.25
