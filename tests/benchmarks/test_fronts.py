from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks.__main__ import main
from benchmarks.fronts import evaluated, hypervolume, problems


def test_fronts_runs_and_writes_what_it_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out.json"
    chosen = ["fronts", "--smoke", "--problems", "branin_currin_constrained", "--methods", "ours,random", "--output", str(output)]
    assert main(chosen) == 0
    written = json.loads(output.read_text())
    assert {"commit", "versions", "python", "at", "seeds"} <= written.keys()
    assert [len(c["shares"]) for c in written["campaigns"]] == [8, 8]
    assert all(a <= b for c in written["campaigns"] for a, b in zip(c["shares"], c["shares"][1:], strict=False))
    assert "not better than random" in capsys.readouterr().out


def test_hypervolume_is_that_of_acceptable_results_alone() -> None:
    source = problems()["dtlz2"]()
    # On the front x2… are 0.5; the area that (cos, sin) of one angle leaves to the reference (1.1, 1.1).
    found, slack = evaluated(source, torch.tensor([0.5, 0.5, 0.5, 0.5], dtype=torch.float64))
    assert found == pytest.approx([0.5**0.5, 0.5**0.5])
    share = (1.1 - 0.5**0.5) ** 2 / source.max_hv
    assert hypervolume(source, [found], [slack]) == pytest.approx(share)
    assert hypervolume(source, [found], [[-1.0]]) == 0.0
