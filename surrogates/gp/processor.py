"""The likelihood of `surrogates.gp.likelihood`, and inverse factors, on the processor, in numpy and LAPACK.

The numbers are those of the batched tensors, which serve other devices, but for rounding. What a few matrices of some hundred rows
cost is bookkeeping and memory: here small arrays cost a third of the former, matrices are worked on in place, and of what is
symmetric one triangle is made.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

Array: TypeAlias = NDArray[np.float64]

_LOG_2PI = math.log(2.0 * math.pi)
# Numbers in the matrices worked on at a time, one large one or several small ones: half a MiB; a handful of such stay in the cache.
_IN_CACHE = 1 << 16
_HALVED = 80  # rows from which a triangle is inverted by halves: products are quicker than substitution


@dataclass(frozen=True)
class Posterior:
    """What `Problem.evaluate` needs, as arrays; see there for what they hold."""

    rbf: NDArray[np.bool_]
    X: Array
    U: Array
    known_noise: Array
    column_map: Array
    mu: Array
    precision: Array
    linear: Array
    exponential: Array
    common: Array

    def evaluate(self, t: Array, rows: NDArray[np.int64] | slice) -> tuple[Array, Array, Array]:
        """`Problem.evaluate` of some rows at t (r x p)."""
        U, known_noise, rbf = self.U[rows], self.known_noise[rows], self.rbf[rows].tolist()
        together = max(1, _IN_CACHE // len(self.X) ** 2)
        chunks = [slice(k, k + together) for k in range(0, len(t), together)]
        parts = [likelihood(self.X, U[at], known_noise[at], rbf[at], self.column_map, t[at]) for at in chunks]
        value, gradient, curvature = parts[0] if len(parts) == 1 else (np.concatenate(part) for part in zip(*parts, strict=True))
        precision, linear, common = self.precision[rows], self.linear[rows], self.common[rows]
        gap, exponential = t - self.mu[rows], self.exponential[rows] * np.exp(t)
        together = (common * gap).sum(-1, keepdims=True)
        pulled = precision * gap - common * together
        value = value - (linear * t - 0.5 * pulled * gap - exponential).sum(-1)
        gradient = pulled + exponential - linear - gradient
        np.einsum("bii->bi", curvature)[...] += precision + exponential
        curvature -= common[:, :, None] * common[:, None, :]
        bad = ~np.isfinite(value)
        if bad.any():
            value[bad], gradient[bad], curvature[bad] = np.inf, 0.0, np.eye(t.shape[1])
        return value, gradient, curvature

    def roots(self, t: Array) -> tuple[Array, NDArray[np.bool_]]:
        """R with R Rᵀ = K⁻¹ for the covariances at t (B x p): B x n x n, and which could be factored (B); see `roots`."""
        n = len(self.X)
        root, fine = np.empty((len(t), n, n)), np.empty(len(t), dtype=bool)
        inverse, known = np.exp(-t[:, :-2]) @ self.column_map.T, np.exp(t[:, -2:-1]) + self.known_noise
        for b in range(len(t)):
            A = (self.X * inverse[b])[None]
            K = _kernels(A, (A * A).sum(-1), self.rbf[b : b + 1].tolist(), np.exp(t[b : b + 1, -1]))[0]
            np.einsum("bii->bi", K)[...] += known[b]
            root[b : b + 1], _, fine[b : b + 1] = roots(K)
        return root, fine


def likelihood(
    X: Array, U: Array, known_noise: Array, rbf: Sequence[bool], column_map: Array, t: Array
) -> tuple[Array, Array, Array]:
    """Negative log likelihood, gradient of the log likelihood and average information of B rows of hyperparameters.

    With a the weights K⁻¹(u - mean) and D a derivative of K, the gradient is (aᵀDa - tr K⁻¹D) / 2. The trace is a sum over one
    triangle of K⁻¹; the products Da are also what the information is made of.

    Args:
        X: n x d.
        U: B x n observations.
        known_noise: B x n variances.
        rbf: For each row whether its kernel is squared exponential, Matérn 5/2 otherwise.
        column_map: d x L, one where a column uses a lengthscale.
        t: B x (L + 2) logarithms of lengthscales, noise variance and output scale.

    Returns:
        Values (B), infinite where the covariance could not be factored, gradients (B x p) and information (B x p x p).
    """
    n, d = X.shape
    noise, scale = np.exp(t[:, -2]), np.exp(t[:, -1])
    A = X * (np.exp(-t[:, :-2]) @ column_map.T)[:, None, :]
    sides = np.empty((len(t), n, 2 * d + 1))
    sides[..., :d], sides[..., d] = A, 1.0
    np.multiply(A, A, out=sides[..., d + 1 :])
    K, slope, by_r2 = _kernels(A, sides[..., d + 1 :].sum(-1), rbf, scale)
    known = known_noise + noise[:, None]
    np.einsum("bii->bi", K)[...] += known
    root, half_log_det, fine = roots(K)
    inverse = K  # its room
    for b, R in enumerate(root):
        inverse[b] = lapack.dlauum(R.T, lower=1)[0].T
    inverse_diagonal = np.einsum("bii->bi", inverse).copy()

    solved = root @ (root.swapaxes(1, 2) @ np.stack([U, np.ones_like(U)], -1))
    ones = solved[..., 1]
    total = ones.sum(-1)
    mean = solved[..., 0].sum(-1) / total
    a = solved[..., 0] - mean[:, None] * ones
    # The residual of the profiled mean is orthogonal to the weights a, so U may stand in for it.
    fitted = np.einsum("bi,bi->b", a, U)
    value = np.where(fine, 0.5 * fitted + half_log_det + 0.5 * n * _LOG_2PI, np.inf)

    # The derivative of K by each hyperparameter, times the weights: (x - x')² of a column multiplied out.
    pulled = slope @ (a[:, :, None] * sides)
    by_column = 2.0 * A * pulled[..., :d] - sides[..., d + 1 :] * pulled[..., d : d + 1] - pulled[..., d + 1 :]
    moved = np.empty((len(t), n, t.shape[1]))
    np.matmul((2.0 * by_r2)[:, None, None] * by_column, column_map, out=moved[..., :-2])
    np.multiply(noise[:, None], a, out=moved[..., -2])
    np.subtract(U - mean[:, None], known * a, out=moved[..., -1])

    # Of the upper triangle of K⁻¹ times the slope, the terms of (x - x')² each by itself; the diagonal has none.
    slope *= inverse
    right, below = slope @ sides[..., : d + 1], slope.sum(1)
    apart = sides[..., d + 1 :] * (right[..., d] + below)[..., None] - 2.0 * A * right[..., :d]
    traces = np.empty_like(t)
    traces[:, :-2] = (-4.0 * by_r2)[:, None] * (apart.sum(1) @ column_map)
    traces[:, -2] = noise * inverse_diagonal.sum(-1)
    traces[:, -1] = n - np.einsum("bi,bi->b", known, inverse_diagonal)
    gradient = 0.5 * (np.einsum("bi,bij->bj", a, moved) - traces)

    spread = root.swapaxes(1, 2) @ moved
    through_mean = (ones[:, None, :] @ moved) / np.sqrt(total)[:, None, None]
    information = 0.5 * (spread.swapaxes(1, 2) @ spread - through_mean.swapaxes(1, 2) @ through_mean)
    return value, gradient, information


def _kernels(A: Array, a2: Array, rbf: Sequence[bool], scale: Array) -> tuple[Array, Array, Array]:
    """`covariances` of the rows of A (B x n x d, whose squares sum to a2: B x n) with each other."""
    left, right = np.empty((*A.shape[:2], A.shape[2] + 2)), np.empty((*A.shape[:2], A.shape[2] + 2))
    left[..., :-2], left[..., -2], left[..., -1] = -2.0 * A, a2, 1.0
    right[..., :-2], right[..., -2], right[..., -1] = A, 1.0, a2
    r2 = left @ right.swapaxes(1, 2)
    np.einsum("bii->bi", r2)[...] = 0.0
    return covariances(r2, rbf, scale)


def covariances(r2: Array, rbf: Sequence[bool], scale: Array) -> tuple[Array, Array, Array]:
    """Kernels of `surrogates.gp.kernels` times the output scale, worked out in place.

    Args:
        r2: B x n x m squared distances, round-off below zero allowed; overwritten.
        rbf: For each row whether its kernel is squared exponential, Matérn 5/2 otherwise.
        scale: B.

    Returns:
        Covariances (B x n x m, in the place of r2), and their slopes by r² (B x n x m) but for factors (B).
    """
    np.maximum(r2, 0.0, out=r2)
    slope, by_r2, begin = np.empty_like(r2), np.empty(len(r2)), 0
    for squared_exponential, group in groupby(rbf):
        end = begin + len(list(group))
        k, s, factor = r2[begin:end], slope[begin:end], scale[begin:end, None, None]
        if squared_exponential:
            k *= -0.5
            np.exp(k, out=k)
            k *= factor
            s[...] = k
            by_r2[begin:end] = -0.5
        else:
            k *= 5.0
            np.sqrt(k, out=s)
            decay = np.log(factor) - s
            np.exp(decay, out=decay)
            s += 1.0
            s *= decay
            decay *= 1.0 / 3.0
            k *= decay
            k += s
            by_r2[begin:end] = -5.0 / 6.0
        begin = end
    return r2, slope, by_r2


def roots(K: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Factor covariances (B x n x n, overwritten).

    Returns:
        Upper triangular R with R Rᵀ = K⁻¹ (B x n x n), the identity where K could not be factored, half the logarithm of the
        determinant of K (B), and which could be factored (B).
    """
    root, half, fine = np.empty_like(K), np.zeros(len(K)), np.ones(len(K), dtype=bool)
    for b, matrix in enumerate(K):
        factor, failed = lapack.dpotrf(matrix.T, lower=1, clean=1, overwrite_a=1)
        diagonal = factor.diagonal()
        if failed or not np.isfinite(diagonal).all():
            root[b], fine[b] = np.eye(len(matrix)), False
        else:
            root[b], half[b] = _inverse_of_triangle(factor).T, np.log(diagonal).sum()
    return root, half, fine


def _inverse_of_triangle(L: Array) -> Array:
    """Inverse (n x n) of a lower triangular matrix (n x n) with zeros above: by halves, whose products are quick."""
    n = len(L)
    if n < _HALVED:
        inverse: Array = lapack.dtrtri(L, lower=1)[0]
        return inverse
    half = n // 2
    first, last = _inverse_of_triangle(L[:half, :half]), _inverse_of_triangle(L[half:, half:])
    whole = np.zeros((n, n), order="F")
    whole[:half, :half], whole[half:, half:] = first, last
    np.matmul(last, L[half:, :half] @ first, out=whole[half:, :half])
    np.negative(whole[half:, :half], out=whole[half:, :half])
    return whole
