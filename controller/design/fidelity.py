"""At which fidelity to measure: where a unit of cost tells most about the target."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from controller.design.acquisition import Acquisition
from controller.domain.base import Point
from controller.domain.request import Request, settings_of
from controller.domain.space import Problem
from surrogates.base import Surrogate

# Correlations are kept this far from one, where a measurement would tell infinitely much.
_SHARPEST = 1e-6
# Added to the score of a level that may not be chosen.
_NEVER = -1e6


@dataclass(frozen=True)
class AtFidelity:
    """An acquisition function at the target, times what an experiment at a cheaper level tells about the target per cost.

    The factor is a ratio of mutual informations between the value at the target and a measurement of the same setting, at the
    level and at the target itself, times the inverse ratio of the costs. In the form of Huang, Allen, Notz and Miller (Sequential
    kriging optimization using multiple-fidelity evaluations, 2006) with the information in place of the correlation, as in
    Takeno and others (Multi-fidelity Bayesian optimization with max-value entropy search, 2020): a level that hardly
    correlates with the target, or has told what it can tell there, is not chosen however cheap it is. At the target the factor
    is one.

    Attributes:
        inner: The acquisition function, to be asked at the target.
        models: Per objective the surrogate that knows of levels (None where none does) and how far it is believed.
        columns: The columns of the levels other than the target.
        costs: What an experiment costs at each of these, in experiments at the target.
        only_target: Whether cheaper levels have cost enough for now.
    """

    inner: Acquisition
    models: tuple[tuple[Surrogate | None, float], ...]
    columns: tuple[int, ...]
    costs: tuple[float, ...]
    only_target: bool = False

    @property
    def name(self) -> str:
        """What is computed."""
        return f"{self.inner.name}, times what a unit of cost tells about the target"

    def __call__(self, X: Tensor) -> Tensor:
        """Return n scores."""
        columns = list(self.columns)
        lifted = X.clone()
        lifted[:, columns] = 0.0
        scores = self.inner(lifted)
        levels = X[:, columns].detach()
        cheap = (levels > 0.5).any(1).nonzero().squeeze(-1)
        if not len(cheap):
            return scores
        if self.only_target:
            return scores.index_add(0, cheap, scores.new_full((len(cheap),), _NEVER))
        cost = (levels[cheap].to(torch.float64) @ torch.tensor(self.costs, dtype=torch.float64)).to(scores)
        ratio = self._information(lifted[cheap], X[cheap]).to(scores)
        return scores.index_add(0, cheap, ratio.log() - cost.log())

    def _information(self, lifted: Tensor, X: Tensor) -> Tensor:
        """Return what measuring at the rows' own level tells about the target, as a share of measuring there (n)."""
        there, here = torch.zeros(len(X), dtype=torch.float64), torch.zeros(len(X), dtype=torch.float64)
        for model, trust in self.models:
            if model is None:
                continue
            covariance = model.posterior(torch.stack([lifted, X], -2)).distribution.covariance_matrix
            target, level, both = covariance[:, 0, 0], covariance[:, 1, 1], covariance[:, 0, 1]
            spreads = [model.predict(X.detach(), observation_noise=noisy)[1] for noisy in (True, False)]
            noise = (spreads[0].square() - spreads[1].square()).clamp_min(0.0)
            shared = (both.square() / (target * (level + noise))).clamp(0.0, 1.0 - _SHARPEST)
            own = (target / (target + noise)).clamp(0.0, 1.0 - _SHARPEST)
            there = there - trust * torch.log1p(-shared).cpu()
            here = here - torch.log1p(-own).cpu()
        return (there / here.clamp_min(1e-300)).clamp_min(1e-12)

    def widened(self, score: float) -> AtFidelity | None:
        """Return the widened inner function, at the same costs."""
        inner = self.inner.widened(score)
        return None if inner is None else replace(self, inner=inner)


def relative_costs(problem: Problem) -> tuple[float, ...]:
    """Return what each level other than the target costs, in the order of the levels, in experiments at the target."""
    levels = problem.fidelity
    if levels is None:
        return ()
    return tuple(level.cost / levels.cost for name, level in levels.levels.items() if name != levels.target)


def only_target(request: Request, pending: Sequence[Point]) -> bool:
    """Say whether experiments at cheaper levels have cost enough for now.

    They may cost as much as those at the target and one more: however they mislead, no more than half of what is spent is lost.

    Args:
        request: What is asked.
        pending: Settings under way, those of the same batch included.
    """
    levels = request.problem.fidelity
    if levels is None:
        return False
    points = [*request.observed.settings(), *settings_of(request.others), *pending]
    target = math.fsum(levels.cost for point in points if levels.is_target(point))
    cheap = math.fsum(levels.cost_of(point) for point in points if not levels.is_target(point))
    return cheap >= target + levels.cost
