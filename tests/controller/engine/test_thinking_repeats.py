from __future__ import annotations

import numpy as np
import pytest
import torch

from controller.design.replicating import worth
from controller.domain.campaign import ProposalPolicy
from controller.domain.request import Observed
from controller.errors import SpaceExhaustedError
from surrogates.build import build
from surrogates.data import Layout, TrainingData
from surrogates.specs import GPMember, GPSpec
from tests.controller.spaces import ask, continuous, problem

LEVELS = {"x": {"type": "discrete", "values": [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]}}
AUTO = problem(LEVELS, allow_replicates="auto")


def measured(noise: float, times: int = 1, seed: int = 1) -> list[Observed]:
    rng = np.random.default_rng(seed)
    return [
        Observed(point={"x": x}, values={"y": -8.0 * (x - 0.5) ** 2 + noise * rng.standard_normal()})
        for x in (0.0, 0.4, 0.6, 0.8, 1.0)
        for _ in range(times)
    ]


def test_what_a_measurement_is_worth_agrees_with_simulated_measurements() -> None:
    X = torch.linspace(0, 1, 6, dtype=torch.float64).unsqueeze(1)
    Y = torch.tensor([[0.0], [0.9], [0.3], [1.0], [0.2], [0.95]], dtype=torch.float64)
    model = build(GPSpec(members=(GPMember(),)), TrainingData(X, Y, Layout.numeric(1)), pool=True, seed=0)
    x = torch.tensor([[1.0], [0.9]], dtype=torch.float64)
    found = worth(problem(continuous("x")), {"y": model}, X, x, seed=0)
    rng = np.random.default_rng(0)
    for i in range(2):
        posterior = model.posterior(torch.cat([X, x[i : i + 1]]))
        mean, K = posterior.mean.reshape(-1).numpy(), posterior.distribution.covariance_matrix.numpy()
        noise = float(model.posterior(x[i : i + 1], observation_noise=True).variance) - K[-1, -1]
        surprise = rng.normal(0.0, np.sqrt(K[-1, -1] + noise), 100_000)
        after = mean + np.outer(surprise, K[:, -1] / (K[-1, -1] + noise))
        assert float(found[i]) == pytest.approx(after.max(1).mean() - mean.max(), rel=0.06)


def test_with_much_noise_a_setting_is_measured_again_and_the_proposal_says_why() -> None:
    (proposal,) = ask(AUTO, measured(0.3, times=2), policy=ProposalPolicy(first_points=1))
    assert proposal.point["x"] in (0.4, 0.6)
    assert proposal.acquisition_name == "knowledge gradient"
    assert proposal.note.startswith("measured again: the best is expected to be known")


def test_without_noise_a_new_setting_comes_first() -> None:
    rows = [o for o in measured(0.0) if o.point["x"] not in (0.4, 0.6)]
    (proposal,) = ask(AUTO, rows, policy=ProposalPolicy(first_points=1))
    assert proposal.point["x"] in (0.4, 0.6)
    assert "measured again" not in proposal.note


def test_where_every_setting_is_measured_the_best_ones_are_measured_again() -> None:
    rows = [*measured(0.3), Observed(point={"x": 0.2}, values={"y": -0.8})]
    (proposal,) = ask(AUTO, rows)
    assert "no new setting is left" in proposal.note
    with pytest.raises(SpaceExhaustedError):
        ask(problem(LEVELS), rows)


def test_outliers_are_named_in_the_note_and_are_not_the_best_so_far() -> None:
    policy = ProposalPolicy.model_validate({"surrogate": {"kind": "gp", "noise": "robust"}})
    grid = [round(0.1 * i, 1) for i in range(11)]
    which = problem({"x": {"type": "discrete", "values": [*grid, 0.45]}})
    rows = [Observed(point={"x": x}, values={"y": 50.0 if x == 0.9 else -((x - 0.5) ** 2)}) for x in grid]
    (proposal,) = ask(which, rows, policy=policy)
    assert "outliers of y, which count for less: 50 at {x: 0.9}" in proposal.note
    assert proposal.predictions["y"].mean < 5.0
