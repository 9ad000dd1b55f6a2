"""Learns from earlier campaigns beside one's own results, and stops where they mislead."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from controller.domain.base import Point
from controller.domain.knowledge import EarlierCampaign
from controller.domain.objective import Objective
from controller.domain.space import Problem
from controller.encoding.columns import Encoder
from controller.learn.remarks import with_remark
from surrogates.base import Surrogate
from surrogates.blend import Blend
from surrogates.build import MANY_OBSERVATIONS
from surrogates.data import TrainingData
from surrogates.sources import Seen, with_sources

OWN, WITH_EARLIER = "own results", "with earlier campaigns"
PRIOR = 0.4
"""How far earlier campaigns are believed before they are put to the test: whoever names them thinks them alike, but the best of
another substrate lies where its own landscape has it."""
LEAST = 0.5
"""What one's own results have to say in any case: however alike, an earlier campaign ends where one's own has to go on."""
FEWEST = 5
"""From so many results of one's own on, what is predicted of each from the others says whether earlier campaigns help."""
FOLLOWED = 0.5
"""Earlier campaigns are followed where they are believed by more than this."""
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


def led_number(problem: Problem, wanted: int, *, listed: bool) -> int | None:
    """Return the number of the one experiment that earlier campaigns lead before there is anything to test them with.

    In a space it is the last of the first points, at most the fifth: where the landscape has moved a little, it shows the peak that
    nothing else has shown, and where it has not, one point of a sequence is lost. In a list there is none: the best rows of another
    substrate are as a rule good ones and not the best, and a search that has begun there looks around them.

    Args:
        problem: What may be proposed.
        wanted: How many first points there are.
        listed: Whether points are chosen from a list.
    """
    if listed or not informs(problem):
        return None
    asked = 0 if problem.knowledge is None else len(problem.knowledge.first)
    return max(min(wanted, FEWEST), asked + 1)


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
    own: TrainingData | None, earlier: Sequence[tuple[str, TrainingData]], fit: Fit, fit_jointly: Fit, *, listed: bool
) -> Surrogate:
    """Return a surrogate that rests on earlier campaigns where they predict one's own results; its report says whether.

    Where they do not, it is the model of one's own results and nothing else, so that campaigns that mislead cost next to nothing.
    So it is in lists while there are too few results to say. In spaces earlier campaigns are followed until then: see `led_number`.

    Args:
        own: One's own results; None where there are none yet.
        earlier: Name and results of each earlier campaign; at least one.
        fit: Fits a surrogate to results of one campaign.
        fit_jointly: The same to results of several, with columns that tell them apart.
        listed: Whether points are chosen from a list.
    """
    if own is None:
        return _from_earlier_alone(earlier, fit_jointly)
    alone = fit(own)
    if own.n > MANY_OBSERVATIONS:
        return with_remark(alone, f"earlier campaigns not followed beside {own.n} results")
    if own.n < FEWEST and listed:
        return with_remark(alone, f"earlier campaigns not followed before {FEWEST} results")
    moved = tuple((name, aligned(data, own, fit)) for name, data in earlier)
    d = own.layout.d
    seen = Seen(fit_jointly(with_sources(own, moved)), d, tuple(range(d)), len(moved), torch.arange(own.n))
    if own.n < FEWEST:
        return with_remark(seen, f"earlier campaigns followed before {FEWEST} results")
    blend = Blend((alone, seen), (OWN, WITH_EARLIER), (1.0 - PRIOR, PRIOR), LEAST)
    believed = blend.believed[WITH_EARLIER]
    if believed <= FOLLOWED:
        return with_remark(alone, f"earlier campaigns not followed, believed by {believed:.0%}")
    blend.remark = f"earlier campaigns followed, believed by {believed:.0%}"
    return blend


def _from_earlier_alone(earlier: Sequence[tuple[str, TrainingData]], fit_jointly: Fit) -> Surrogate:
    """Return what earlier campaigns say of a campaign that has no result yet."""
    first = earlier[0][1]
    d = first.layout.d
    # The first one lends its rows for those that are not there yet, so that each campaign has a column of its own.
    joint = with_sources(first, tuple(earlier))
    surrogate = fit_jointly(joint.rows(torch.arange(first.n, joint.n)))
    return Seen(surrogate, d, tuple(range(d)), len(earlier), torch.zeros(0, dtype=torch.long))

