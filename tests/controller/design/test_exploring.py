from __future__ import annotations

import numpy as np
import pytest
import torch

from controller.design.candidates import listing
from controller.design.exploring import exploration
from controller.domain.base import Point
from controller.domain.campaign import CampaignFile
from controller.domain.objective import check_goals
from controller.encoding.columns import Encoder
from surrogates.base import Surrogate
from surrogates.build import build
from surrogates.data import TrainingData
from surrogates.specs import GPSpec
from tests.controller.spaces import continuous, loop, pool_problem, problem
from tests.surrogates.examples import uniform

KNOW = {"y": {"goal": "explore"}}


def fitted(n: int = 12) -> tuple[Encoder, Surrogate]:
    encoder = Encoder.of(problem(continuous("a", "b"), KNOW))
    X = uniform(n, 2)
    Y = torch.sin(5.0 * X[:, :1]) + X[:, 1:]
    return encoder, build(GPSpec(recipe="table"), TrainingData(X, Y, encoder.layout), pool=True, seed=0)


def test_what_a_measurement_takes_away_is_what_conditioning_on_it_shows() -> None:
    encoder, model = fitted()
    which = problem(continuous("a", "b"), KNOW)
    score = exploration(which, encoder, None, {"y": model}, 3)
    X = uniform(6, 2, seed=8)
    before = model.posterior(score.references.unsqueeze(-2)).variance.sum()
    for x, share in zip(X, score(X).exp().tolist(), strict=True):
        after = model.condition_on_pending(x.unsqueeze(0)).posterior(score.references.unsqueeze(-2)).variance.sum()
        assert share == pytest.approx(float((before - after) / before), rel=1e-3)
    assert bool((score(X) < 0).all())


def test_scores_can_be_climbed() -> None:
    encoder, model = fitted()
    score = exploration(problem(continuous("a", "b"), KNOW), encoder, None, {"y": model}, 3)
    X = uniform(3, 2, seed=9).requires_grad_()
    (gradient,) = torch.autograd.grad(score(X).sum(), X)
    ahead, behind = X.detach().clone(), X.detach().clone()
    ahead[1, 0] += 1e-6
    behind[1, 0] -= 1e-6
    assert float((score(ahead) - score(behind))[1]) / 2e-6 == pytest.approx(float(gradient[1, 0]), rel=1e-3, abs=1e-6)


def test_exploring_knows_more_of_the_whole_space_than_optimising() -> None:
    def measure(point: Point) -> dict[str, float]:
        return {"y": float(np.sin(6.0 * float(point["x0"])) * np.cos(4.0 * float(point["x1"])))}

    errors = {}
    for goal in ("explore", "maximize"):
        which = pool_problem(200, 2, {"y": {"goal": goal}})
        observed, proposals = loop(which, measure, 14)
        assert {p.source for p in proposals[1:]} == {"model"}
        encoder, found = Encoder.of(which), listing(Encoder.of(which).space)
        assert found is not None
        X = encoder.columns(torch.from_numpy(found.z))
        Y = torch.tensor([[o.values["y"]] for o in observed if o.values], dtype=torch.float64)
        data = TrainingData(encoder.encode([o.point for o in observed]), Y, encoder.layout)
        mean, _ = build(GPSpec(recipe="table"), data, pool=True, seed=0).predict(X)
        truth = torch.tensor([measure(found.point(i))["y"] for i in range(200)], dtype=torch.float64)
        errors[goal] = float((mean - truth).square().mean())
    assert errors["explore"] < 0.5 * errors["maximize"]


def test_level_is_followed() -> None:
    which = problem(continuous("a", "b"), {"y": {"goal": "level", "target": 0.6}})

    def measure(point: Point) -> dict[str, float]:
        return {"y": float(point["a"]) ** 2 + float(point["b"]) ** 2}

    observed, proposals = loop(which, measure, 15)
    gaps = [abs(o.values["y"] - 0.6) for o in observed[5:] if o.values]
    assert float(np.median(gaps)) < 0.2
    assert proposals[-1].acquisition_name is not None
    assert "around the level" in proposals[-1].acquisition_name
    a = [float(o.point["a"]) for o in observed[5:]]
    # Along the whole contour, not at one place of it.
    assert max(a) - min(a) > 0.5


@pytest.mark.parametrize(
    ("objectives", "words"),
    [
        ({"y": {"goal": "level"}}, "goal: level needs a target"),
        ({"y": {"goal": "explore", "target": 1.0}}, "target is only for"),
    ],
)
def test_goal_without_what_it_needs_is_refused(objectives: dict[str, object], words: str) -> None:
    content = {"campaign": "c", "parameters": continuous("a"), "objectives": objectives, "budget": {"experiments": 3}, "lab": "x"}
    with pytest.raises(ValueError, match=words):
        CampaignFile.model_validate(content)


def test_exploring_beside_optimising_is_refused() -> None:
    with pytest.raises(ValueError, match="goals of their own"):
        problem(continuous("a"), {"y": {"goal": "explore"}, "z": {"goal": "maximize"}})
    with pytest.raises(ValueError, match="goals of their own"):
        problem(continuous("a"), {"y": {"goal": "explore", "at_most": 3.0}})
    both = problem(continuous("a"), {"y": {"goal": "explore"}, "z": {"goal": "level", "target": 1.0}})
    assert check_goals(both.objectives, {}) == []
