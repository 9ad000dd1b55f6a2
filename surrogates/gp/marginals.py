"""Marginal predictions on the processor, in numpy: the numbers of `GPState` on other devices, but for rounding.

A search asks for a few points at a time, where bookkeeping takes longer than arithmetic, or for hundreds, where it pays to make use
of what is zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from surrogates.gp.processor import covariances

Array: TypeAlias = NDArray[np.float64]
Pull: TypeAlias = Callable[[Array, Array], Array]

_IN_CACHE = 1 << 16  # covariances worked on at a time, of all members or of one
_STRIPES, _STRIPED = 4, 64  # a product with a triangle, of so many points or more, is made in so many stripes


class Marginals:
    """Members in the form in which they are asked for points again and again.

    Args:
        rbf: Whether the kernel of each member is squared exponential.
        rows: M x n x d, the observations in units of the lengthscales.
        inverse_lengthscales: M x d.
        output_scale: M.
        least: M, the smallest variance.
        mean: M.
        weights: M x n.
        root: M x n x n upper triangular.
    """

    def __init__(
        self, rbf: Sequence[bool], rows: Array, inverse_lengthscales: Array, output_scale: Array, least: Array, mean: Array,
        weights: Array, root: Array,
    ) -> None:  # fmt: skip
        self._rows, self._inverse, self._scale, self._rbf = rows, inverse_lengthscales[:, None, :], output_scale, rbf
        self._mean, self._least = mean[:, None], least[:, None]
        M, n, d = rows.shape
        self._right = np.empty((M, d + 2, n))
        self._right[:, :d], self._right[:, d] = rows.swapaxes(1, 2), 1.0
        np.einsum("mnd,mnd->mn", rows, rows, out=self._right[:, d + 1])
        self._root = np.concatenate([root, weights[:, :, None]], 2)

    def at(self, X: Array) -> tuple[Array, Array]:
        """Mean and variance of the function (M x N each) at X (N x d)."""
        M, n = self._root.shape[:2]
        if M * len(X) * n <= _IN_CACHE:
            mean, variance, *_ = self._moments(X, slice(None))
            return mean, variance
        step = max(1, _IN_CACHE // n)
        mean, variance = np.empty((M, len(X))), np.empty((M, len(X)))
        for m in range(M):
            for begin in range(0, len(X), step):
                at = slice(begin, begin + step)
                mean[m : m + 1, at], variance[m : m + 1, at], *_ = self._moments(X[at], slice(m, m + 1))
        return mean, variance

    def means(self, X: Array) -> Array:
        """Means alone (M x N)."""
        n = self._root.shape[1]
        step = max(1, _IN_CACHE // n)
        mean = np.empty((len(self._root), len(X)))
        for m in range(len(self._root)):
            member = slice(m, m + 1)
            for begin in range(0, len(X), step):
                at = slice(begin, begin + step)
                cross, _, _ = covariances(self._squared_distances(X[at], member)[0], self._rbf[member], self._scale[member])
                mean[m, at] = self._mean[m] + cross[0] @ self._root[m, :, n]
        return mean

    def with_pull(self, X: Array) -> tuple[Array, Array, Pull]:
        """The same, and the function from derivatives by mean and variance (M x N each) to their sum's gradient in X (N x d)."""
        mean, positive, variance, A, V, slope, by_r2 = self._moments(X, slice(None))

        def pull(by_mean: Array, by_variance: Array) -> Array:
            # Where round-off decides, the variance is a constant.
            by_moments = (-2.0 * np.where(variance < positive, 0.0, by_variance))[:, :, None] * V
            by_moments[..., -1] = by_mean
            by_distance = by_moments @ self._root.swapaxes(1, 2)
            by_distance *= slope
            by_A = by_distance.sum(-1)[..., None] * A - by_distance @ self._rows
            gradient: Array = ((2.0 * by_r2)[:, None, None] * by_A * self._inverse).sum(0)
            return gradient

        return mean, positive, pull

    def _moments(self, X: Array, members: slice) -> tuple[Array, ...]:
        """Mean, variance, the same with its round-off, scaled points, products with the root and slopes for `covariances`."""
        r2, A = self._squared_distances(X, members)
        scale, root = self._scale[members], self._root[members]
        cross, slope, by_r2 = covariances(r2, self._rbf[members], scale)
        n = root.shape[1]
        if len(X) < _STRIPED or n < _STRIPED:
            V = cross @ root
        else:
            V = np.empty((*A.shape[:2], n + 1))
            for begin, end in pairwise(n * k // _STRIPES for k in range(_STRIPES + 1)):
                V[..., begin:end] = cross[..., :end] @ root[:, :end, begin:end]
            V[..., n] = (cross @ root[..., n:])[..., 0]
        mean = self._mean[members] + V[..., n]
        variance = scale[:, None] - np.einsum("mnk,mnk->mn", V[..., :n], V[..., :n])
        return mean, np.maximum(variance, self._least[members]), variance, A, V, slope, by_r2

    def _squared_distances(self, X: Array, members: slice) -> tuple[Array, Array]:
        """Of X (N x d) from the rows (m x N x n), and X in units of the lengthscales (m x N x d)."""
        A = X * self._inverse[members]
        d = A.shape[2]
        left = np.empty((*A.shape[:2], d + 2))
        np.multiply(A, -2.0, out=left[..., :d])
        np.einsum("mnd,mnd->mn", A, A, out=left[..., d])
        left[..., d + 1] = 1.0
        return left @ self._right[members], A
