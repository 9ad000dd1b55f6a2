from __future__ import annotations

from typing import Any

import pytest
import torch

from controller.campaign import Campaign
from controller.design.costing import Price
from controller.domain.campaign import Definition
from controller.domain.cost import Cost
from controller.domain.request import Observed
from controller.encoding.columns import Encoder
from controller.engine.thinking import propose
from controller.learn.stopping import reason_to_stop
from tests.controller.spaces import ask, problem, request

PARAMETERS: dict[str, Any] = {
    "time": {"type": "continuous", "bounds": [1, 100], "scale": "log"},
    "amount": {"type": "continuous", "bounds": [0, 5]},
    "solvent": {"type": "categorical", "choices": ["water", "DMSO", "THF"]},
}
LAB = {
    "lab": "none", "instruments": {"bench": {"driver": "external"}}, "simulated": True,
    "protocol": [{"step": "measure", "instrument": "bench", "action": "measure"}],
}  # fmt: skip
COST = {"each": "2 + 0.1 * time + amount ** 2", "choices": {"solvent": {"DMSO": 3}}, "change": {"solvent": 20, "amount": 1}}
PRICED = problem(PARAMETERS, {"y": {"goal": "maximize"}}, cost=COST)


def test_cost_is_the_sum_of_its_parts() -> None:
    cost = Cost.model_validate(COST)
    point = {"time": 10.0, "amount": 2.0, "solvent": "DMSO"}
    assert cost.of(point, {}) == pytest.approx(2 + 1 + 4 + 3)
    assert cost.of(point, {"time": 20.0, "amount": 2.0, "solvent": "water"}) == pytest.approx(10 + 20)
    assert cost.of(point, {"time": 20.0, "amount": 1.0, "solvent": "DMSO"}) == pytest.approx(10 + 1)


def test_price_of_columns_is_the_logarithm_of_the_cost_of_their_settings() -> None:
    encoder = Encoder.of(PRICED)
    previous = {"time": 5.0, "amount": 2.0, "solvent": "THF"}
    points = [{"time": 10.0, "amount": 2.0, "solvent": "DMSO"}, {"time": 90.0, "amount": 0.5, "solvent": "THF"}]
    assert PRICED.cost is not None
    price = Price(PRICED.cost, encoder, previous, 0.5)
    X = encoder.encode(points).requires_grad_()
    found = price(X)
    costs = torch.tensor([PRICED.cost.of(p, previous) for p in points], dtype=torch.float64)
    assert torch.allclose(found, 0.5 * costs.log())
    (gradient,) = torch.autograd.grad(found.sum(), X)
    assert bool((gradient[:, 0] > 0).all())


def test_what_costs_less_is_tried_first_and_at_the_end_of_the_budget_the_best() -> None:
    which = problem({"x": {"type": "continuous", "bounds": [0, 1]}}, {"y": {"goal": "maximize"}}, cost={"each": "0.01 + x ** 4"})
    observed = [Observed(point={"x": x}, values={"y": x}) for x in (0.0, 0.3, 0.6)]
    points = []
    for cooling in (1.0, 0.0):
        asked = request(which, observed, []).model_copy(update={"cooling": cooling})
        (proposal,) = propose(asked.model_copy(update={"policy": asked.policy.model_copy(update={"first_points": 1})}))
        points.append(float(proposal.point["x"]))
        assert f"per cost to the power of {cooling:.2f}" in (proposal.acquisition_name or "")
    assert points[0] < points[1]
    # Who says nothing of costs is not told of them.
    (plain,) = ask(problem({"x": {"type": "continuous", "bounds": [0, 1]}}), observed)
    assert "cost" not in (plain.acquisition_name or "")


def test_costs_are_kept_and_the_budget_for_them_ends_a_campaign() -> None:
    definition = Definition.model_validate(
        {
            "name": "priced", "problem": PRICED.model_dump(), "budget": {"experiments": 50, "cost": 60.0},
            "lab": LAB,
        }
    )  # fmt: skip
    campaign = Campaign(definition)
    points = [{"time": 10.0, "amount": 2.0, "solvent": "DMSO"}, {"time": 20.0, "amount": 2.0, "solvent": "water"}]
    for point in points:
        campaign.tell(point, {"y": 1.0})
    assert campaign.state.cost == pytest.approx(10 + (2 + 2 + 4) + 20)
    assert reason_to_stop(definition.budget, campaign.state, 0.0) is None
    campaign.tell({**points[0], "time": 11.0}, None)
    assert reason_to_stop(definition.budget, campaign.state, 0.0) == "the budget of 60 for cost is used up"
