"""From what a campaign wants to an acquisition function: objectives, outcome constraints, desirability."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from controller.design.acquisition import Acquisition, WithSuccess, acquisition
from controller.design.desirable import LogDesirabilityImprovement
from controller.design.outcomes import Acceptability, Limits
from controller.domain.objective import bounded, wanted
from controller.domain.space import Problem
from surrogates.base import Surrogate


def score_for(
    problem: Problem,
    surrogates: Mapping[str, Surrogate],
    measured: Mapping[str, Tensor],
    done: Tensor,
    pending: Tensor,
    *,
    best_observed: bool,
    seed: int,
) -> Acquisition:
    """Return the acquisition function for what a campaign wants.

    Outcome constraints multiply what is expected by the probability that they are met, and only acceptable results count as the
    best so far (Gardner and others 2014, Bayesian optimization with inequality constraints; on a logarithmic scale as in Ament and
    others 2023). While nothing measured is acceptable, that probability alone is sought.

    Args:
        problem: Its objectives, by name and in order.
        surrogates: One per objective, already conditioned on pending points.
        measured: Per objective its values (n x 1) on the model's scale.
        done: n x d, settings measured for every objective.
        pending: k x d, settings under way.
        best_observed: Whether the best so far is the best observed value, not the best prediction.
        seed: Of quasi-random samples.
    """
    objectives, goals = problem.objectives, wanted(problem.objectives)
    limits = {name: Limits.of(surrogates[name], o) for name, o in bounded(objectives).items()}
    if limits:
        held = _held(limits, measured, done, pending, best_observed=best_observed)
        if not bool(held[: len(done)].any()):
            return Acceptability(list(limits.values()))
        measured = {name: values[held[: len(done)]] for name, values in measured.items()}
        done, pending = done[held[: len(done)]], pending[held[len(done) :]]
    models = {name: surrogates[name] for name in goals}
    score: Acquisition
    if problem.desirability:
        models = {name: surrogates[name] for name in problem.desirability}
        known = torch.cat([measured[name] for name in models], 1) if best_observed else _means(models, torch.cat([done, pending]))
        score = LogDesirabilityImprovement(models, objectives, problem.desirability, known, seed)
    else:
        score = acquisition(goals, models, measured, done, pending, best_observed=best_observed, seed=seed)
    at_risk = [limit for name, limit in limits.items() if not _implied(problem, name)]
    return WithSuccess(score, Acceptability(at_risk), "meeting the outcome constraints") if at_risk else score


def acceptable(problem: Problem, surrogates: Mapping[str, Surrogate], X: Tensor) -> Tensor:
    """Say of settings (n x d) whether their predicted outcomes meet every constraint (n)."""
    rows = [
        Limits.of(surrogates[name], o).met(_means({name: surrogates[name]}, X)[:, 0])
        for name, o in bounded(problem.objectives).items()
    ]
    return torch.stack(rows).all(0) if rows else torch.ones(len(X), dtype=torch.bool)


def log_chance(problem: Problem, surrogates: Mapping[str, Surrogate], X: Tensor) -> Tensor:
    """Return the logarithm of the probability that the outcomes at `X` (n x d) meet every constraint (n)."""
    limits = [Limits.of(surrogates[name], o) for name, o in bounded(problem.objectives).items()]
    return Acceptability(limits)(X) if limits else torch.zeros(len(X), dtype=torch.float64)


def _held(
    limits: Mapping[str, Limits], measured: Mapping[str, Tensor], done: Tensor, pending: Tensor, *, best_observed: bool
) -> Tensor:
    """Say of each setting, done ones first, whether its outcomes are acceptable: as measured, or as the models believe."""
    believed = {name: _means({name: limit.surrogate}, torch.cat([done, pending]))[:, 0] for name, limit in limits.items()}
    rows = []
    for name, limit in limits.items():
        values = torch.cat([measured[name][:, 0], believed[name][len(done) :]]) if best_observed else believed[name]
        rows.append(limit.met(values))
    return torch.stack(rows).all(0)


def _implied(problem: Problem, name: str) -> bool:
    """Say whether an improvement always meets the bound of an objective: it is more than a value that meets it, or a threshold."""
    return not problem.desirability and problem.objectives[name].threshold is not None


def _means(models: Mapping[str, Surrogate], X: Tensor) -> Tensor:
    """Return predicted means (n x m)."""
    return torch.stack([model.predict(X)[0].detach().cpu() for model in models.values()], 1)
