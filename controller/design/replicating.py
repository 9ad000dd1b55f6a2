"""When to measure a setting again: what a repeat is expected to tell, against what the best new setting is.

Both are put on one scale, the knowledge gradient over what has been measured and the point itself: how much the best predicted
mean is expected to rise by one more result (Frazier, Powell, Dayanik 2009, The knowledge-gradient policy for correlated normal
beliefs; over measured points and the candidate as in Scott, Frazier, Powell 2011, The correlated knowledge gradient for simulation
optimization of continuous parameters). Without noise a repeat tells nothing; with noise it tells which of the settings that look
best is best, and that one of them is worse than it looks.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from botorch.utils.sampling import draw_sobol_normal_samples
from torch import Tensor

from controller.design.desirable import wishes_of
from controller.domain.objective import wanted
from controller.domain.space import Problem
from surrogates.base import Surrogate

_DRAWS = 512
MOST_HELD = 24
"""Measured settings that are looked at, those with the best predicted means; the others hardly ever become the best."""


def worth(problem: Problem, surrogates: Mapping[str, Surrogate], held: Tensor, X: Tensor, seed: int) -> Tensor:
    """Return how much the best predicted score is expected to rise if `X` were measured.

    Args:
        problem: One objective, or several combined by desirability.
        surrogates: By objective, conditioned on pending points.
        held: k x d, measured settings of which one is to be the best.
        X: n x d, what might be measured.
        seed: Of the quasi-random draws.

    Returns:
        n values, in units of the objective, or of desirability.
    """
    goals = list(problem.desirability or wanted(problem.objectives))
    draws = _draws(len(goals), seed)
    before, after = [], []
    k, n = len(held), len(X)
    with torch.no_grad():
        for j, name in enumerate(goals):
            model = surrogates[name]
            points = torch.cat([held, X]).to(model.device)
            posterior = model.posterior(points)
            mean, covariance = posterior.mean.reshape(-1).cpu(), posterior.distribution.covariance_matrix.cpu()
            noisy = model.posterior(X.to(model.device).unsqueeze(-2), observation_noise=True).variance.reshape(-1).cpu()
            # What one result at X moves the means by, for a standard normal surprise: of the held settings, and of X itself.
            moved = covariance[:, k:] / noisy.sqrt()
            steps = torch.cat([moved[:k], moved[k:].diagonal().unsqueeze(0)])
            means = torch.cat([mean[:k].unsqueeze(1).expand(k, n), mean[k:].unsqueeze(0)])
            before.append(means)
            after.append(means + draws[:, j, None, None] * steps)
        now = score_of_means(problem, before).amax(0)
        return (score_of_means(problem, after).amax(-2) - now).mean(0)


def _draws(m: int, seed: int) -> Tensor:
    """Return standard normal draws (n x m) of mean zero exactly, or what tells nothing would seem to tell something."""
    if m == 1:  # quantiles, evenly spaced: no draw is needed
        quantiles: Tensor = torch.special.ndtri((torch.arange(_DRAWS, dtype=torch.float64) + 0.5) / _DRAWS)
        return quantiles.unsqueeze(-1)
    half = draw_sobol_normal_samples(m, _DRAWS // 2, dtype=torch.float64, seed=seed)
    return torch.cat([half, -half])


def score_of_means(problem: Problem, means: list[Tensor]) -> Tensor:
    """Return scores, of which more is better, of predicted means of the objectives (on their models' scales)."""
    if problem.desirability:
        logs = [wish.log_of(m) for wish, m in zip(wishes_of(problem.objectives, problem.desirability), means, strict=True)]
        return torch.stack(logs).sum(0).exp()
    (objective,) = wanted(problem.objectives).values()
    (mean,) = means
    return mean if objective.target is None else -(mean - objective.target).abs()
