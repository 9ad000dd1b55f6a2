"""The negative log posterior of the hyperparameters, its gradient and its curvature, for a batch of Gaussian processes.

Marginal likelihood and gradient as in Rasmussen and Williams 2006 (eq. 5.8 and 5.9), with the constant mean profiled out by
generalised least squares; the gradient by lengthscale needs no n x n x d tensor. The curvature is the average of the observed and
the expected information (Gilmour, Thompson, Cullis, Average information REML, Biometrics 51, 1995): the traces that make either
of them expensive cancel in the average, and products of the covariance's derivatives with one vector remain.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from surrogates.gp import processor
from surrogates.gp.factors import inverse_roots
from surrogates.gp.kernels import Kernels, squared_distances_within
from surrogates.gp.priors import Priors

Array: TypeAlias = NDArray[np.float64]

_LOG_2PI = math.log(2.0 * math.pi)


@dataclass(frozen=True)
class Problem:
    """What B rows of hyperparameters are fitted to.

    Attributes:
        X: n x d, shared by all rows.
        U: B x n, observations on the scale of each row's member.
        known_noise: B x n, variances known beforehand on that scale.
        kernels: One kernel per row.
        priors: One prior per row.
        column_map: d x L, one where a column uses a lengthscale.
    """

    X: Tensor
    U: Tensor
    known_noise: Tensor
    kernels: Kernels
    priors: Priors
    column_map: Tensor

    def take(self, index: Tensor) -> Problem:
        """The rows that an index or a mask picks."""
        return Problem(
            self.X,
            self.U[index],
            self.known_noise[index],
            self.kernels.take(index),
            self.priors.take(index),
            self.column_map,
        )

    def observed(self, index: Tensor) -> Problem:
        """The same of the observations that an index picks."""
        return replace(self, X=self.X[index], U=self.U[:, index], known_noise=self.known_noise[:, index])

    @property
    def n_lengthscales(self) -> int:
        """Number of lengthscales."""
        return self.column_map.shape[1]

    def scaled(self, X: Tensor, t: Tensor) -> Tensor:
        """Rows of X (N x d) divided by the lengthscales in t (B x p): B x N x d."""
        inverse = torch.exp(-t[:, : self.n_lengthscales]) @ self.column_map.T
        return X * inverse.unsqueeze(1)

    def covariance(self, t: Tensor) -> Tensor:
        """Covariance of the observations, noise included: B x n x n."""
        A = self.scaled(self.X, t)
        K = t[:, -1].exp()[:, None, None] * self.kernels.value(squared_distances_within(A))
        K.diagonal(dim1=-2, dim2=-1).add_(t[:, -2].exp().unsqueeze(-1) + self.known_noise)
        return K

    def inverse_roots(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`factors.inverse_roots` of the covariances at t (B x p)."""
        if self.X.device.type == "cpu":
            root, fine = self._arrays.roots(t.numpy())
            if fine.all():
                return torch.from_numpy(root), torch.from_numpy(fine), torch.zeros_like(t[:, 0])
        return inverse_roots(self.covariance(t))

    def value(self, t: Tensor) -> Tensor:
        """The negative log posterior (B) of `evaluate`, at a third of the time."""
        factor, info = torch.linalg.cholesky_ex(self.covariance(t))
        a, _ = gls(lambda u: torch.cholesky_solve(u, factor), self.U)
        half_log_det = factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        value: Tensor = 0.5 * (a * self.U).sum(-1) + half_log_det + 0.5 * self.X.shape[0] * _LOG_2PI - self.priors.log_density(t)[0]
        return value.masked_fill((info != 0) | ~torch.isfinite(value), torch.inf)

    def evaluate(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Negative log posterior (B, up to a constant of the prior), gradient (B x p) and curvature (B x p x p) at t (B x p).

        The curvature is positive definite, and near what the Hessian is where the data are as the model says. Rows whose covariance
        cannot be factored get an infinite value, a zero gradient and the identity.
        """
        nll, gradient, curvature = self._likelihood(t)
        log_prior, prior_gradient, prior_curvature = self.priors.log_density(t)
        curvature = curvature + prior_curvature
        value, gradient = nll - log_prior, -(gradient + prior_gradient)
        bad = ~torch.isfinite(value)
        value, gradient = value.masked_fill(bad, torch.inf), gradient.masked_fill(bad.unsqueeze(-1), 0.0)
        curvature[bad] = torch.eye(curvature.shape[-1], dtype=t.dtype, device=t.device)
        return value, gradient, curvature

    def evaluate_rows(self, t: Array, rows: NDArray[np.int64]) -> tuple[Array, Array, Array]:
        """`evaluate` some rows at t (r x p), in and out of numpy; on the processor all of it."""
        if self.X.device.type == "cpu":
            return self._arrays.evaluate(t, rows)
        found = self.take(torch.from_numpy(rows).to(self.X.device)).evaluate(torch.from_numpy(t).to(self.X.device))
        value, gradient, curvature = (part.cpu().numpy() for part in found)
        return value, gradient, curvature

    @cached_property
    def _arrays(self) -> processor.Posterior:
        parts = (self.X, self.U, self.known_noise, self.column_map, *self.priors.terms[:5])
        return processor.Posterior(self.kernels.rbf.numpy(), *(part.numpy() for part in parts))

    def _likelihood(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Without the prior: negative log likelihood (B), gradient of the log likelihood (B x p), curvature.

        Rows whose covariance cannot be factored get an infinite value.
        """
        n, d = self.X.shape
        U, known_noise = self.U, self.known_noise
        output_scale = t[:, -1].exp()[:, None, None]
        noise = t[:, -2].exp()
        A = self.scaled(self.X, t)
        k, slope = self.kernels.value_and_slope(squared_distances_within(A))
        k.mul_(output_scale)
        known = known_noise + noise.unsqueeze(-1)
        k.diagonal(dim1=-2, dim2=-1).add_(known)
        factor, info = torch.linalg.cholesky_ex(k)
        Kinv = torch.cholesky_inverse(factor)
        ones = Kinv.sum(-1)
        total = ones.sum(-1)
        a = (Kinv @ U.unsqueeze(-1)).squeeze(-1)
        mean = a.sum(-1) / total
        a = torch.addcmul(a, mean.unsqueeze(-1), ones, value=-1.0)
        fitted = (a * U).sum(-1)
        half_log_det = factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        # The residual of the profiled mean is orthogonal to the weights a, so U may stand in for it.
        nll = (0.5 * fitted + half_log_det + 0.5 * n * _LOG_2PI).masked_fill(info != 0, torch.inf)

        # With W = a aᵀ - K⁻¹, the gradient by a lengthscale is a sum over W times the slope, each term of W by itself; that by the
        # output scale is a trace of W K, and K undoes what made W.
        squares = A.square()
        sides = torch.cat([A, torch.ones_like(A[..., :1]), squares], -1)
        diagonal = a.square() - Kinv.diagonal(dim1=-2, dim2=-1)
        pulled = output_scale * (slope @ (a.unsqueeze(-1) * sides))
        spread = slope.mul_(Kinv) @ sides[..., : d + 1]
        weighted = torch.addcmul(-output_scale * spread, a.unsqueeze(-1), pulled[..., : d + 1])
        per_column = 2.0 * (A * (weighted[..., :-1] - weighted[..., -1:] * A)).sum(1)
        traces = [per_column @ self.column_map, (0.5 * noise * diagonal.sum(-1))[:, None]]
        gradient = torch.cat([*traces, (0.5 * (fitted - n - (known * diagonal).sum(-1)))[:, None]], -1)

        # The derivative of K by each hyperparameter, times the weights: (x - x')² of a column multiplied out.
        by_column = 2.0 * (2.0 * A * pulled[..., :d] - squares * pulled[..., d : d + 1] - pulled[..., d + 1 :])
        by_scale = U - mean.unsqueeze(-1) - known * a
        moved = torch.cat([by_column @ self.column_map, torch.stack([noise.unsqueeze(-1) * a, by_scale], -1)], -1)
        through_mean = (ones.unsqueeze(1) @ moved) / total.sqrt()[:, None, None]
        return nll, gradient, 0.5 * (moved.mT @ (Kinv @ moved) - through_mean.mT @ through_mean)


def gls(solve: Callable[[Tensor], Tensor], U: Tensor) -> tuple[Tensor, Tensor]:
    """Weights K⁻¹(u - β) (B x n) and the generalised least squares mean β (B).

    Args:
        solve: From B x n x k to K⁻¹ times that.
        U: Observations (B x n).
    """
    solved = solve(torch.stack([U, torch.ones_like(U)], -1))
    sums = solved.sum(-2)
    mean = sums[:, 0] / sums[:, 1]
    return solved[..., 0] - mean.unsqueeze(-1) * solved[..., 1], mean
