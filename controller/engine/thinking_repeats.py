"""Decides whether to measure a setting again instead of a new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from controller.design.costing import Price
from controller.design.goals import acceptable
from controller.design.replicating import MOST_HELD, score_of_means, worth
from controller.design.search import Choice
from controller.domain.base import Point
from controller.domain.objective import wanted
from controller.domain.request import Observed
from controller.domain.space import Problem
from controller.encoding.columns import Encoder
from controller.learn.levels import lifted
from surrogates.base import Surrogate

# Settings that might be measured again: those believed best.
_REPEATED = 6


@dataclass(frozen=True)
class Repeat:
    """A setting worth measuring again."""

    choice: Choice
    """With the knowledge gradient as its score."""
    note: str


def repeat_of(
    problem: Problem,
    encoder: Encoder,
    models: Mapping[str, Surrogate],
    complete: Sequence[Observed],
    choices: Sequence[Choice],
    chance: Tensor,
    price: Price | None,
    seed: int,
) -> Repeat | None:
    """Return the measured setting that tells more when it is measured again than the best new setting does, if there is one.

    Args:
        problem: With one objective, or several combined by desirability.
        encoder: Of the problem.
        models: By objective, conditioned on pending points.
        complete: Experiments measured for every objective.
        choices: New settings that were found; none where all have been measured.
        chance: For each of them the probability that its result will count: that it succeeds and is acceptable.
        price: What an experiment costs, where that counts.
        seed: Of the quasi-random draws.
    """
    settings = {problem.key(o.point): o.point for o in complete}
    points = list(settings.values())
    X = lifted(encoder.encode(points), encoder.layout)
    fine = acceptable(problem, models, X)
    points, X = [p for p, ok in zip(points, fine.tolist(), strict=True) if ok], X[fine]
    if not points:
        return None
    order = score_of_means(problem, _means(problem, models, X)).argsort(descending=True, stable=True)[:MOST_HELD]
    held = X[order]
    again = [points[i] for i in order[:_REPEATED].tolist()]
    news: list[Point] = [c.point for c in choices]
    options = torch.cat([held[: len(again)], lifted(encoder.encode(news), encoder.layout)])
    value = worth(problem, models, held, options, seed)
    if price is not None:
        value = value * torch.exp(-price(options))
    old, new = value[: len(again)], value[len(again) :] * chance
    best, rival = int(old.argmax()), max(0.0, float(new.max())) if len(new) else 0.0
    if float(old[best]) <= rival:
        return None
    against = f"the best new setting promises {rival:.3g}" if len(new) else "no new setting is left"
    note = f"measured again: the best is expected to be known {float(old[best]):.3g} better after it, {against}"
    return Repeat(Choice(again[best], float(old[best])), note)


def _means(problem: Problem, models: Mapping[str, Surrogate], X: Tensor) -> list[Tensor]:
    goals = problem.desirability or wanted(problem.objectives)
    return [models[name].predict(X)[0].detach().cpu() for name in goals]
