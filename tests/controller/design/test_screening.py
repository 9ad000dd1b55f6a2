"""Screening a large list finds what scoring every row again finds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from botorch.utils.multi_objective.hypervolume import Hypervolume
from botorch.utils.multi_objective.pareto import is_non_dominated
from torch import Tensor

from controller.design import candidates, initial, screening
from controller.design.acquisition import LogHypervolumeImprovement
from controller.design.candidates import listing
from controller.design.screening import Screen
from controller.domain.request import Observed
from controller.encoding.columns import Encoder
from controller.engine import thinking_ground
from surrogates.build import build
from surrogates.data import TrainingData
from surrogates.specs import GPSpec
from tests.controller.spaces import ask, pool_problem

OBJECTIVES: dict[str, dict[str, Any]] = {
    "one": {"y": {"goal": "maximize"}},
    "several": {"y": {"goal": "maximize"}, "w": {"goal": "minimize"}},
    "match": {"y": {"goal": "match", "target": 1.0}},
}


@pytest.fixture
def _screened(monkeypatch: pytest.MonkeyPatch) -> None:
    thinking_ground._grounds.clear()
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


def test_the_closed_form_of_the_hypervolume_is_what_the_samples_come_to() -> None:
    rng = np.random.default_rng(2)
    which = pool_problem(60, 2, OBJECTIVES["several"])
    assert which.pool is not None
    rows = [which.pool.row(i) for i in range(8)]
    encoder = Encoder.of(which)
    data = [TrainingData(encoder.encode(rows), torch.from_numpy(rng.random((8, 1))), encoder.layout) for _ in "yw"]
    models = [build(GPSpec(recipe="table"), d, pool=True, seed=0) for d in data]
    baseline = torch.cat([d.Y for d in data], 1)
    score = LogHypervolumeImprovement(models, list(which.objectives.values()), baseline, seed=0)
    X = torch.from_numpy(rng.random((200, 2)))
    exact, sampled = score.in_closed_form(X), score(X).detach()
    likely = sampled > sampled.max() - 3.0
    assert likely.sum() > 20
    assert float(np.corrcoef(exact[likely], sampled[likely])[0, 1]) > 0.98  # that of the samples is smoothed, and a little higher
    # Against samples counted one by one, on the scale from the worst to the best so far.
    low, span = baseline.min(0).values, baseline.max(0).values - baseline.min(0).values
    volume = Hypervolume(torch.full((2,), -0.1, dtype=torch.float64))
    unit = (baseline - low) / span
    front = unit[is_non_dominated(unit)]
    before = volume.compute(front)
    for i in exact.argsort(descending=True)[:120:40].tolist():
        moments = [model.posterior(X[i : i + 1]) for model in models]
        drawn = [m.mean.item() + m.variance.sqrt().item() * rng.standard_normal(3000) for m in moments]
        results = (torch.from_numpy(np.array(drawn)).T - low) / span
        together = [torch.cat([front, y.unsqueeze(0)]) for y in results]
        gain = np.mean([volume.compute(rows[is_non_dominated(rows)]) - before for rows in together])
        assert float(exact[i].exp()) == pytest.approx(gain, rel=0.15)


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


def test_a_batch_from_a_list_of_some_length_is_screened_and_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    which = pool_problem(300, 3, OBJECTIVES["one"])
    assert which.pool is not None
    rows = [which.pool.row(i) for i in range(0, 120, 10)]
    observed = [Observed(point=r, values={"y": float(r["x0"]) + 2 * float(r["x1"]) ** 2}) for r in rows]
    plain = ask(which, observed, [], n=4)
    made: list[Screen] = []
    kept = Screen.best
    monkeypatch.setattr(candidates, "MOST_RESCORED", 100)
    monkeypatch.setattr(Screen, "best", lambda self, *given: made.append(self) or kept(self, *given))
    screened = ask(which, observed, [], n=4)
    assert len(made) == 4
    assert len(set(map(id, made))) == 1
    assert [p.point for p in screened] == [p.point for p in plain]
    ask(which, observed, [], n=1)
    assert len(made) == 4
