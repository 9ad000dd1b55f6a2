"""A surrogate around a mean that is known as a function: what a physical law predicts, and what was measured beside it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from surrogates.base import LooResult, MemberPosterior, Surrogate, fingerprint
from surrogates.data import TrainingData
from surrogates.errors import ShapeError
from surrogates.transforms import Standard

Mean = Callable[[Tensor], Tensor]
"""From columns (n x d) to values (n) in units of Y, differentiable in the columns."""


class AroundMean(Surrogate):
    """A surrogate of what is left of the observations once a mean is taken away.

    Args:
        fit: Fits the surrogate of what is left; its members must not bend values (transform `standard`).
        mean: The mean.
        data: Observations.
    """

    def __init__(self, fit: Callable[[TrainingData], Surrogate], mean: Mean, data: TrainingData) -> None:
        super().__init__()
        self._mean = mean
        self._known = mean(data.X).detach()
        left = TrainingData(data.X, data.Y - self._known.unsqueeze(-1), data.layout, data.noise_var)
        self._take(fit(left))
        if not all(isinstance(t, Standard) for t in self.inner.member_posteriors(data.X[:1]).transforms):
            raise ShapeError("fit: expected members on a linear scale (transform: standard), got others")

    def _take(self, inner: Surrogate) -> None:
        # In a tuple, or a copy would share it: a module among the attributes of a module is kept in a common table.
        self._held = (inner,)
        marks = fingerprint([inner.report.fingerprint, self._known])
        self.report = inner.report.model_copy(update={"fingerprint": marks})

    @property
    def inner(self) -> Surrogate:
        """The surrogate of what is left."""
        return self._held[0]

    @property
    def d(self) -> int:
        """Number of columns."""
        return self.inner.d

    @property
    def device(self) -> torch.device:
        """Where the model lives."""
        return self.inner.device

    def condition_on_pending(self, X: Tensor) -> AroundMean:
        """Believe that pending points (k x d) will show what is predicted there."""
        other = copy.copy(self)
        other._take(self.inner.condition_on_pending(X))
        return other

    def member_posteriors(self, X: Tensor) -> MemberPosterior:
        """Marginal moments per member (M x n)."""
        found = self.inner.member_posteriors(X)
        mean = self._mean(X).to(found.mean)
        slopes = torch.stack([t.slope(mean.detach()) for t in found.transforms])
        return replace(found, mean=found.mean + slopes * mean)

    def predict(self, X: Tensor, *, observation_noise: bool = False) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (n each) to report, in units of Y."""
        mean, sd = self.inner.predict(X, observation_noise=observation_noise)
        return mean + self._mean(X).detach().to(mean), sd

    def leave_one_out(self) -> LooResult:
        """Each observation predicted from the others, the mean held."""
        found = self.inner.leave_one_out()
        return LooResult(found.mean + self._known.to(found.mean), found.sd, found.log_density)

    def similarity(self, A: Tensor, B: Tensor) -> Tensor:
        """How much what is left is held to be alike at the rows of A (n x d) and B (m x d)."""
        return self.inner.similarity(A, B)

    def novelty(self, X: Tensor) -> Tensor:
        """How far points (n x d) lie from the data."""
        return self.inner.novelty(X)

    def left_out_novelty(self) -> Tensor:
        """The same for each observation (n), as seen from the others."""
        return self.inner.left_out_novelty()

    def _joint(self, X: Tensor, observation_noise: bool) -> tuple[Tensor, Tensor]:
        mean, covariance = self.inner._joint(X, observation_noise)
        return mean + self._mean(X.reshape(-1, X.shape[-1])).reshape(mean.shape).to(mean), covariance
