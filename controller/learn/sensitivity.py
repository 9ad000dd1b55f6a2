"""Which parameters matter: variance-based sensitivity of what a model expects, free of lengthscales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from surrogates.base import Surrogate

LOW, HIGH = 0.1, 0.9
_DRAWS = 64
# Settings of one joint draw of the function, and of each parameter among them: their covariance is factored.
_TOGETHER, _EACH = 768, 96
# Variances below this share of the squared size of the values are rounding.
_NOTHING = 1e-18


@dataclass(frozen=True)
class Indices:
    """Sobol' indices of p parameters (p each); an index of a function that does not vary is zero.

    Attributes:
        total: Of the predicted mean.
        first: The same of first order; None where the parameters depend on each other.
        low, high: 80 % interval of the total effect over functions drawn from the posterior; it holds `total`.
        spread: Standard deviation of the predicted mean [unit of Y].
    """

    total: Tensor
    first: Tensor | None
    low: Tensor
    high: Tensor
    spread: float


def total_effect(base: Tensor, moved: Tensor) -> Tensor:
    """Return total-effect indices by Jansen's estimator (Analysis of variance designs for model output, 1999).

    Half the mean squared change when one parameter is drawn anew, over the variance; see also table 2 (f) of Saltelli and
    others, Variance based sensitivity analysis of model output (2010).

    Args:
        base: ... x n, values.
        moved: p x ... x n, values at the same settings with parameter j drawn anew.

    Returns:
        p x ...
    """
    return _share(0.5 * (base - moved).square().mean(-1), base)


def first_order(base: Tensor, other: Tensor, moved: Tensor) -> Tensor:
    """Return first-order indices by Jansen's estimator (1999; table 2 (c) of Saltelli and others, 2010).

    Args:
        base: n, values.
        other: n, values at independent settings.
        moved: p x n, values at the settings of `base` with parameter j from those of `other`.

    Returns:
        p, between 0 and 1: below zero is scatter of the estimator.
    """
    both = torch.cat([base, other], -1)
    left = _share(0.5 * (other - moved).square().mean(-1), both)
    varies = both.var(-1, correction=0) > _NOTHING * both.square().mean(-1)
    return torch.where(varies, 1.0 - left, torch.zeros_like(left)).clamp(0.0, 1.0)


def _share(part: Tensor, values: Tensor) -> Tensor:
    variance = values.var(-1, correction=0)
    flat = variance <= _NOTHING * values.square().mean(-1)
    return torch.where(flat, torch.zeros_like(part), part / torch.where(flat, torch.ones_like(variance), variance))


def indices(surrogate: Surrogate, base: Tensor, moved: Sequence[Tensor], other: Tensor | None, seed: int) -> Indices:
    """Return how much each parameter matters for what `surrogate` expects.

    Args:
        surrogate: Of one objective, not conditioned on pending points.
        base: n x d, columns of settings drawn over the space.
        moved: For each parameter the same settings with that one drawn anew (n x d).
        other: n x d, independent settings from which `moved` has its parameters; None where there are none.
        seed: Of the functions drawn.
    """

    def mean(X: Tensor) -> Tensor:
        """What the search believes, as the functions drawn do: members count as sharply as they predict."""
        with torch.no_grad():
            members = surrogate.member_posteriors(X.to(surrogate.device))
            means = [t.inverse(m) for t, m in zip(members.transforms, members.mean, strict=True)]
            return (members.log_weights.exp() @ torch.stack(means)).cpu()

    values, changed = mean(base), torch.stack([mean(X) for X in moved])
    total = total_effect(values, changed)
    first = None if other is None else first_order(values, mean(other), changed)
    generator = torch.Generator().manual_seed(seed)
    block = max(1, _TOGETHER // _EACH - 1)
    parts = [_drawn(surrogate, base, moved[j : j + block], generator) for j in range(0, len(moved), block)]
    roughly, drawn = torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])
    low, high = torch.quantile(drawn, torch.tensor([LOW, HIGH], dtype=drawn.dtype), dim=1)
    # What the few settings miss of the mean's index they miss of every function's.
    missed = total - roughly
    low, high = (low + missed).clamp_min(0.0), high + missed
    return Indices(total, first, torch.minimum(low, total), torch.maximum(high, total), float(values.std(correction=0)))


def _drawn(
    surrogate: Surrogate, base: Tensor, moved: Sequence[Tensor], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return total effects of k parameters at few settings: of the mean (k), and of functions drawn from the posterior (k x m)."""
    X = torch.cat([base[:_EACH], *(changed[:_EACH] for changed in moved)]).to(surrogate.device)
    with torch.no_grad():
        posterior = surrogate.posterior(X)
        mean, covariance = posterior.mean.squeeze(-1).cpu(), posterior.distribution.covariance_matrix.cpu()
    # Hundreds of settings close to each other: an eigendecomposition is never short of rank.
    sizes, vectors = torch.linalg.eigh(covariance)
    noise = torch.randn(len(mean), _DRAWS, generator=generator, dtype=mean.dtype)
    values = (mean[:, None] + vectors @ (sizes.clamp_min(0.0).sqrt()[:, None] * noise)).T
    values = torch.cat([mean[None], values])
    first, *others = torch.split(values, len(base[:_EACH]), -1)
    effects = total_effect(first, torch.stack(others))
    return effects[:, 0], effects[:, 1:]
