"""Surrogates made of many functions of the columns, read as one Gaussian: uncertainty from their disagreement."""

from __future__ import annotations

import copy
import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from surrogates.base import LooResult, MemberPosterior, Surrogate, fingerprint, gaussian_log_density
from surrogates.data import Layout, TrainingData
from surrogates.report import FitReport, MemberReport
from surrogates.specs import DeepEnsembleSpec, RandomForestSpec
from surrogates.transforms import Standard

FOLDS = 5
"""Every observation is kept from every fifth member."""
_CHUNK_ROWS_PREDICT = 1024
_LEAST_VARIANCE = 1e-6  # in squared standard deviations of Y: a floor under variances that vanish where members agree
_LEAST_NOISE = 1e-4


class MomentEnsemble(Surrogate):
    """M functions read as one Gaussian: moments over the members, plus a small diagonal.

    Every observation is kept from a fifth of the members (from one member in two to four). What they miss it by gives the
    noise variance and the left-out predictions at no extra cost.

    A subclass trains its members, says in `_values` what they are worth, and calls `_settle` once.
    """

    _layout: Layout
    _device: torch.device
    _transform: Standard
    _spec: DeepEnsembleSpec | RandomForestSpec
    _seed: int

    @abstractmethod
    def _values(self, X: Tensor) -> Tensor:
        """What each member says at X (N x d), on the standardised scale: M x N, differentiable where X asks for it."""

    @abstractmethod
    def _parts(self) -> tuple[str, Sequence[Tensor]]:
        """What the members are, and the tensors that they are made of."""

    def _make_report(self, seconds: float) -> FitReport:
        name, parts = self._parts()
        member = MemberReport(
            name=name,
            weight=1.0,
            reporting_weight=1.0,
            negative_log_posterior=None,
            hyperparameters={
                "noise_variance": self._noise,
                "leave_one_out_log_density": float(self._loo.log_density.sum()),
            },
        )
        texts = [repr(self._layout), repr(self._spec), repr(self._transform), f"seed {self._seed}"]
        return FitReport(
            kind=self._spec.kind,
            observations=self._observations,
            pending=self._pending.shape[0],
            members=(member,),
            warnings=(),
            seconds=seconds,
            fingerprint=fingerprint([*texts, *parts, self._pending, self._belief]),
        )

    def _settle(self, data: TrainingData, held_out: Tensor) -> None:
        """Take the measure of trained members.

        Args:
            data: What they were trained on.
            held_out: M x n ones where an observation was kept from a member.
        """
        members = held_out.shape[0]
        self._pending = torch.zeros(0, self.d, dtype=torch.float64, device=self._device)
        # Shrinks the disagreement of the members where pending points are believed: identity without any.
        self._belief = torch.eye(members, dtype=torch.float64, device=self._device)
        with torch.no_grad():
            self._loo, self._noise = self._left_out(data, held_out)
        self._observations = data.n

    @property
    def d(self) -> int:
        """Number of input columns."""
        return self._layout.d

    @property
    def device(self) -> torch.device:
        """Where the model lives."""
        return self._device

    def condition_on_pending(self, X: Tensor) -> Self:
        """Believe that pending points (k x d) will show the mean: a linear Gaussian update of the members' weights."""
        X = self._checked(X)
        if X.shape[0] == 0:
            return self
        other = copy.copy(self)
        other._pending = torch.cat([self._pending, X])
        with torch.no_grad():
            _, factor = self._moments(other._pending)
            precision = factor @ factor.T / (self._noise + _LEAST_VARIANCE)
            precision += torch.eye(factor.shape[0], dtype=factor.dtype, device=self._device)
            lower = torch.linalg.cholesky(precision)
            identity = torch.eye(factor.shape[0], dtype=factor.dtype, device=self._device)
            other._belief = torch.linalg.solve_triangular(lower, identity, upper=False)
        other.report = other._make_report(self.report.seconds)
        return other

    def member_posteriors(self, X: Tensor) -> MemberPosterior:
        """One member: the ensemble's own moments (1 x n)."""
        X = self._checked(X)
        parts = []
        for chunk in torch.split(X, _CHUNK_ROWS_PREDICT):
            mean, factor = self._moments(chunk)
            parts.append((mean, (self._belief @ factor).square().sum(0) + _LEAST_VARIANCE))
        mean = torch.cat([part[0] for part in parts])
        sd = torch.cat([part[1] for part in parts]).sqrt()
        noise = torch.full_like(mean[:1], self._noise)
        return MemberPosterior(mean[None], sd[None], torch.zeros_like(mean[:1]), (self._transform,), noise)

    def predict(self, X: Tensor, *, observation_noise: bool = False) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (n each), in units of Y."""
        with torch.no_grad():
            members = self.member_posteriors(X)
            variance = members.sd[0].square() + (self._noise if observation_noise else 0.0)
            return self._transform.moments(members.mean[0], variance.sqrt())

    def leave_one_out(self) -> LooResult:
        """Each observation predicted by the members that were kept from it."""
        return self._loo

    def _moments(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Mean (N) and deviations (M x N, so scaled that their squares sum to the variance) on the standardised scale."""
        values = self._values(X)
        mean = values.mean(0)
        return mean, (values - mean) / math.sqrt(values.shape[0] - 1)

    def _joint(self, X: Tensor, observation_noise: bool) -> tuple[Tensor, Tensor]:
        *batch, q, d = X.shape
        mean, factor = self._moments(X.reshape(-1, d))
        deviations = (self._belief @ factor).T.reshape(*batch, q, -1)
        diagonal = _LEAST_VARIANCE + (self._noise if observation_noise else 0.0)
        covariance = deviations @ deviations.transpose(-1, -2)
        covariance = covariance + diagonal * torch.eye(q, dtype=X.dtype, device=X.device)
        return self._transform.inverse(mean.reshape(*batch, q)), self._transform.scale**2 * covariance

    def _left_out(self, data: TrainingData, held_out: Tensor) -> tuple[LooResult, float]:
        """Left-out predictions, and the noise variance (standardised) that explains what they miss."""
        u = self._transform.forward(data.Y.squeeze(-1))
        values = torch.cat([self._values(chunk) for chunk in torch.split(data.X, _CHUNK_ROWS_PREDICT)], -1)
        spread = values.var(0) + _LEAST_VARIANCE
        mean = (values * held_out).sum(0) / held_out.sum(0)
        noise = max(_LEAST_NOISE, float(((u - mean).square() - spread).mean()))
        variance = spread + noise
        density = gaussian_log_density(u, mean, variance) - math.log(self._transform.scale)
        return LooResult(self._transform.inverse(mean), self._transform.scale * variance.sqrt(), density), noise


def folds(members: int, n: int, generator: torch.Generator) -> Tensor:
    """M x n ones where a member must not see an observation; every observation is kept from at least one member."""
    count = min(FOLDS, members)
    fold = torch.randperm(n, generator=generator) % count
    return (torch.arange(members)[:, None] % count == fold).double()


def relative_precision(data: TrainingData, transform: Standard) -> Tensor:
    """Weights of the observations (n): even, or smaller where the known variance is larger."""
    if data.noise_var is None:
        return torch.ones(data.n, device=data.X.device)
    known = data.noise_var.squeeze(-1) / transform.scale**2
    return (1.0 / (1e-2 + known)).float()
