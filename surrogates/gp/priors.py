"""Priors and bounds of the hyperparameters: one formula, so that members with different priors share one batch.

With t the logarithm of a hyperparameter, the log density is, up to a constant,
`-(t - mu)² / (2 sd²) + a t - b exp(t)`: a normal in t where a = b = 0, a gamma distribution with its Jacobian where sd is
infinite. Hyperparameters are ordered: lengthscales, noise variance, output scale (a variance).

Lengthscales may besides be drawn together. If each of k is a common one times a factor of its own, log-normal with spreads a and
b, their logarithms have the covariance a² 11ᵀ + b² I, whose inverse is I / b² - c cᵀ, each entry of c being a / (b √(b² + k a²))
(Sherman and Morrison): the formula holds with sd = b, and `(c · (t - mu))² / 2` is added.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from surrogates.data import GroupKind, Layout
from surrogates.specs import GPMember, PriorName

_MEDIAN: dict[GroupKind, float] = {"numeric": 0.6, "category": 1.2, "structure": 1.2 * 1.8}
_SD: dict[GroupKind, float] = {"numeric": 0.6, "category": 0.4, "structure": 0.4}
# Another source is at distance one: its correlation is 0.5 (Matérn) at the median, and 0.02 to 0.97 within two sd.
_SOURCE_MEDIAN, _SOURCE_SD = 1.0, 0.8
# Two choices of a category are sqrt(2) apart: likewise 0.56, and 0.02 to 0.95. Where lengthscales are short, choices are
# strangers to each other, and every one has to be learned from its own results.
_CHOICE_MEDIAN, _CHOICE_SD = 1.5, 0.7
# Learned places of choices have the right distances already.
_PLACE_MEDIAN, _PLACE_SD = 1.0, 0.3
# Hierarchical: the median of the common lengthscale, its spread, and that of each lengthscale around it.
_COMMON_MEDIAN, _COMMON_SD, _OWN_SD = 0.25, 0.7, 0.5
_NOISE_MEDIAN = -4.0
_NOISE_FLOOR: dict[PriorName, float] = {"tight": 1e-2, "gamma": 1e-4, "hierarchical": 1e-4}
_NOISE_CEILING = 4.0
_REACH = 8.0  # how far, in log units, a lengthscale may move from where its prior puts it
_OUTPUT_SCALE_REACH = 7.0


@dataclass(frozen=True)
class Priors:
    """Priors, bounds and starts for B rows of p hyperparameters.

    Attributes:
        mu, precision, linear, exponential: B x p, the terms of the formula (precision is 1 / sd²).
        common: B x p, what draws hyperparameters together; zero where nothing does.
        lower, upper: B x p bounds of t.
        start: B x p, where the density of the prior is high.
    """

    mu: Tensor
    precision: Tensor
    linear: Tensor
    exponential: Tensor
    common: Tensor
    lower: Tensor
    upper: Tensor
    start: Tensor

    @classmethod
    def of(cls, members: tuple[GPMember, ...], layout: Layout) -> Priors:
        """Priors of the members, one row each, on the CPU."""
        rows = [_row(member, layout) for member in members]
        columns = [torch.tensor(column, dtype=torch.float64) for column in zip(*rows, strict=True)]
        return cls(*columns)

    def take(self, index: Tensor) -> Priors:
        """The rows that an index or a mask picks."""
        return Priors(*(getattr(self, name)[index] for name in self.__dataclass_fields__))

    def to(self, device: torch.device) -> Priors:
        """The same priors on another device."""
        return Priors(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))

    @property
    def terms(self) -> tuple[Tensor, ...]:
        """What makes the density, and the bounds: B x p each."""
        return self.mu, self.precision, self.linear, self.exponential, self.common, self.lower, self.upper

    def log_density(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log density (B, up to a constant), its gradient (B x p) and its negative Hessian (B x p x p) at t (B x p)."""
        gap = t - self.mu
        exponential = self.exponential * t.exp()
        together = (self.common * gap).sum(-1, keepdim=True)
        value = -0.5 * self.precision * gap.square() + self.linear * t - exponential
        gradient = self.linear - self.precision * gap - exponential + self.common * together
        curvature = torch.diag_embed(self.precision + exponential) - self.common.unsqueeze(-1) * self.common.unsqueeze(-2)
        return value.sum(-1) + 0.5 * together.squeeze(-1).square(), gradient, curvature


def _row(member: GPMember, layout: Layout) -> tuple[list[float], ...]:
    """The eight rows of `Priors` for one member."""
    kinds = layout.kind_of_lengthscale
    n = len(kinds)
    apart: dict[GroupKind, tuple[float, float]] = {"source": (_SOURCE_MEDIAN, _SOURCE_SD), "place": (_PLACE_MEDIAN, _PLACE_SD)}
    L = sum(kind not in apart for kind in kinds)
    if member.prior == "tight":
        mu = [0.0 if kind in apart else math.log(_MEDIAN[kind] * math.sqrt(L)) for kind in kinds]
        precision = [0.0 if kind in apart else _SD[kind] ** -2 for kind in kinds]
        linear, exponential = [0.0] * n, [0.0] * n
        start = list(mu)
        # Without an output scale: held at one by its bounds.
        reach = 0.0
    else:
        # Gamma(3, 6) on the lengthscale, stretched so that points of many dimensions do not become strangers.
        shift = max(0.0, 0.5 * math.log(L / 6.0)) if L else 0.0
        mu, precision = [0.0] * n, [0.0] * n
        linear, exponential = [3.0] * n, [6.0 * math.exp(-shift)] * n
        start = [math.log(0.5) + shift] * n
        reach = _OUTPUT_SCALE_REACH
    common = [0.0] * n
    if member.prior == "hierarchical":
        numbers = [j for j, kind in enumerate(kinds) if kind == "numeric"]
        for j in numbers:
            mu[j] = start[j] = math.log(_COMMON_MEDIAN * math.sqrt(L))
            precision[j], linear[j], exponential[j] = _OWN_SD**-2, 0.0, 0.0
            common[j] = _COMMON_SD / (_OWN_SD * math.sqrt(_OWN_SD**2 + len(numbers) * _COMMON_SD**2))
    if member.prior != "tight":
        apart["category"] = (_CHOICE_MEDIAN, _CHOICE_SD)
    for j, kind in enumerate(kinds):
        if kind in apart:
            median, sd = apart[kind]
            mu[j] = start[j] = math.log(median)
            precision[j], linear[j], exponential[j] = sd**-2, 0.0, 0.0
    floor = math.log(_NOISE_FLOOR[member.prior])
    return (
        [*mu, _NOISE_MEDIAN, 0.0],
        [*precision, 1.0, 1.0],
        [*linear, 0.0, 0.0],
        [*exponential, 0.0, 0.0],
        [*common, 0.0, 0.0],
        [*(t - _REACH for t in start), floor, -reach],
        [*(t + _REACH for t in start), math.log(_NOISE_CEILING), reach],
        [*start, _NOISE_MEDIAN, 0.0],
    )
