"""A model that is as sure of its predictions as if they were known: with it, an acquisition function tells what means promise."""

from __future__ import annotations

import torch
from torch import Tensor

from controller.design.acquisition import Acquisition
from surrogates.base import LooResult, MemberPosterior, Surrogate
from surrogates.transforms import Standard

_SPREAD = 1e-6
"""What is left of every spread: no acquisition function is made for none at all."""


class Certain(Surrogate):
    """The mean of another model, nearly without its spread; what its members disagree on is spread too.

    The expected improvement of a normal with mean m over the best b so far is at least max(0, m - b), which is what it comes to
    without spread (Jones, Schonlau, Welch, Efficient global optimization of expensive black-box functions, 1998, eq. 15). What
    it holds beyond that comes from not knowing.
    """

    def __init__(self, inner: Surrogate) -> None:
        super().__init__()
        self._inner = inner
        self.report = inner.report
        self._unit = (Standard(0.0, 1.0),)

    @property
    def d(self) -> int:
        """Number of input columns."""
        return self._inner.d

    @property
    def device(self) -> torch.device:
        """Where the model lives."""
        return self._inner.device

    def condition_on_pending(self, X: Tensor) -> Certain:
        """Believe that pending points (k x d) will show what is predicted there."""
        return Certain(self._inner.condition_on_pending(X))

    def member_posteriors(self, X: Tensor) -> MemberPosterior:
        """One member: the mixture's mean, in units of Y (1 x n)."""
        X = self._checked(X)
        mean, sd = self._inner.posterior(X.unsqueeze(-2)).mean.reshape(1, -1), self._inner.predict(X)[1].reshape(1, -1)
        nothing = torch.zeros_like(mean[:, 0])
        return MemberPosterior(mean, _SPREAD * sd, nothing, self._unit, nothing)

    def predict(self, X: Tensor, *, observation_noise: bool = False) -> tuple[Tensor, Tensor]:
        """Mean and what is left of the standard deviation (n each), in units of Y."""
        mean, sd = self._inner.predict(X, observation_noise=observation_noise)
        return mean, _SPREAD * sd

    def leave_one_out(self) -> LooResult:
        """As the other model predicts."""
        return self._inner.leave_one_out()

    def _joint(self, X: Tensor, observation_noise: bool) -> tuple[Tensor, Tensor]:
        mean, covariance = self._inner._joint(X, observation_noise)
        return mean, _SPREAD**2 * covariance


def promised(score: Acquisition, certain: Acquisition, X: Tensor) -> Tensor:
    """Return which share of the improvement expected at the rows of `X` (n x d) the predicted means promise: n, from 0 to 1.

    Args:
        score: The logarithm of the expected improvement, of whatever kind.
        certain: The same over `Certain` models.
        X: Columns of settings.
    """
    with torch.no_grad():
        return (certain(X) - score(X)).nan_to_num(nan=-torch.inf).exp().clamp_max(1.0)
