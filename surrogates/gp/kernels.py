"""Covariance functions of squared scaled distance, for batches in which rows may use different ones."""

from __future__ import annotations

import math
from functools import cached_property

import torch
from torch import Tensor

_SQRT5 = math.sqrt(5.0)
# Below this squared distance the square root is held constant: its slope is infinite at zero, the kernel's is not.
_TINY = 1e-15


def squared_distances(A: Tensor, B: Tensor) -> Tensor:
    """Squared Euclidean distances between the rows of ... x n x d and ... x m x d; ... x n x m, never negative."""
    return squared_distances_to(A, extended(B))


def extended(B: Tensor) -> Tensor:
    """What `squared_distances_to` needs of the rows of ... x m x d: ... x (d + 2) x m."""
    return torch.cat([B, torch.ones_like(B[..., :1]), B.square().sum(-1, keepdim=True)], -1).mT


def squared_distances_to(A: Tensor, right: Tensor) -> Tensor:
    """`squared_distances` from the rows of A to those that `right` was made of, as one product instead of three sums."""
    a2 = A.square().sum(-1, keepdim=True)
    left = torch.cat([-2.0 * A, a2, torch.ones_like(a2)], -1)
    return (left @ right).clamp_min(0.0)


def squared_distances_within(A: Tensor) -> Tensor:
    """Squared Euclidean distances between the rows of B x n x d: B x n x n, never negative."""
    a2 = A.square().sum(-1, keepdim=True)
    return (a2 + a2.mT).baddbmm_(A, A.mT, alpha=-2.0).clamp_min_(0.0)


class Kernels:
    """Unit-variance stationary kernels, one per row of a batch.

    Args:
        rbf: B booleans: squared exponential where true, Matérn 5/2 where false (Rasmussen and Williams 2006, eq. 4.9 and
            4.17, with r² the squared distance over lengthscales).
    """

    def __init__(self, rbf: Tensor) -> None:
        self.rbf = rbf

    @cached_property
    def _rows(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Rows with Matérn's kernel and with the other, and where these stand one after the other; None where they do already."""
        matern, rbf = (~self.rbf).nonzero().squeeze(-1), self.rbf.nonzero().squeeze(-1)
        order = torch.cat([matern, rbf])
        return matern, rbf, None if bool((order[1:] > order[:-1]).all()) else order.argsort()

    def take(self, index: Tensor) -> Kernels:
        """The rows that an index or a mask picks."""
        return Kernels(self.rbf[index])

    def value(self, r2: Tensor) -> Tensor:
        """k(r²) for B x ... squared distances; differentiable."""
        return self._choose(r2, with_slope=False)[0]

    def value_and_slope(self, r2: Tensor) -> tuple[Tensor, Tensor]:
        """k(r²) and dk/d(r²) for B x ... squared distances."""
        return self._choose(r2, with_slope=True)

    def _choose(self, r2: Tensor, *, with_slope: bool) -> tuple[Tensor, Tensor]:
        matern_rows, rbf_rows, order = self._rows
        if not len(matern_rows):
            return _rbf(r2, with_slope)
        if not len(rbf_rows):
            return _matern52(r2, with_slope)
        if order is None:  # slices need no copies of large matrices
            m = len(matern_rows)
            matern, rbf = _matern52(r2[:m], with_slope), _rbf(r2[m:], with_slope)
            value = torch.cat([matern[0], rbf[0]])
            return value, torch.cat([matern[1], rbf[1]]) if with_slope else value
        matern, rbf = _matern52(r2[matern_rows], with_slope), _rbf(r2[rbf_rows], with_slope)
        value = torch.cat([matern[0], rbf[0]])[order]
        return value, torch.cat([matern[1], rbf[1]])[order] if with_slope else value


def _rbf(r2: Tensor, with_slope: bool) -> tuple[Tensor, Tensor]:
    value = (-0.5 * r2).exp_()
    return value, -0.5 * value if with_slope else value


def _matern52(r2: Tensor, with_slope: bool) -> tuple[Tensor, Tensor]:
    s = r2.clamp_min(_TINY).sqrt_()  # in place, here and below: large matrices stay in the cache
    decay = (-_SQRT5 * s).exp_()
    linear = torch.addcmul(decay, s, decay, value=_SQRT5)
    value = torch.addcmul(linear, r2, decay, value=5.0 / 3.0)
    return value, linear.mul_(-5.0 / 6.0) if with_slope else value
