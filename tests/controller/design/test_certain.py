"""Which part of an expected improvement the means alone promise, in cases where the answer is known."""

from __future__ import annotations

import math

import torch

from controller.design.acquisition import LogExpectedImprovement, acquisition
from controller.design.certain import Certain, promised
from controller.domain.objective import Objective
from surrogates.base import Surrogate
from surrogates.build import build
from surrogates.data import Layout, TrainingData
from surrogates.specs import GPSpec


def slope(n: int = 12, scale: float = 1.0) -> tuple[Surrogate, TrainingData]:
    """A rising line, measured on the left half."""
    X = torch.linspace(0.0, 0.5, n, dtype=torch.float64)[:, None]
    data = TrainingData(X, scale * X, Layout.numeric(1))
    return build(GPSpec(recipe="function"), data, pool=False, seed=0), data


def at(*x: float) -> torch.Tensor:
    return torch.tensor(x, dtype=torch.float64)[:, None]


def test_a_certain_model_promises_its_mean() -> None:
    surrogate, data = slope()
    best = LogExpectedImprovement.of(Certain(surrogate), data.Y, data.X)
    mean = surrogate.posterior(at(0.6, 0.8, 0.5).unsqueeze(1)).mean.flatten()
    torch.testing.assert_close(best(at(0.6, 0.8)).exp(), mean[:2] - mean[2], rtol=1e-4, atol=1e-6)


def test_improvement_beyond_a_slope_is_promised_and_at_a_known_point_is_not() -> None:
    surrogate, data = slope()
    score = LogExpectedImprovement.of(surrogate, data.Y, data.X)
    certain = LogExpectedImprovement.of(Certain(surrogate), data.Y, data.X)
    share = promised(score, certain, at(0.55, 0.2))
    assert 0.9 < float(share[0]) <= 1.0
    assert float(share[1]) < 1e-6


def test_units_change_nothing() -> None:
    shares = []
    for scale in (1e-6, 1e6):
        surrogate, data = slope(scale=scale)
        score, certain = (LogExpectedImprovement.of(s, data.Y, data.X) for s in (surrogate, Certain(surrogate)))
        shares.append(float(promised(score, certain, at(0.9))))
    assert math.isclose(*shares, rel_tol=1e-3)


def test_every_kind_of_goal_has_a_share() -> None:
    surrogate, data = slope()
    other, _ = slope(scale=-1.0)
    kinds: list[dict[str, Objective]] = [
        {"y": Objective(goal="match", target=0.7)},
        {"y": Objective(goal="maximize"), "z": Objective(goal="maximize")},
    ]
    for objectives in kinds:
        models = dict(zip(objectives, (surrogate, other), strict=False))
        measured = {name: model.predict(data.X)[0][:, None] for name, model in models.items()}
        score, certain = (
            acquisition(objectives, which, measured, data.X, data.X[:0], best_observed=False, seed=1)
            for which in (models, {name: Certain(model) for name, model in models.items()})
        )
        assert 0.8 < float(promised(score, certain, at(0.53))) <= 1.0
    assert float(certain(at(0.53)).exp()) > 1e-3, "the front grows by what the mean promises"
