"""Learns from earlier campaigns beside one's own results, and stops where they mislead."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from controller.domain.base import Point
from controller.domain.knowledge import EarlierCampaign
from controller.domain.objective import Objective
from controller.domain.space import Problem
from controller.encoding.columns import Encoder
from surrogates.base import Surrogate
from surrogates.blend import Blend
from surrogates.build import MANY_OBSERVATIONS
from surrogates.data import TrainingData
from surrogates.sources import Seen, with_sources

OWN, WITH_EARLIER = "own results", "with earlier campaigns"
PRIOR = 0.7
"""How far earlier campaigns are believed before there is a result of one's own: whoever names them thinks them alike."""
LEAST = 0.5
"""What one's own results have to say in any case: however alike, an earlier campaign ends where one's own has to go on."""
# More rows of earlier campaigns slow each proposal down and change it little.
_MOST = 300
# Spreads below this share of the earlier campaign's own are rounding, or one peak measured again and again.
_LEAST_SPREAD = 0.05
_MOST_STRETCH = 10.0

Fit = Callable[[TrainingData], Surrogate]


def earlier_data(
    encoder: Encoder, campaigns: Sequence[EarlierCampaign], name: str, objective: Objective
) -> list[tuple[str, TrainingData]]:
    """Return the results of earlier campaigns for one objective, on the scale where larger is better; at most 300 in all.

    Of more, each campaign keeps its best quarter and every k-th of the others.
    """
    share = _MOST // max(1, len(campaigns))
    found = []
    for position, campaign in enumerate(campaigns):
        points, values = campaign.measured(name)
        if not values:
            continue
        y = objective.sign * torch.tensor(values, dtype=torch.float64)
        kept = _kept(y if objective.target is None else -(y - objective.target).abs(), share)
        X = encoder.encode([points[i] for i in kept])
        found.append((f"earlier {position + 1}: {campaign.name}", TrainingData(X, y[kept].unsqueeze(-1), encoder.layout)))
    return found


def informs(problem: Problem) -> bool:
    """Say whether earlier campaigns have measured every objective, so that a model can be asked before the first result."""
    known = [{name for name in problem.objectives if campaign.measured(name)[1]} for campaign in problem.earlier]
    return bool(known) and set().union(*known) == problem.objectives.keys()


def earlier_points(problem: Problem) -> list[Point]:
    """Return the settings of earlier campaigns, at most 300 of them."""
    points = [campaign.row(i) for campaign in problem.earlier for i in range(len(campaign))]
    step = max(1, -(-len(points) // _MOST))
    return points[::step]


def _kept(score: Tensor, most: int) -> list[int]:
    n = len(score)
    if n <= most:
        return list(range(n))
    best = set(score.argsort(descending=True, stable=True)[: most // 4].tolist())
    others = [i for i in range(n) if i not in best]
    wanted = most - len(best)
    return sorted(best | {others[k * len(others) // wanted] for k in range(wanted)})


def aligned(data: TrainingData, own: TrainingData | None, fit: Fit) -> TrainingData:
    """Return results of an earlier campaign shifted and stretched to meet one's own.

    Other substrates and another detector give another level and another range. What the earlier campaign predicts at one's own
    settings is compared with what was measured there: the means meet exactly, the spreads the more closely the more there is to
    compare, since two values say little about a spread.

    Args:
        data: Of the earlier campaign.
        own: One's own results; None leaves everything as it is.
        fit: Fits a surrogate.
    """
    if own is None:
        return data
    predicted, _ = fit(data).predict(own.X)
    y, n = own.Y.squeeze(-1), own.n
    stretch = 1.0
    if n > 1:
        least = _LEAST_SPREAD * float(data.Y.std()) if data.n > 1 else 0.0
        ratio = max(float(y.std()), least) / max(float(predicted.std()), least, 1e-300)
        believed = (n - 1.0) / (n + 2.0)
        stretch = min(max(ratio, 1.0 / _MOST_STRETCH), _MOST_STRETCH) ** believed if math.isfinite(ratio) and ratio > 0 else 1.0
    Y = y.mean() + stretch * (data.Y - predicted.mean())
    return TrainingData(data.X, Y, data.layout, data.noise_var)


def fit_with_earlier(
    own: TrainingData | None, earlier: Sequence[tuple[str, TrainingData]], fit: Fit, fit_jointly: Fit
) -> Surrogate:
    """Return a surrogate that rests on earlier campaigns as far as they predict one's own results.

    Args:
        own: One's own results; None where there are none yet.
        earlier: Name and results of each earlier campaign; at least one.
        fit: Fits a surrogate to results of one campaign.
        fit_jointly: The same to results of several, with columns that tell them apart.
    """
    if own is not None and own.n > MANY_OBSERVATIONS:
        return fit(own)
    moved = [(name, aligned(data, own, fit)) for name, data in earlier]
    if own is None:
        return _from_earlier_alone(moved, fit_jointly)
    d = own.layout.d
    joint = fit_jointly(with_sources(own, tuple(moved)))
    seen = Seen(joint, d, tuple(range(d)), len(moved), torch.arange(own.n))
    return Blend((fit(own), seen), (OWN, WITH_EARLIER), (1.0 - PRIOR, PRIOR), LEAST)


def _from_earlier_alone(earlier: Sequence[tuple[str, TrainingData]], fit_jointly: Fit) -> Surrogate:
    """Return what earlier campaigns say of a campaign that has no result yet."""
    first = earlier[0][1]
    d = first.layout.d
    # The first one lends its rows for those that are not there yet, so that each campaign has a column of its own.
    joint = with_sources(first, tuple(earlier))
    surrogate = fit_jointly(joint.rows(torch.arange(first.n, joint.n)))
    return Seen(surrogate, d, tuple(range(d)), len(earlier), torch.zeros(0, dtype=torch.long))


def misled(surrogates: Iterable[Surrogate]) -> bool:
    """Say whether own results alone predict better than with earlier campaigns, for any of the objectives."""
    return any(isinstance(s, Blend) and s.shares.get(OWN, 0.0) > LEAST for s in surrogates)
