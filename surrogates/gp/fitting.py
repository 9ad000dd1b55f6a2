"""Finds the most probable hyperparameters: BFGS on a batch of rows, each with its own step and its own end."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from surrogates.gp.likelihood import Problem
from surrogates.gp.priors import Priors

Array: TypeAlias = NDArray[np.float64]

_MAX_EVALUATIONS = 120
_GRADIENT_TOLERANCE = 1e-4
_DECREASE_TOLERANCE = 1e-9
# What is still to be gained in log posterior, by the inverse Hessian (Boyd and Vandenberghe 2004, section 9.5).
_NEWTON_TOLERANCE = 0.01
_ROUGH_TOLERANCE = 0.1
_SUFFICIENT_DECREASE = 1e-4
_SAME_PEAK = 0.5  # log units: starts that come this close to each other go on as one
_LONGEST_STEP = 2.0  # log units, per hyperparameter
_SHORTEST_STEP = 1e-8
# Offsets of the starts from the prior: (lengthscales, noise variance), in log units.
_STARTS = ((0.0, 0.0), (-0.7, -2.0), (0.7, 2.0))
# Of more observations so many, drawn at random, say first where to look: an evaluation costs the cube of their number.
_MANY = 64
# Of more than so many, as many say what the hyperparameters are. Predictions rest on all of them.
_MOST = 500


def fit(problem: Problem) -> tuple[Tensor, Tensor]:
    """Most probable hyperparameters of every member from several cold starts.

    A cold start makes the result a function of the data alone, whatever was fitted before.

    Args:
        problem: One row per member (M).

    Returns:
        Hyperparameters (M x p) and their negative log posterior (M).
    """
    members, n = problem.U.shape
    device = problem.X.device
    # Members of one kernel stand together: their covariances are then slices of a batch, and nothing is copied.
    order = torch.argsort(problem.kernels.rbf.int(), stable=True)
    problem = problem.take(order)
    rows = torch.arange(members, device=device).repeat_interleave(len(_STARTS))
    t, batch = _starts(problem.priors), problem.take(rows)
    k = min(n, _MANY)
    rough = batch.observed(_drawn(n, k).to(device)) if k < n else batch
    t, value, H = minimise(rough, t, _ROUGH_TOLERANCE, rows.cpu().numpy())
    if k < n:
        apart = torch.from_numpy(np.flatnonzero(np.isfinite(value.cpu().numpy()))).to(device)
        judge = batch.take(apart).observed(_drawn(n, _MOST).to(device)) if n > _MOST else batch.take(apart)
        value = torch.full_like(value, torch.inf).index_copy(0, apart, judge.value(t[apart]))
    best = value.view(members, -1).argmin(1) + len(_STARTS) * torch.arange(members, device=device)
    # What the data say curves the posterior in proportion to their number.
    m = min(n, _MOST)
    final = problem.observed(_drawn(n, m).to(device)) if m < n else problem
    t, value, _ = minimise(final, t[best], _NEWTON_TOLERANCE, H=H[best.cpu().numpy()] * (k / m))
    back = torch.argsort(order)
    return t[back], value[back]


def _drawn(n: int, k: int) -> Tensor:
    """Positions of `k` of `n` observations, drawn at random, in order; of fewer, the first of those of more."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(n))[:k].sort().values


def _starts(priors: Priors) -> Tensor:
    """Starts of every member, one after the other: (M * starts) x p."""
    offsets = torch.zeros(len(_STARTS), priors.start.shape[1], dtype=torch.float64)
    for row, (lengthscale, noise) in enumerate(_STARTS):
        offsets[row, :-2] = lengthscale
        offsets[row, -2] = noise
    starts = priors.start.unsqueeze(1) + offsets.to(priors.start)
    return starts.clamp(priors.lower.unsqueeze(1), priors.upper.unsqueeze(1)).flatten(0, 1)


def minimise(
    problem: Problem, t: Tensor, tolerance: float, group: NDArray[np.int64] | None = None, H: Array | None = None
) -> tuple[Tensor, Tensor, Array]:
    """Minimise every row within its bounds, by BFGS with backtracking (Nocedal and Wright 2006, chapter 6).

    Every pass evaluates all unfinished rows once: a row whose step is refused tries a shorter one in the next pass. What is small
    is kept in numpy, on the processor, where it costs least; only the evaluations live where the problem does.

    Args:
        problem: B rows.
        t: B x p starts within the bounds.
        tolerance: A row ends where by its inverse Hessian no more than this is to be gained.
        group: B, where given: a row that has come close to a better one of its group ends with an infinite value.
        H: B x p x p, what is known of the inverse Hessian there.

    Returns:
        Points (B x p), values (B) and inverse Hessians (B x p x p). A row that has no finite value at its start stays there.
    """
    device = t.device

    def evaluate(at: Array) -> tuple[Array, Array]:
        value, gradient = problem.evaluate(torch.from_numpy(at).to(device))
        return value.cpu().numpy(), gradient.cpu().numpy()

    x = t.cpu().numpy()
    lower, upper = problem.priors.lower.cpu().numpy(), problem.priors.upper.cpu().numpy()
    points, values = x.copy(), np.empty(len(x))
    rows = np.arange(len(x))
    identity = np.eye(x.shape[1])

    f, g = evaluate(x)
    fresh = np.full(len(x), H is None)
    if H is None:
        H = identity / np.maximum(_norm(g), 1.0)[:, None, None]
    inverse_hessians = H.copy()
    step, small = np.ones(len(x)), np.zeros(len(x))
    for _ in range(_MAX_EVALUATIONS):
        free = ~((x <= lower) & (g > 0) | (x >= upper) & (g < 0))
        gf = g * free
        towards = _times(H, gf)
        gain = 0.5 * _dot(gf, towards)
        near = ~fresh & (gain >= 0) & (gain < tolerance)
        beaten = np.zeros(len(x), bool) if group is None else _beaten(x, f, group)
        f[beaten] = np.inf
        done = (np.abs(gf).max(-1) < _GRADIENT_TOLERANCE) | (step < _SHORTEST_STEP) | (small >= 2) | ~np.isfinite(f) | near
        if done.any():
            points[rows[done]], values[rows[done]], inverse_hessians[rows[done]] = x[done], f[done], H[done]
            if done.all():
                return torch.from_numpy(points).to(device), torch.from_numpy(values).to(device), inverse_hessians
            keep = np.flatnonzero(~done)
            rows, free, fresh = rows[keep], free[keep], fresh[keep]
            x, f, g, gf, towards = (a[keep] for a in (x, f, g, gf, towards))
            H, step, small, lower, upper = (a[keep] for a in (H, step, small, lower, upper))
            group = None if group is None else group[keep]
            problem = problem.take(torch.from_numpy(keep).to(device))
        direction = -towards * free
        uphill = _dot(direction, gf) >= 0
        direction[uphill] = -gf[uphill]
        direction *= np.minimum(_LONGEST_STEP / np.abs(direction).max(-1), 1.0)[:, None]
        trial = np.clip(x + step[:, None] * direction, lower, upper)
        s = trial - x
        trial_f, trial_g = evaluate(trial)
        accepted = trial_f <= f + _SUFFICIENT_DECREASE * _dot(gf, s)

        y = (trial_g - g) * (s != 0)
        sy = _dot(s, y)
        update = accepted & (sy > 1e-10 * _norm(s) * _norm(y))
        first = update & fresh
        H[first] = (sy[first] / _dot(y[first], y[first]))[:, None, None] * identity
        H[update] = _bfgs_update(H[update], s[update], y[update], sy[update])
        H[uphill] = identity
        fresh &= ~update

        with np.errstate(invalid="ignore"):
            gained = f - trial_f > _DECREASE_TOLERANCE * (1.0 + np.abs(f))
        small = np.where(accepted & gained, 0.0, small + accepted)
        step = np.where(accepted, 1.0, 0.3 * step)
        x, g, f = np.where(accepted[:, None], trial, x), np.where(accepted[:, None], trial_g, g), np.where(accepted, trial_f, f)
    points[rows], values[rows], inverse_hessians[rows] = x, f, H
    return torch.from_numpy(points).to(device), torch.from_numpy(values).to(device), inverse_hessians


def _beaten(x: Array, f: Array, group: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say which rows (B) are close to a better one of the same group: both climb the same peak."""
    close = (group[:, None] == group) & (np.abs(x[:, None, :] - x).max(-1) < _SAME_PEAK)
    better = (f < f[:, None]) | ((f == f[:, None]) & (np.arange(len(f)) < np.arange(len(f))[:, None]))
    beaten: NDArray[np.bool_] = (close & better).any(-1)
    return beaten


def _dot(a: Array, b: Array) -> Array:
    """Products of the rows of B x p and B x p: B."""
    product: Array = np.einsum("bi,bi->b", a, b)
    return product


def _norm(a: Array) -> Array:
    """Lengths of the rows of B x p: B."""
    return np.sqrt(_dot(a, a))


def _times(H: Array, v: Array) -> Array:
    """Products of matrices (B x p x p) and vectors (B x p): B x p."""
    product: Array = (H @ v[:, :, None])[:, :, 0]
    return product


def _bfgs_update(H: Array, s: Array, y: Array, sy: Array) -> Array:
    """Inverse Hessian after the step s (B x p) that changed the gradient by y (B x p), with sy their product (B)."""
    rho = (1.0 / sy)[:, None, None]
    Hy = _times(H, y)
    cross = s[:, :, None] * Hy[:, None, :]
    curvature = _dot(y, Hy)[:, None, None]
    updated: Array = H - rho * (cross + cross.transpose(0, 2, 1)) + rho * (1.0 + rho * curvature) * s[:, :, None] * s[:, None, :]
    return updated
