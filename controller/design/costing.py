"""Expected improvement for what an experiment costs.

What is expected is divided by a power of the cost that falls from one to zero as the budget is spent: at first cheap settings
tell much for little, in the end only what is best counts (Lee, Perrone, Archambeau, Seeger 2020, Cost-aware Bayesian
optimization; there called EI-cool).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from controller.design.acquisition import Acquisition
from controller.domain.base import Value
from controller.domain.cost import Cost
from controller.domain.expression import evaluate, functions_of
from controller.domain.parameter import CategoricalParameter
from controller.encoding.columns import Encoder
from controller.encoding.values import values_of

# The expression of a cost may come to nothing somewhere between the settings that were tried when the file was read.
_LEAST = 1e-9


@dataclass(frozen=True)
class Price:
    """The logarithm of what experiments cost, times how much that counts now."""

    cost: Cost
    encoder: Encoder
    previous: Mapping[str, Value]
    """The setting of the experiment before."""
    cooling: float
    """How much cost counts: 1 fully, 0 not at all."""

    def __call__(self, X: Tensor) -> Tensor:
        """Return what to take off the logarithmic score of each row of `X` (n x d)."""
        values = values_of(self.encoder, X.cpu())
        parameters = self.encoder.space.problem.parameters
        numbers = {name: v for name, v in values.items() if not isinstance(parameters[name], CategoricalParameter)}
        total = torch.zeros(len(X), dtype=torch.float64) + evaluate(self.cost.expression, numbers, functions_of(torch))
        for name, prices in self.cost.choices.items():
            parameter = parameters[name]
            assert isinstance(parameter, CategoricalParameter)  # noqa: S101 - checked when the file was read
            total = total + torch.tensor([prices.get(c, 0.0) for c in parameter.choices], dtype=torch.float64)[values[name]]
        for name, price in self.cost.change.items():
            if name in self.previous:
                total = total + price * self._changed(name, values[name])
        return self.cooling * torch.nan_to_num(total, nan=_LEAST).clamp_min(_LEAST).log().to(X.device)

    def _changed(self, name: str, values: Tensor) -> Tensor:
        axis = next(axis for axis in self.encoder.space.axes if axis.name == name)
        before, parameter = self.previous[name], axis.parameter
        if isinstance(parameter, CategoricalParameter):
            return (values != parameter.choices.index(str(before))).double()
        # Equal to nine digits is the same setting.
        return ((values.detach() - float(before)).abs() > 1e-9 * (axis.upper - axis.lower)).double()


@dataclass(frozen=True)
class PerCost:
    """An acquisition function per what a point costs."""

    inner: Acquisition
    price: Price

    @property
    def name(self) -> str:
        """What is computed."""
        return f"{self.inner.name}, per cost to the power of {self.price.cooling:.2f}"

    def __call__(self, X: Tensor) -> Tensor:
        """Return n scores."""
        scores = self.inner(X)
        return scores - self.price(X).to(scores.device)

    def widened(self, score: float) -> PerCost | None:
        """Return the widened inner function, per the same cost."""
        inner = self.inner.widened(score)
        return None if inner is None else replace(self, inner=inner)
