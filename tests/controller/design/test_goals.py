from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from controller.design.desirable import LogDesirabilityImprovement
from controller.design.goals import score_for
from controller.design.outcomes import Acceptability, Limits, log_between
from controller.domain.desirability import Desirability
from controller.domain.objective import Objective, standing
from controller.domain.request import Observed
from surrogates.build import build
from surrogates.data import Layout, TrainingData
from surrogates.specs import GPMember, GPSpec
from tests.controller.spaces import ask, continuous, problem


@pytest.mark.parametrize(("a", "b"), [(-1.0, 1.0), (2.0, 3.0), (-30.0, -20.0), (20.0, 21.0), (-math.inf, -3.0), (-2.0, math.inf)])
def test_log_between_agrees_with_the_difference_of_tails(a: float, b: float) -> None:
    from mpmath import erfc, log, mp, sqrt

    mp.dps = 400
    tail = lambda z: mp.mpf(0) if z == math.inf else mp.mpf(1) if z == -math.inf else erfc(mp.mpf(z) / sqrt(2)) / 2  # noqa: E731
    exact = float(log(tail(a) - tail(b)))
    ends = [torch.tensor(z, dtype=torch.float64, requires_grad=True) for z in (a, b) if not math.isinf(z)]
    found = log_between(None if math.isinf(a) else ends[0], None if math.isinf(b) else ends[-1])
    assert float(found.detach()) == pytest.approx(exact, rel=1e-9, abs=1e-12)
    found.backward()
    assert all(end.grad is not None and bool(torch.isfinite(end.grad)) for end in ends)


def _surrogate(values: list[float], members: tuple[GPMember, ...] = (GPMember(prior="gamma"),)):  # type: ignore[no-untyped-def]
    X = torch.linspace(0, 1, len(values), dtype=torch.float64).unsqueeze(1)
    Y = torch.tensor(values, dtype=torch.float64).unsqueeze(1)
    return build(GPSpec(members=members), TrainingData(X, Y, Layout.numeric(1)), pool=False, seed=0)


def test_probability_of_an_acceptable_outcome_is_that_of_the_posterior() -> None:
    model = _surrogate([1.0, 2.0, 1.5, 4.0, 3.0])
    X = torch.tensor([[0.1], [0.6], [0.9]], dtype=torch.float64)
    posterior = model.posterior(X.unsqueeze(1))
    mean, sd = posterior.mean.reshape(-1), posterior.variance.sqrt().reshape(-1)
    limits = Limits.of(model, Objective(goal="maximize", at_least=1.2, at_most=2.5))
    expected = torch.special.ndtr((2.5 - mean) / sd) - torch.special.ndtr((1.2 - mean) / sd)
    assert torch.allclose(limits.log_probability(X).exp(), expected, rtol=1e-6)
    # A minimised objective is modelled with its sign changed.
    mirrored = Limits.of(_surrogate([-1.0, -2.0, -1.5, -4.0, -3.0]), Objective(goal="minimize", at_least=1.2, at_most=2.5))
    assert torch.allclose(mirrored.log_probability(X), limits.log_probability(X), atol=1e-6)


@pytest.mark.parametrize("bounds", [{"at_least": 1.2}, {"at_most": 2.5}, {"at_least": 1.2, "at_most": 2.5}])
def test_gradient_of_an_outcome_constraint_is_that_of_finite_differences(bounds: dict[str, float]) -> None:
    limits = Limits.of(_surrogate([1.0, 2.0, 1.5, 4.0, 3.0]), Objective.model_validate({"goal": "constrain", **bounds}))
    X = torch.tensor([[0.1], [0.6], [0.97]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda at: limits.log_probability(at).sum(), (X,), atol=1e-5)


def test_desirability_improvement_agrees_with_a_random_estimate() -> None:
    models = {"a": _surrogate([1.0, 2.0, 1.5, 4.0, 3.0]), "b": _surrogate([-0.1, -0.4, -0.9, -0.2, -0.3])}
    objectives = {"a": Objective(goal="maximize"), "b": Objective(goal="minimize")}
    wishes = {"a": Desirability.model_validate({"from": 0, "to": 5}), "b": Desirability.model_validate({"from": 1, "to": 0})}
    baseline = torch.tensor([[1.0, -0.1], [2.0, -0.4]], dtype=torch.float64)
    score = LogDesirabilityImprovement(models, objectives, wishes, baseline, seed=0)
    X = torch.tensor([[0.65], [0.85]], dtype=torch.float64)
    best = max(standing(objectives, {"a": a, "b": -b}, wishes).scores[0] for a, b in baseline.tolist())
    rng = np.random.default_rng(0)
    for x, found in zip(X, score(X).exp().tolist(), strict=True):
        draws = {}
        for name, model in models.items():
            posterior = model.posterior(x.view(1, 1, 1))
            draws[name] = rng.normal(float(posterior.mean), float(posterior.variance.sqrt()), 20_000)
        rows = zip(draws["a"], -draws["b"], strict=True)
        gains = [max(0.0, standing(objectives, {"a": a, "b": b}, wishes).scores[0] - best) for a, b in rows]
        assert found == pytest.approx(np.mean(gains), rel=0.05, abs=2e-3)


def test_desirability_shows_the_way_where_everything_known_is_worthless() -> None:
    models = {"a": _surrogate([-1.0, -2.0, -3.0, -4.0, -5.0])}
    wishes = {"a": Desirability.model_validate({"from": 0, "to": 5})}
    score = LogDesirabilityImprovement(models, {"a": Objective(goal="maximize")}, wishes, torch.tensor([[-1.0]]).double(), 0)
    found = score(torch.tensor([[0.9], [0.5], [0.1]], dtype=torch.float64))
    assert torch.isfinite(found).all()
    assert found[0] < found[1] < found[2]


BOUNDED = problem(
    continuous("x", "y", high=6.0), {"f": {"goal": "minimize"}, "c": {"goal": "constrain", "at_most": -0.5}}
)


def bounded_function(point: dict[str, float]) -> dict[str, float]:
    """Gardner and others 2014, simulation 1: the least f where c <= -0.5 is -1.887."""
    x, y = point["x"], point["y"]
    return {"f": math.cos(2 * x) * math.cos(y) + math.sin(x), "c": math.cos(x + y)}


def test_least_value_within_an_outcome_constraint_is_found() -> None:
    corners = [{"x": x, "y": y} for x, y in [(1.0, 1.0), (3.0, 5.0), (5.0, 2.0), (4.0, 4.0), (2.0, 3.0), (5.5, 5.5)]]
    observed = [Observed(point=point, values=bounded_function(point)) for point in corners]
    for _ in range(7):
        (proposal,) = ask(BOUNDED, observed, seed=2)
        observed.append(Observed(point=proposal.point, values=bounded_function(proposal.point)))
    acceptable = [o.values["f"] for o in observed if o.values and o.values["c"] <= -0.5]
    # Two in a thousand settings are as good.
    assert min(acceptable) < -1.75
    assert "outcome constraints" in (proposal.acquisition_name or "")
    assert proposal.predictions.keys() == {"f", "c"}


def test_while_nothing_is_acceptable_that_alone_is_sought() -> None:
    observed = [
        Observed(point={"x": x, "y": y}, values={"f": 10.0 * x, "c": 1.0 - x})
        for x, y in [(0.0, 0.0), (1.0, 3.0), (0.5, 5.0), (1.2, 1.0), (0.8, 2.0)]
    ]
    (proposal,) = ask(BOUNDED, observed)
    assert proposal.acquisition_name is not None
    assert proposal.acquisition_name.startswith("log probability that the outcome constraints are met")
    assert float(proposal.point["x"]) > 1.4


def test_bound_that_every_improvement_meets_is_not_counted_twice() -> None:
    model, X = _surrogate([1.0, 2.0, 1.5, 4.0, 3.0]), torch.linspace(0, 1, 5, dtype=torch.float64).unsqueeze(1)
    Y = torch.tensor([[1.0], [2.0], [1.5], [4.0], [3.0]], dtype=torch.float64)
    scores = []
    for objective in ({"goal": "maximize"}, {"goal": "maximize", "at_least": 2.0}):
        which = problem(continuous("x"), {"y": objective})
        score = score_for(which, {"y": model}, {"y": Y}, X, X[:0], best_observed=True, seed=0)
        scores.append(score(torch.tensor([[0.65]], dtype=torch.float64)))
    assert torch.equal(*scores)
    which = problem(continuous("x"), {"y": {"goal": "maximize", "at_least": 9.0}})
    assert isinstance(score_for(which, {"y": model}, {"y": Y}, X, X[:0], best_observed=True, seed=0), Acceptability)


def test_desirability_is_searched_to_its_best() -> None:
    wishes = {"a": {"from": 0, "to": 1}, "b": {"from": 1, "to": 0}, "c": {"from": 0, "to": 1}}
    goals = {"a": {"goal": "maximize"}, "b": {"goal": "minimize"}, "c": {"goal": "match", "target": 0.5}}
    which = problem(continuous("x", "y"), goals, desirability=wishes)
    observed: list[Observed] = []
    for _ in range(9):
        (proposal,) = ask(which, observed)
        x, y = float(proposal.point["x"]), float(proposal.point["y"])
        observed.append(Observed(point=proposal.point, values={"a": x, "b": x * x + abs(y - 0.3), "c": y + 0.1}))
    # Found on a grid: 0.690.
    assert max(which.standing(o.values or {}).scores[0] for o in observed) > 0.68
