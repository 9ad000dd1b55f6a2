"""The fitted members of an ensemble of Gaussian processes as plain tensors: from hyperparameters to predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from surrogates.gp.kernels import Kernels, extended, squared_distances, squared_distances_to
from surrogates.gp.likelihood import Problem, gls
from surrogates.gp.marginals import Marginals

_LEAST_VARIANCE = 1e-12  # as a share of the output scale, where round-off would make a variance zero or negative


@dataclass(frozen=True)
class GPState:
    """M members over n rows (observations, then pending points), all on their own output scale.

    Attributes:
        X: n x d.
        inverse_lengthscales: M x d.
        output_scale: M.
        noise: M, fitted noise variance.
        known_noise: M, mean of the variances known beforehand.
        mean: M, the constant mean.
        weights: M x n, K⁻¹(u - mean); zero for pending points.
        root: M x n x n upper triangular R with R Rᵀ = K⁻¹.
        kernels: One per member.
    """

    X: Tensor
    inverse_lengthscales: Tensor
    output_scale: Tensor
    noise: Tensor
    known_noise: Tensor
    mean: Tensor
    weights: Tensor
    root: Tensor
    kernels: Kernels

    @classmethod
    def of(cls, problem: Problem, t: Tensor) -> tuple[GPState, Tensor, Tensor]:
        """Factor the members once their hyperparameters are known.

        Args:
            problem: M members.
            t: M x p logarithms of their hyperparameters.

        Returns:
            The state of the members that could be factored, M booleans saying which, and the jitter used (M).
        """
        root, usable, jitter = problem.inverse_roots(t)
        usable = usable & torch.isfinite(t).all(-1)
        kept = problem.take(usable)
        t, root = t[usable], root[usable]
        weights, mean = gls(lambda u: root @ (root.transpose(-1, -2) @ u), kept.U)
        state = cls(
            X=problem.X,
            inverse_lengthscales=torch.exp(-t[:, : problem.n_lengthscales]) @ problem.column_map.T,
            output_scale=t[:, -1].exp(),
            noise=t[:, -2].exp(),
            known_noise=kept.known_noise.mean(-1),
            mean=mean,
            weights=weights,
            root=root,
            kernels=kept.kernels,
        )
        return state, usable, jitter

    @property
    def observation_noise(self) -> Tensor:
        """M, variance of a typical observation around the function."""
        return self.noise + self.known_noise

    def _scaled(self, X: Tensor) -> Tensor:
        return X * self.inverse_lengthscales.view(-1, *(1,) * (X.ndim - 1), X.shape[-1])

    @cached_property
    def _rows(self) -> Tensor:
        """The rows in units of the lengthscales: M x n x d."""
        return self._scaled(self.X)

    @cached_property
    def _right(self) -> Tensor:
        return extended(self._rows)

    @property
    def _on_processor(self) -> bool:
        return self.X.device.type == "cpu"

    @cached_property
    def _marginals(self) -> Marginals:
        least = _LEAST_VARIANCE * self.output_scale
        parts = (self._rows, self.inverse_lengthscales, self.output_scale, least, self.mean, self.weights, self.root)
        return Marginals(self.kernels.rbf.tolist(), *(part.numpy() for part in parts))

    def _cross(self, X: Tensor) -> Tensor:
        """Covariance of N x d points with the rows: M x N x n."""
        return self._covariance(squared_distances_to(self._scaled(X), self._right))

    def _kernel(self, A: Tensor, B: Tensor) -> Tensor:
        return self._covariance(squared_distances(A, B))

    def _covariance(self, r2: Tensor) -> Tensor:
        k = self.kernels.value(r2)
        return self.output_scale.view(-1, *(1,) * (k.ndim - 1)) * k

    def correlation(self, A: Tensor, B: Tensor) -> Tensor:
        """Prior correlation of the function at N x d points with K x d points: M x N x K."""
        return self._kernel(self._scaled(A), self._scaled(B)) / self.output_scale.view(-1, 1, 1)

    def means(self, X: Tensor) -> Tensor:
        """Mean of the function (M x N) at X (N x d)."""
        if self._on_processor:
            return torch.from_numpy(self._marginals.means(X.detach().numpy()))
        return self.mean[:, None] + (self._cross(X) @ self.weights.unsqueeze(-1)).squeeze(-1)

    def marginal(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the function (M x N each) at X (N x d), differentiable once in X."""
        if X.requires_grad and torch.is_grad_enabled():
            mean, variance = _Marginal.apply(X, self)  # type: ignore[no-untyped-call]
            return mean, variance
        if self._on_processor:
            mean, variance = (torch.from_numpy(part) for part in self._marginals.at(X.detach().numpy()))
            return mean, variance
        cross = self._cross(X)
        mean = self.mean[:, None] + (cross @ self.weights.unsqueeze(-1)).squeeze(-1)
        explained = (cross @ self.root).square().sum(-1)
        return mean, self._positive(self.output_scale[:, None] - explained)

    def marginal_and_pull(self, X: Tensor) -> tuple[Tensor, Tensor, Callable[[Tensor, Tensor], Tensor]]:
        """`marginal`, and the function from derivatives by mean and variance (M x N each) to their sum's gradient in X (N x d).

        A climb asks for a few points at a time, where bookkeeping takes longer than arithmetic.
        """
        if not self._on_processor:
            return self._marginal_and_pull(X)
        *moments, pull = self._marginals.with_pull(X.detach().numpy())
        mean, variance = (torch.from_numpy(part) for part in moments)
        return mean, variance, lambda *by: torch.from_numpy(pull(*(part.numpy() for part in by)))

    def _marginal_and_pull(self, X: Tensor) -> tuple[Tensor, Tensor, Callable[[Tensor, Tensor], Tensor]]:
        """The same on any device."""
        A = self._scaled(X)
        k, slope = self.kernels.value_and_slope(squared_distances_to(A, self._right))
        scale = self.output_scale[:, None, None]
        cross = scale * k
        V = cross @ self.root
        variance = self.output_scale[:, None] - V.square().sum(-1)
        mean = self.mean[:, None] + (cross @ self.weights.unsqueeze(-1)).squeeze(-1)
        positive = self._positive(variance)

        def pull(by_mean: Tensor, by_variance: Tensor) -> Tensor:
            # Where round-off decides, the variance is a constant.
            by_variance = by_variance.masked_fill(variance < positive, 0.0)
            by_cross = by_mean.unsqueeze(-1) * self.weights.unsqueeze(1)
            by_cross = torch.baddbmm(by_cross, by_variance.unsqueeze(-1) * V, self.root.mT, alpha=-2.0)
            by_r2 = by_cross * slope * scale
            by_A = 2.0 * torch.baddbmm(by_r2.sum(-1, keepdim=True) * A, by_r2, self._rows, alpha=-1.0)
            return (by_A * self.inverse_lengthscales.unsqueeze(1)).sum(0)

        return mean, positive, pull

    def joint(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Mean (M x ... x q) and covariance (M x ... x q x q) of the function at X (... x q x d)."""
        *batch, q, d = X.shape
        cross = self._cross(X.reshape(-1, d))
        M, _, n = cross.shape
        mean = self.mean[:, None] + (cross @ self.weights.unsqueeze(-1)).squeeze(-1)
        V = (cross @ self.root).view(M, *batch, q, n)
        A = self._scaled(X)
        covariance = self._kernel(A, A) - V @ V.transpose(-1, -2)
        # Round-off must not make a variance negative; elsewhere this changes nothing.
        diagonal = covariance.diagonal(dim1=-2, dim2=-1)
        lifted = self._positive(diagonal) - diagonal
        return mean.view(M, *batch, q), covariance + torch.diag_embed(lifted)

    def _positive(self, variance: Tensor) -> Tensor:
        least = _LEAST_VARIANCE * self.output_scale
        return torch.maximum(variance, least.view(-1, *(1,) * (variance.ndim - 1)))

    def leave_one_out(self, U: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance (M x n each) of each observation given the others, hyperparameters and mean held.

        Rasmussen and Williams 2006, eq. 5.12. Only for a state without pending points.

        Args:
            U: M x n observations.
        """
        variance = 1.0 / self.root.square().sum(-1)
        return U - self.weights * variance, variance

    def with_pending(self, X: Tensor) -> GPState:
        """Append points (k x d) believed to show exactly the predicted mean: the weights get zeros, the root grows."""
        cross = self._cross(X)
        A = self._scaled(X)
        V = cross @ self.root
        schur = self._kernel(A, A) - V @ V.transpose(-1, -2)
        k = X.shape[0]
        schur = schur + torch.diag_embed(self.observation_noise[:, None].expand(-1, k))
        # The Schur complement is at least the noise variance away from singular, hence no jitter and no failure.
        corner = torch.linalg.inv_ex(torch.linalg.cholesky_ex(schur)[0])[0].transpose(-1, -2)
        side = -self.root @ (V.transpose(-1, -2) @ corner)
        zeros = torch.zeros_like(side).transpose(-1, -2)
        root = torch.cat([torch.cat([self.root, side], -1), torch.cat([zeros, corner], -1)], -2)
        weights = torch.cat([self.weights, torch.zeros_like(self.weights[:, :1]).expand(-1, k)], -1)
        return replace(self, X=torch.cat([self.X, X]), root=root, weights=weights)


class _Marginal(torch.autograd.Function):
    """`GPState.marginal` with its gradient in closed form, for whoever asks by way of automatic differentiation."""

    @staticmethod
    def forward(ctx: Any, X: Tensor, state: GPState) -> tuple[Tensor, Tensor]:
        mean, variance, ctx.pull = state.marginal_and_pull(X)
        return mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_mean: Tensor, by_variance: Tensor) -> tuple[Tensor, None]:
        return ctx.pull(by_mean, by_variance), None
