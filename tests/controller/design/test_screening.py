"""Screening a large list finds what scoring every row again finds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from torch import Tensor

from controller.design import candidates, initial, screening
from controller.design.candidates import listing
from controller.design.screening import Screen
from controller.domain.request import Observed
from controller.encoding.columns import Encoder
from controller.engine import thinking
from tests.controller.spaces import ask, pool_problem

OBJECTIVES: dict[str, dict[str, Any]] = {
    "one": {"y": {"goal": "maximize"}},
    "several": {"y": {"goal": "maximize"}, "w": {"goal": "minimize"}},
    "match": {"y": {"goal": "match", "target": 1.0}},
}


@pytest.fixture
def _screened(monkeypatch: pytest.MonkeyPatch) -> None:
    thinking._grounds.clear()
    for module in (candidates, initial):
        monkeypatch.setattr(module, "MOST_LISTED", 100)
    monkeypatch.setattr(screening, "CHUNK", 96)
    monkeypatch.setattr(screening, "_FIRST", 12)


@pytest.mark.parametrize("wanted", OBJECTIVES.values(), ids=OBJECTIVES)
@pytest.mark.parametrize("failures", [False, True])
def test_a_batch_is_that_of_scoring_everything(
    wanted: dict[str, Any], failures: bool, request: pytest.FixtureRequest
) -> None:
    which = pool_problem(700 if len(wanted) == 1 else 130, 3, wanted)
    assert which.pool is not None
    rows = [which.pool.row(i) for i in range(0, 120, 10)]
    values = [{name: float(r["x0"]) + 2 * float(r["x1"]) ** 2 for name in wanted} for r in rows]
    observed = [
        Observed(point=r, values=None if failures and i % 4 == 1 else v) for i, (r, v) in enumerate(zip(rows, values, strict=True))
    ]
    n = 5 if len(wanted) == 1 else 2
    small = ask(which, observed, [which.pool.row(5)], n=n)
    request.getfixturevalue("_screened")
    large = ask(which, observed, [which.pool.row(5)], n=n)
    assert [p.point for p in large] == [p.point for p in small]
    assert [[a.point for a in p.runners_up] for p in large] == [[a.point for a in p.runners_up] for p in small]
    assert [p.acquisition for p in large] == pytest.approx([p.acquisition for p in small], rel=1e-9)
    assert {p.source for p in large} == {"model"}
    assert [p.model_dump(exclude={"seconds", "surrogate"}) for p in ask(which, observed, [which.pool.row(5)], n=n)] == [
        p.model_dump(exclude={"seconds", "surrogate"}) for p in large
    ]


class _Counting:
    """A score that may be told to be any."""

    name = "counting"

    def __init__(self, scores: np.ndarray[Any, Any]) -> None:
        self.scores, self.asked = scores, 0

    def __call__(self, X: Tensor) -> Tensor:
        self.asked += len(X)
        return Tensor.new_tensor(X, self.scores[(X[:, 0] * len(self.scores)).long().clamp_max(len(self.scores) - 1).numpy()])

    def widened(self, score: float) -> None:
        return None


@pytest.mark.usefixtures("_screened")
@pytest.mark.parametrize("seed", range(4))
def test_only_rows_that_can_win_are_scored_again(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screening, "_never_above", lambda now, before: True)
    n, rng = 1000, np.random.default_rng(seed)
    which = pool_problem(n, 1)
    found = listing((encoder := Encoder.of(which)).space)
    assert found is not None
    scores = rng.standard_normal(n).round(1)
    of_rows = (found.z[:, 0] * n).astype(int).clip(0, n - 1)
    screen, fresh = Screen(encoder, found), rng.random(n) < 0.9
    for _ in range(5):
        score = _Counting(scores)
        chosen, best = screen.best(score, fresh, 6)
        exact = np.where(fresh, scores[of_rows], -np.inf)
        assert best.tolist() == np.sort(exact)[::-1][:6].tolist()
        assert chosen.tolist() == np.argsort(-exact, kind="stable")[:6].tolist()
        fresh[chosen[0]] = False
        scores = scores - np.abs(rng.standard_normal(n).round(1)) * (rng.random(n) < 0.3)
    assert 12 <= score.asked < n / 2


@pytest.mark.usefixtures("_screened")
def test_first_points_and_stand_ins_of_a_large_pool_differ() -> None:
    which = pool_problem(3000, 2)
    proposals = ask(which, n=12)
    assert {p.source for p in proposals} == {"space-filling"}
    assert len({tuple(p.point.values()) for p in proposals}) == 12
    assert which.pool is not None
    known = {tuple(which.pool.row(i).values()) for i in range(3000)}
    assert all(tuple(p.point.values()) in known for p in proposals)
