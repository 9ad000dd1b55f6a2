from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks import wide
from benchmarks.__main__ import main
from benchmarks.dimensions import summary


def test_campaigns_are_run_and_taken_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "dimensions.json"
    methods = ["--methods", "sobol,ours", "--output", str(output)]
    assert main(["dimensions", "--smoke", *methods]) == 0
    told = capsys.readouterr()
    found = json.loads(output.read_text(encoding="utf-8"))
    assert found["commit"]
    assert found["seeds"] == [0]
    assert {"botorch", "torch", "numpy"} <= found["versions"].keys()
    assert [(c["function"], c["method"]) for c in found["campaigns"]] == [
        (function, method) for function in ("hartmann6", "mirror") for method in ("random", "sobol", "ours")
    ]
    assert all(len(c["values"]) == 8 and c["missing"] >= 0.0 for c in found["campaigns"])
    assert found["rows"][0]["shares"]["random"] == 1.0
    assert "geometric mean" in told.out

    assert main(["dimensions", "--smoke", "--resume", *methods]) == 0
    again = capsys.readouterr()
    assert "missing" not in again.err  # nothing was run
    assert again.out == told.out


def test_botorch_takes_part(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    some = ["--functions", "ackley", "--dimensions", "3", "--seeds", "0", "--budget", "7", "--batch", "2", "--methods", "botorch"]
    assert main(["dimensions", *some, "--output", str(tmp_path / "d.json")]) == 0
    (row,) = json.loads((tmp_path / "d.json").read_text(encoding="utf-8"))["rows"]
    assert row["shares"].keys() == {"random", "botorch"}


def test_what_is_not_known_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dimensions", "--functions", "ackley,moon"]) == 2
    assert "--functions: moon: expected some of ackley," in capsys.readouterr().err
    assert main(["dimensions", "--methods", "luck"]) == 2
    assert "--methods: luck: expected some of random," in capsys.readouterr().err


def test_shares_are_geometric_means_over_the_seeds_of_both() -> None:
    def run(method: str, seed: int, missing: float) -> dict[str, object]:
        return {"function": "f", "d": 20, "method": method, "seed": seed, "missing": missing, "seconds": 0.1}

    chance = [run("random", 0, 10.0), run("random", 1, 10.0)]
    (row,) = summary([*chance, run("ours", 0, 1.0), run("ours", 1, 4.0), run("ours", 2, 9.0)])
    assert row["shares"]["ours"] == pytest.approx(0.2)
    assert row["spread"]["ours"] == pytest.approx(math.log(2.0))


@pytest.mark.parametrize("name", ["ackley", "levy", "rosenbrock", "styblinski_tang"])
def test_the_best_place_is_another_in_each_coordinate_and_nowhere_is_better(name: str) -> None:
    function = wide.MADE[name](20, 3)
    place = np.random.default_rng([3, 20, len(name)]).uniform(0.1, 0.9, 20)
    assert function.true(place) == pytest.approx(function.best, abs=1e-5)
    rng = np.random.default_rng(0)
    assert max(function.true(u) for u in rng.random((200, 20))) < function.best
    assert max(function.true(place + 0.01 * rng.standard_normal(20)) for _ in range(50)) < function.best


def test_hartmanns_best_lies_in_six_of_many_parameters() -> None:
    function = wide.hartmann6(50, 2)
    which = np.random.default_rng([2, 50, 6]).permutation(50)[:6]
    u = np.full(50, 0.9)
    u[which] = [0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573]
    assert function.true(u) == pytest.approx(function.best, abs=1e-5)


def test_the_mirror_is_what_the_books_say() -> None:
    """A quarter-wave stack of N pairs: its admittance is (high / low)^(2N) times the glass's (Macleod, chapter 6)."""
    wavelength = np.array([470.0])
    quarter = np.array([470.0 / 4 / 2.40, 470.0 / 4 / 1.46] * 5)
    admittance = (2.40 / 1.46) ** 10 * 1.52
    assert wide._reflectance(quarter, wavelength) == pytest.approx(((1 - admittance) / (1 + admittance)) ** 2)
    bare = ((1 - 1.52) / (1 + 1.52)) ** 2
    assert wide._reflectance(np.zeros(10), wavelength) == pytest.approx(bare)
    stack = (np.tile(quarter, 2) - 20.0) / 160.0
    assert wide.mirror(20, 0).true(stack) == pytest.approx(0.6657, abs=1e-3)
