"""Forecasts rest on the models, know what is under way, fails or is not acceptable, and refuse what cannot be foreseen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from controller.campaign import Campaign
from controller.design.forecast import Belief, play, reached
from controller.domain.objective import Objective
from controller.domain.request import Observed
from controller.engine.foreseeing import foresee
from controller.errors import ConflictError
from controller.store.opening import Store
from tests.controller.cli.conftest import Call, call
from tests.controller.engine.test_replaying import one_objective
from tests.controller.spaces import continuous, pool_problem, problem, request

__all__ = ["call"]  # a fixture of the command line's tests

PLANE = problem(continuous("a", "b"))


def results(which: Any, n: int = 8, **formulas: Any) -> list[Observed]:
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(n):
        point = {name: round(float(v), 6) for name, v in zip(which.parameters, rng.random(len(which.parameters)), strict=True)}
        rows.append(Observed(point=point, values={name: float(f(point)) for name, f in formulas.items()}))
    return rows


def test_forecast_looks_ahead_and_is_reproducible() -> None:
    asked = request(PLANE, results(PLANE, y=lambda p: -((p["a"] - 0.3) ** 2) - abs(p["b"] - 0.6)), [])
    told = foresee(asked, 6, by=0.01, worth=1e-6, paths=100)
    assert told == foresee(asked, 6, by=0.01, worth=1e-6, paths=100)
    assert (told.measure, told.objective, told.larger_is_better, told.learned_from) == ("objective", "y", True, 8)
    medians = [o.median for o in told.outlook]
    assert len(medians) == 6
    assert medians == sorted(m for m in medians if m is not None)
    for o in told.outlook:
        assert told.now is not None
        assert o.low is not None
        assert o.median is not None
        assert o.high is not None
        assert told.now <= o.low <= o.median <= o.high
        assert o.improved_by is not None
        assert o.improved_by <= o.improved
    assert told.outlook[-1].improved > 0.8
    assert told.stop_after is None


def test_small_is_better_where_it_is_wanted() -> None:
    which = problem(continuous("a", "b"), {"y": {"goal": "minimize", "unit": "g"}})
    told = foresee(request(which, results(which, y=lambda p: p["a"] + p["b"]), []), 4, paths=60)
    last = told.outlook[-1]
    assert not told.larger_is_better
    assert told.unit == "g"
    assert told.now is not None
    assert last.low is not None
    assert last.high is not None
    assert last.low <= last.high <= told.now


def test_nothing_more_is_expected_where_everything_is_known() -> None:
    which = pool_problem(40, 1)
    assert which.pool is not None
    rows = sorted((which.pool.row(i) for i in range(40)), key=lambda p: -float(p["x0"]))
    observed = [Observed(point=p, values={"y": float(p["x0"])}) for p in rows[:20]]
    told = foresee(request(which, observed, []), 30, worth=0.05, paths=100)
    assert told.experiments == 20  # no more rows are left
    assert told.outlook[0].improved < 0.2
    assert told.stop_after == 0


def test_front_target_bounds_and_failures() -> None:
    several = problem(continuous("a", "b"), {"f": {"goal": "maximize"}, "g": {"goal": "minimize"}})
    told = foresee(request(several, results(several, f=lambda p: p["a"], g=lambda p: p["a"] ** 2 + p["b"]), []), 3, paths=40)
    assert (told.measure, told.now) == ("hypervolume", 1.0)
    assert told.outlook[-1].median is not None
    assert told.outlook[-1].median > 1.0

    bound = problem(
        continuous("a", "b"), {"f": {"goal": "match", "target": 0.4}, "c": {"goal": "constrain", "at_most": -1.0}}
    )
    rows = results(bound, f=lambda p: p["a"], c=lambda p: p["b"])
    rows.append(Observed(point={"a": 0.9, "b": 0.9}, values=None))
    told = foresee(request(bound, rows, []), 3, paths=40)
    assert (told.measure, told.larger_is_better, told.now) == ("distance", False, None)
    assert told.outlook[-1].median is None  # nothing acceptable is likely


def test_what_is_under_way_comes_first() -> None:
    observed = results(PLANE, y=lambda p: p["a"])
    told = foresee(request(PLANE, observed, [{"a": 0.999, "b": 0.5}]), 2, paths=60)
    assert told.under_way == 1
    assert told.outlook[0].improved > 0.75  # it lies where the best is


def test_what_cannot_be_foreseen_is_refused() -> None:
    observed = results(PLANE, y=lambda p: p["a"])
    with pytest.raises(ConflictError, match="carry out 2 more experiments"):
        foresee(request(PLANE, observed[:3], []), 5)
    with pytest.raises(ConflictError, match="ask for 1 to 100"):
        foresee(request(PLANE, observed, []), 1000)
    with pytest.raises(ConflictError, match="give one above 0"):
        foresee(request(PLANE, observed, []), 5, by=-1.0)


def test_conditioning_on_the_way_is_exact() -> None:
    # With as many experiments as candidates all is known in the end; without noise what is shown is the function itself.
    points = torch.linspace(0, 1, 5, dtype=torch.float64)
    covariance = torch.exp(-0.5 * ((points[:, None] - points[None, :]) / 0.3) ** 2)
    belief = Belief(torch.zeros(5, dtype=torch.float64), covariance, 0.0, 1.0, Objective(goal="maximize"))
    line = problem(continuous("x"))
    measured = torch.tensor([[0.5]], dtype=torch.float64)
    shown = play(line, {"y": belief}, measured, torch.ones(5, dtype=torch.float64), [2], 5, paths=4000, seed=0)
    quality = reached(line, measured, shown)
    # The first, forced one is a normal variable; all five together have the largest value of the function.
    assert float((shown[:, 0, 0].abs() > 1.96).double().mean()) == pytest.approx(0.05, abs=0.015)
    assert torch.equal(quality[:, -1], shown[:, :, 0].amax(1).clamp_min(0.5))
    failing = play(line, {"y": belief}, measured, torch.full((5,), 1e-9, dtype=torch.float64), [], 3, paths=50, seed=0)
    assert torch.isnan(failing).all()
    assert (reached(line, measured, failing) == 0.5).all()


def test_command_tells_it_and_refuses_in_one_line(call: Call, tmp_path: Path) -> None:
    store = tmp_path / "c.db"
    with Campaign(one_objective(12), store=Store.open(str(store)), device="cpu") as campaign:
        for x in (20.0, 40.0, 60.0, 80.0):
            campaign.tell({"temperature": x, "base": "KOAc"}, {"yield": x})
        refused = call("campaign", "forecast", "sample", "--store", store)
        assert refused.code == 2
        assert "campaign sample: 4 results are too few" in refused.err
        campaign.tell({"temperature": 100.0, "base": "CsOAc"}, {"yield": 50.0})
    told = call("campaign", "forecast", "sample", "--store", store, "-k", "2", "--worth", "0.01", "--json").json
    assert (told["experiments"], told["measure"], told["budget_left"]) == (2, "objective", 7)
    said = call("campaign", "forecast", "sample", "--store", store, "-k", "2").out
    assert "in 4 of 5 cases" in said
