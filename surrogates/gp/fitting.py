"""Finds the most probable hyperparameters: Newton's method on a batch of rows, each with its own step and its own end."""

from __future__ import annotations

from collections.abc import Sequence
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
# What is still to be gained in log posterior, by the curvature (Boyd and Vandenberghe 2004, section 9.5).
_NEWTON_TOLERANCE = 0.05
_ROUGH_TOLERANCE = 0.3
_SUFFICIENT_DECREASE = 1e-4
_SAME_PEAK = 0.5  # log units: starts that come this close to each other go on as one
_LONGEST_STEP = 2.0  # log units, per hyperparameter
_SHORTEST_STEP = 1e-8
_SECANTS, _SHORT = 2, 0.25  # so many of the last steps, none longer than so many log units, mend the curvature
_CURVED = 1e-10
_RIDGE = 1e-9  # of a curvature with a unit diagonal
# Offsets of the starts from the prior: (lengthscales, noise variance), in log units. Both begin with little noise: from there
# the search finds that data are noisy, but a search that begins where everything is noise may stay there.
_STARTS = ((0.0, -2.0), (-0.7, -4.0))
# Of more observations so many, drawn at random, say first where to look: an evaluation costs the cube of their number.
_MANY = 64
# Then ever more of them, at most so many times as many, until all have a say: steps are taken where they cost least.
_GROWTH = 4
# Of more than so many, as many say what the hyperparameters are. Predictions rest on all of them.
_MOST = 500
_TOLD = ("mu", "precision", "linear", "exponential", "lower", "upper")  # of a prior


def fit(problem: Problem) -> tuple[Tensor, Tensor]:
    """Most probable hyperparameters of every member from several cold starts.

    A cold start makes the result a function of the data alone, whatever was fitted before.

    Args:
        problem: One row per member (M).

    Returns:
        Hyperparameters (M x p) and their negative log posterior (M).
    """
    # Members of one kernel stand together: their covariances are then slices of a batch, and nothing is copied.
    order = torch.argsort(problem.kernels.rbf.int(), stable=True)
    problem = problem.take(order)
    leader = _leaders(problem)
    leads = leader == torch.arange(len(leader), device=leader.device)
    stages = _stages(problem.U.shape[1])
    path, found = _lead(problem.take(leads), stages)
    t, value = torch.empty_like(problem.priors.start), torch.empty_like(problem.U[:, 0])
    t[leads], value[leads] = path[-1], found
    if not bool(leads.all()):
        place = (leads.cumsum(0) - 1)[leader[~leads]]
        t[~leads], value[~leads] = _follow(problem.take(~leads), [ends[place] for ends in path], stages)
    back = torch.argsort(order)
    return t[back], value[back]


def _leaders(problem: Problem) -> Tensor:
    """For each row (M) the first one of the same kernel and prior: they differ in how the output was transformed, if at all."""
    traits = torch.cat([getattr(problem.priors, name) for name in _TOLD], 1)
    alike = (traits[:, None] == traits).all(-1)
    return alike.int().argmax(1)


def _stages(n: int) -> list[int]:
    """How many of `n` observations have a say, one stage after the other."""
    stages, most = [min(n, _MANY)], min(n, _MOST)
    while _GROWTH * stages[-1] < most:
        stages.append(_GROWTH * stages[-1])
    return stages if stages[-1] == most else [*stages, most]


def _of(problem: Problem, k: int) -> Problem:
    """The same of `k` observations."""
    n = problem.U.shape[1]
    return problem.observed(_drawn(n, k).to(problem.X.device)) if k < n else problem


def _lead(problem: Problem, stages: Sequence[int]) -> tuple[list[Tensor], Tensor]:
    """Search from cold starts: hyperparameters (M x p) after each stage, and their negative log posterior (M) after the last."""
    members, n = problem.U.shape
    rows = torch.arange(members, device=problem.X.device).repeat_interleave(len(_STARTS))
    batch = problem.take(rows)
    once = len(stages) == 1
    t, value = minimise(_of(batch, stages[0]), _starts(problem.priors), _NEWTON_TOLERANCE if once else _ROUGH_TOLERANCE, rows.cpu().numpy())
    if not once:
        apart = torch.isfinite(value).view(members, -1)
        # Where one peak was found, there is no choice.
        asked = (apart & (apart.sum(1, keepdim=True) > 1)).flatten().nonzero().squeeze(-1)
        value = value.index_copy(0, asked, _of(batch.take(asked), min(n, _MOST)).value(t[asked])) if len(asked) else value
    value, best = value.view(members, -1).min(1)
    path = [t[best + len(_STARTS) * torch.arange(members, device=best.device)]]
    for k in stages[1:]:
        t, value = minimise(_of(problem, k), path[-1], _NEWTON_TOLERANCE if k == stages[-1] else _ROUGH_TOLERANCE)
        path.append(t)
    return path, value


def _follow(problem: Problem, path: Sequence[Tensor], stages: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Search from where others were found (M x p each, after each stage): hyperparameters (M x p), negative log posterior (M).

    What more observations taught the one in whose steps a row goes, they will teach the row, as long as the two are close.
    """
    t, value = path[0], torch.empty(0)
    for stage, k in enumerate(stages):
        if stage:
            near = (t - path[stage - 1]).abs().amax(1, keepdim=True) < _SAME_PEAK
            t = torch.where(near, t + path[stage] - path[stage - 1], t)
            t = t.clamp(problem.priors.lower, problem.priors.upper)
        t, value = minimise(_of(problem, k), t, _NEWTON_TOLERANCE if k == stages[-1] else _ROUGH_TOLERANCE)
    return t, value


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
    problem: Problem, t: Tensor, tolerance: float, group: NDArray[np.int64] | None = None
) -> tuple[Tensor, Tensor]:
    """Minimise every row within its bounds, by Newton's method with backtracking (Nocedal and Wright 2006, chapters 3 and 6).

    The curvature that comes with each evaluation is nearly the Hessian where the data are as the model says. Where they are not, it
    is off by a factor, along which steps would creep or swing; the last short steps put that right, each by a BFGS update. Every
    pass evaluates all unfinished rows once: a row whose step is refused tries a shorter one in the next pass. What is small is kept
    in numpy, on the processor, where it costs least; only the evaluations live where the problem does.

    Args:
        problem: B rows.
        t: B x p starts within the bounds.
        tolerance: A row ends where by its curvature no more than this is to be gained.
        group: B, where given: a row that has come close to a better one of its group ends with an infinite value.

    Returns:
        Points (B x p) and values (B). A row that has no finite value at its start stays there.
    """
    device = t.device

    def evaluate(at: Array) -> tuple[Array, Array, Array]:
        value, gradient, curvature = problem.evaluate(torch.from_numpy(at).to(device))
        return value.cpu().numpy(), gradient.cpu().numpy(), curvature.cpu().numpy()

    x = t.cpu().numpy()
    lower, upper = problem.priors.lower.cpu().numpy(), problem.priors.upper.cpu().numpy()
    points, values = x.copy(), np.empty(len(x))
    rows = np.arange(len(x))
    f, g, C = evaluate(x)
    step, small = np.ones(len(x)), np.zeros(len(x))
    secants: list[tuple[Array, Array]] = []
    for _ in range(_MAX_EVALUATIONS):
        free = ~((x <= lower) & (g > 0) | (x >= upper) & (g < 0))
        gf = g * free
        towards = _solve(_mended(C, secants), gf, free)
        gain = 0.5 * _dot(gf, towards)
        if group is not None:
            f[_beaten(x, f, group)] = np.inf
        settled = (gain < tolerance) | (np.abs(gf).max(-1) < _GRADIENT_TOLERANCE)
        done = settled | (step < _SHORTEST_STEP) | (small >= 2) | ~np.isfinite(f)
        if done.any():
            # The last step needs no look at where it leads: what it may miss is a part of the little that it gains.
            last = (settled & np.isfinite(f))[:, None] & (np.abs(towards) < _SHORT)
            ended = np.clip(np.where(last, x - towards, x), lower, upper)
            points[rows[done]], values[rows[done]] = ended[done], np.where(settled, f - gain, f)[done]
            if done.all():
                return torch.from_numpy(points).to(device), torch.from_numpy(values).to(device)
            keep = np.flatnonzero(~done)
            rows = rows[keep]
            x, f, g, C, gf, towards = (a[keep] for a in (x, f, g, C, gf, towards))
            step, small, lower, upper = (a[keep] for a in (step, small, lower, upper))
            secants = [(s[keep], y[keep]) for s, y in secants]
            group = None if group is None else group[keep]
            problem = problem.take(torch.from_numpy(keep).to(device))
        direction = -towards * np.minimum(_LONGEST_STEP / np.abs(towards).max(-1), 1.0)[:, None]
        trial = np.clip(x + step[:, None] * direction, lower, upper)
        s = trial - x
        trial_f, trial_g, trial_C = evaluate(trial)
        promised = _dot(gf, s)
        accepted = trial_f <= f + _SUFFICIENT_DECREASE * promised
        near = np.isfinite(trial_f) & (np.abs(s).max(-1) < _SHORT)
        secants = [*secants, (np.where(near[:, None], s, 0.0), (trial_g - g) * (s != 0))][-_SECANTS:]
        with np.errstate(invalid="ignore"):
            gained = f - trial_f > _DECREASE_TOLERANCE * (1.0 + np.abs(f))
        small = np.where(accepted & gained, 0.0, small + accepted)
        step = np.where(accepted, 1.0, step * _shorter(trial_f - f, promised))
        x, g, f = np.where(accepted[:, None], trial, x), np.where(accepted[:, None], trial_g, g), np.where(accepted, trial_f, f)
        C = np.where(accepted[:, None, None], trial_C, C)
    points[rows], values[rows] = x, f
    return torch.from_numpy(points).to(device), torch.from_numpy(values).to(device)


def _mended(C: Array, secants: Sequence[tuple[Array, Array]]) -> Array:
    """Curvatures (B x p x p) after BFGS updates by steps s and the changes y of the gradient along them (B x p each)."""
    for s, y in secants:
        Cs = _times(C, s)
        sCs, sy = _dot(s, Cs), _dot(s, y)
        told = sy > _CURVED * np.sqrt(_dot(s, s) * _dot(y, y))  # neither a step left out nor one that went along a ridge
        a, b = (np.where(told, 1.0 / np.where(told, by, 1.0), 0.0)[:, None, None] for by in (sCs, sy))
        C = C - a * Cs[:, :, None] * Cs[:, None, :] + b * y[:, :, None] * y[:, None, :]
    return C


def _solve(C: Array, g: Array, free: NDArray[np.bool_]) -> Array:
    """Newton steps (B x p) for gradients g (B x p) and curvatures C (B x p x p), in what is free (B x p)."""
    diagonal = np.einsum("bii->bi", C)
    scale = free / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    unit = C * scale[:, :, None] * scale[:, None, :]
    np.einsum("bii->bi", unit)[...] = np.where(free, 1.0 + _RIDGE, 1.0)
    step: Array = scale * np.linalg.solve(unit, (scale * g)[:, :, None])[:, :, 0]
    return step


def _shorter(rise: Array, promised: Array) -> Array:
    """Factors (B) on steps that were refused: the lowest point of the parabola through what was seen, within a half and a tenth."""
    with np.errstate(all="ignore"):
        lowest = -0.5 * promised / (rise - promised)
    return np.clip(np.nan_to_num(lowest, nan=0.1), 0.1, 0.5)


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


def _times(H: Array, v: Array) -> Array:
    """Products of matrices (B x p x p) and vectors (B x p): B x p."""
    product: Array = (H @ v[:, :, None])[:, :, 0]
    return product

