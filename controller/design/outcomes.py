"""Outcome constraints: the probability that what is measured will be acceptable."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from controller.domain.objective import Objective
from surrogates.base import Surrogate
from surrogates.transforms import OutputTransform


@dataclass(frozen=True)
class Limits:
    """Bounds on one outcome, on the scale of its model (on which minimised objectives have changed their sign)."""

    surrogate: Surrogate
    low: float
    high: float

    @classmethod
    def of(cls, surrogate: Surrogate, objective: Objective) -> Limits:
        """Return the bounds of `objective`, infinite where it has none."""
        low = -math.inf if objective.at_least is None else objective.at_least
        high = math.inf if objective.at_most is None else objective.at_most
        return cls(surrogate, low, high) if objective.sign > 0 else cls(surrogate, -high, -low)

    def met(self, values: Tensor) -> Tensor:
        """Say of values on the model's scale which are acceptable."""
        return (values >= self.low) & (values <= self.high)

    def log_probability(self, X: Tensor) -> Tensor:
        """Return the logarithm of the probability that the outcome at `X` (n x d), without noise, is acceptable (n)."""
        moments = self.surrogate.member_posteriors(X)
        rows = []
        for mean, sd, transform in zip(moments.mean, moments.sd, moments.transforms, strict=True):
            # Infinite bounds are left out: nothing times infinity is not a number, in gradients too.
            below = None if math.isinf(self.low) else (_forward(transform, self.low, mean) - mean) / sd
            above = None if math.isinf(self.high) else (_forward(transform, self.high, mean) - mean) / sd
            rows.append(log_between(below, above))
        return torch.logsumexp(torch.stack(rows) + moments.log_weights.unsqueeze(1), 0)


def _forward(transform: OutputTransform, limit: float, like: Tensor) -> Tensor:
    return transform.forward(torch.tensor(limit, dtype=like.dtype, device=like.device))


def log_between(a: Tensor | None, b: Tensor | None) -> Tensor:
    """Logarithm of the probability that a standard normal lies between `a` and `b` (a < b); None is an open end, one at most."""
    if a is None:
        assert b is not None  # noqa: S101 - what has no bounds is no constraint
        return _log_below(b)
    if b is None:
        return _log_below(-a)
    # The normal is symmetric: turned so that both ends lie in the lower tail, where differences are not lost in rounding.
    turned = a + b > 0
    low, high = torch.where(turned, -b, a), torch.where(turned, -a, b)
    top = _log_below(high)
    return top + torch.log1p(-torch.exp(_log_below(low) - top).clamp_max(1.0 - 1e-12))


def _log_below(z: Tensor) -> Tensor:
    found: Tensor = torch.special.log_ndtr(z)
    return found


@dataclass(frozen=True)
class Acceptability:
    """Scores a point by the logarithm of the probability that all its outcomes will be acceptable, taken as independent."""

    limits: Sequence[Limits]
    name: str = "log probability that the outcome constraints are met, which nothing measured does"

    def __call__(self, X: Tensor) -> Tensor:
        """Return n scores."""
        parts = [limit.log_probability(X.to(limit.surrogate.device)).to(X.device) for limit in self.limits]
        return torch.stack(parts).sum(0)

    def widened(self, score: float) -> None:
        """Return None: the members already count together."""
        return None
