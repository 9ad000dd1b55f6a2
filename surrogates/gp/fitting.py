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


def fit(problem: Problem) -> tuple[Tensor, Tensor]:
    """Most probable hyperparameters of every member, the first of each prior from several cold starts.

    Cold starts make the result a function of the data alone, whatever was fitted before. Members of one prior differ by kernel and
    by how the output was transformed, and end near each other: those that follow begin where the one before them ended.

    Args:
        problem: One row per member (M).

    Returns:
        Hyperparameters (M x p) and their negative log posterior (M).
    """
    stages, itself = _stages(problem.U.shape[1]), torch.arange(len(problem.U), device=problem.X.device)
    # The first member with the same prior, and of these the first with the same kernel, which is nearer still.
    first = _first_alike(problem.priors.terms)
    nearer = _first_alike([problem.kernels.rbf.double()[:, None], *problem.priors.terms])
    path, value = [torch.empty_like(problem.priors.start) for _ in stages], torch.empty_like(problem.U[:, 0])
    for chosen, guide in ((first == itself, None), ((nearer == itself) & (first != itself), first), (nearer != itself, nearer)):
        if bool(chosen.any()):
            rows = chosen.nonzero().squeeze(-1)
            some = problem.take(rows)
            if guide is None:
                ends, value[rows] = _search(some, _starts(some.priors), stages)
            else:
                ends, value[rows] = _follow(some, [t[guide[rows]] for t in path], stages)
            for t, end in zip(path, ends, strict=True):
                t[rows] = end
    return path[-1], value


def _first_alike(traits: Sequence[Tensor]) -> Tensor:
    """For each row of what is told (M x ... each), the first row of which the same is told."""
    told = torch.cat(list(traits), 1)
    return (told[:, None] == told).all(-1).int().argmax(1)


def _stages(n: int) -> list[int]:
    """How many of `n` observations have a say, one stage after the other."""
    stages, most = [min(n, _MANY)], min(n, _MOST)
    while _GROWTH * stages[-1] < most:
        stages.append(_GROWTH * stages[-1])
    return stages if stages[-1] == most else [*stages, most]


def _tolerance(stage: int, stages: Sequence[int]) -> float:
    return _NEWTON_TOLERANCE if stage == len(stages) - 1 else _ROUGH_TOLERANCE


def _of(problem: Problem, k: int) -> Problem:
    """The same of `k` observations."""
    n = problem.U.shape[1]
    return problem.observed(_drawn(n, k).to(problem.X.device)) if k < n else problem


def _search(problem: Problem, starts: Tensor, stages: Sequence[int]) -> tuple[list[Tensor], Tensor]:
    """Search from starts (M x s x p): hyperparameters (M x p) after each stage, negative log posterior (M) after the last."""
    members, n = problem.U.shape
    rows = torch.arange(members, device=problem.X.device).repeat_interleave(starts.shape[1])
    batch = problem.take(rows)
    t, value = minimise(_of(batch, stages[0]), starts.flatten(0, 1), _tolerance(0, stages), rows.cpu().numpy())
    if len(stages) > 1:
        apart = torch.isfinite(value).view(members, -1)
        # Where one peak was found, there is no choice.
        asked = (apart & (apart.sum(1, keepdim=True) > 1)).flatten().nonzero().squeeze(-1)
        value = value.index_copy(0, asked, _of(batch.take(asked), min(n, _MOST)).value(t[asked])) if len(asked) else value
    value, best = value.view(members, -1).min(1)
    path = [t[best + starts.shape[1] * torch.arange(members, device=best.device)]]
    for stage, k in enumerate(stages[1:], 1):
        t, value = minimise(_of(problem, k), path[-1], _tolerance(stage, stages))
        path.append(t)
    return path, value


def _follow(problem: Problem, guides: Sequence[Tensor], stages: Sequence[int]) -> tuple[list[Tensor], Tensor]:
    """The same, but in the steps of others (M x p each, where they stood after each stage).

    What more observations taught the others they will teach the rows too, as long as the two are close.
    """
    starts = guides[0].clamp(problem.priors.lower, problem.priors.upper).unsqueeze(1)
    if len(stages) == 1:  # few observations leave several peaks, and are quickly looked at
        starts = torch.cat([starts, _starts(problem.priors)[:, -1:]], 1)
    path, value = _search(problem, starts, stages[:1])
    t = path[0]
    for stage, k in enumerate(stages[1:], 1):
        before, after = guides[stage - 1 : stage + 1]
        near = (t - before).abs().amax(1, keepdim=True) < _SAME_PEAK
        t = torch.where(near, t + after - before, t).clamp(problem.priors.lower, problem.priors.upper)
        t, value = minimise(_of(problem, k), t, _tolerance(stage, stages))
        path.append(t)
    return path, value


def _drawn(n: int, k: int) -> Tensor:
    """Positions of `k` of `n` observations, drawn at random, in order; of fewer, the first of those of more."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(n))[:k].sort().values


def _starts(priors: Priors) -> Tensor:
    """Cold starts of every member: M x starts x p."""
    offsets = torch.zeros(len(_STARTS), priors.start.shape[1], dtype=torch.float64)
    for row, (lengthscale, noise) in enumerate(_STARTS):
        offsets[row, :-2] = lengthscale
        offsets[row, -2] = noise
    starts = priors.start.unsqueeze(1) + offsets.to(priors.start)
    return starts.clamp(priors.lower.unsqueeze(1), priors.upper.unsqueeze(1))


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
    x = t.cpu().numpy()
    lower, upper = problem.priors.lower.cpu().numpy(), problem.priors.upper.cpu().numpy()
    points, values = x.copy(), np.empty(len(x))
    rows = np.arange(len(x))
    f, g, C = problem.evaluate_rows(x, rows)
    step, small = np.ones(len(x)), np.zeros(len(x))
    secants: list[tuple[Array, Array]] = []
    for _ in range(_MAX_EVALUATIONS):
        free = ~((x <= lower) & (g > 0) | (x >= upper) & (g < 0))
        gf = g * free
        towards = _solve(_mended(C, secants), gf, free)
        gain = 0.5 * np.vecdot(gf, towards)
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
        direction = -towards * np.minimum(_LONGEST_STEP / np.abs(towards).max(-1), 1.0)[:, None]
        trial = np.clip(x + step[:, None] * direction, lower, upper)
        s = trial - x
        trial_f, trial_g, trial_C = problem.evaluate_rows(trial, rows)
        promised = np.vecdot(gf, s)
        accepted = trial_f <= f + _SUFFICIENT_DECREASE * promised
        near = np.isfinite(trial_f) & (np.abs(s).max(-1) < _SHORT)
        secants = [*secants, (np.where(near[:, None], s, 0.0), (trial_g - g) * (s != 0))][-_SECANTS:]
        with np.errstate(invalid="ignore"):
            gained = f - trial_f > _DECREASE_TOLERANCE * (1.0 + np.abs(f))
        small = np.where(accepted & gained, 0.0, small + accepted)
        if accepted.all():
            step, x, g, f, C = np.ones(len(x)), trial, trial_g, trial_f, trial_C
            continue
        step = np.where(accepted, 1.0, step * _shorter(trial_f - f, promised))
        x, g, f = np.where(accepted[:, None], trial, x), np.where(accepted[:, None], trial_g, g), np.where(accepted, trial_f, f)
        C = np.where(accepted[:, None, None], trial_C, C)
    points[rows], values[rows] = x, f
    return torch.from_numpy(points).to(device), torch.from_numpy(values).to(device)


def _mended(C: Array, secants: Sequence[tuple[Array, Array]]) -> Array:
    """Curvatures (B x p x p) after BFGS updates by steps s and the changes y of the gradient along them (B x p each)."""
    for s, y in secants:
        Cs = np.matvec(C, s)
        sCs, sy = np.vecdot(s, Cs), np.vecdot(s, y)
        told = sy > _CURVED * np.sqrt(np.vecdot(s, s) * np.vecdot(y, y))  # neither a step left out nor one that went along a ridge
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
