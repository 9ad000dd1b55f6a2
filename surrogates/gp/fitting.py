"""Finds the most probable hyperparameters: BFGS on a batch of rows, each with its own step and its own end."""

from __future__ import annotations

import torch
from torch import Tensor

from surrogates.gp.likelihood import Problem

_MAX_EVALUATIONS = 120
_GRADIENT_TOLERANCE = 1e-4
_DECREASE_TOLERANCE = 1e-9
_SUFFICIENT_DECREASE = 1e-4
_LONGEST_STEP = 2.0  # log units, per hyperparameter
_SHORTEST_STEP = 1e-8
# Offsets of the starts from the prior: (lengthscales, noise variance), in log units.
_STARTS = ((0.0, 0.0), (-0.7, -2.0), (0.7, 2.0))
# From here on the data outweigh the prior and every evaluation is dear: only the best start of each member goes on.
_MANY = 150


def fit(problem: Problem) -> tuple[Tensor, Tensor]:
    """Most probable hyperparameters of every member from several cold starts.

    A cold start makes the result a function of the data alone, whatever was fitted before.

    Args:
        problem: One row per member (M).

    Returns:
        Hyperparameters (M x p) and their negative log posterior (M).
    """
    members, p = problem.priors.start.shape
    offsets = torch.zeros(len(_STARTS), p, dtype=torch.float64)
    for row, (lengthscale, noise) in enumerate(_STARTS):
        offsets[row, :-2] = lengthscale
        offsets[row, -2] = noise
    offsets = offsets.to(problem.X)
    rows = torch.arange(members, device=problem.X.device).repeat_interleave(len(_STARTS))
    batch = problem.take(rows)
    t = (problem.priors.start[rows] + offsets.repeat(members, 1)).clamp(batch.priors.lower, batch.priors.upper)
    if problem.X.shape[0] > _MANY:
        first = batch.evaluate(t)[0].view(members, -1).argmin(1)
        t = t.view(members, -1, p)[torch.arange(members, device=t.device), first]
        batch = problem
    t, value = minimise(batch, t)
    t, value = t.view(members, -1, p), value.view(members, -1)
    best = value.argmin(1)
    pick = torch.arange(members, device=t.device)
    return t[pick, best], value[pick, best]


def minimise(problem: Problem, t: Tensor) -> tuple[Tensor, Tensor]:
    """Minimise every row within its bounds, by BFGS with backtracking (Nocedal and Wright 2006, chapter 6).

    Every pass evaluates all unfinished rows once: a row whose step is refused tries a shorter one in the next pass.

    Args:
        problem: B rows.
        t: B x p starts within the bounds.

    Returns:
        Points (B x p) and values (B). A row that has no finite value at its start stays there.
    """
    points, values = t.clone(), torch.empty_like(t[:, 0])
    rows = torch.arange(t.shape[0], device=t.device)
    p = t.shape[1]
    identity = torch.eye(p, dtype=t.dtype, device=t.device)

    f, g = problem.evaluate(t)
    H = identity.expand(t.shape[0], p, p) / g.norm(dim=-1).clamp_min(1.0)[:, None, None]
    fresh = torch.ones_like(f, dtype=torch.bool)
    step = torch.ones_like(f)
    small = torch.zeros_like(f)
    for _ in range(_MAX_EVALUATIONS):
        free = ~((t <= problem.priors.lower) & (g > 0) | (t >= problem.priors.upper) & (g < 0))
        gf = g * free
        done = (gf.abs().amax(-1) < _GRADIENT_TOLERANCE) | (step < _SHORTEST_STEP) | (small >= 2) | ~torch.isfinite(f)
        if bool(done.any()):
            points[rows[done]], values[rows[done]] = t[done], f[done]
            keep = (~done).nonzero().squeeze(-1)
            rows, t, f, g, gf, free = rows[keep], t[keep], f[keep], g[keep], gf[keep], free[keep]
            H, fresh, step, small, problem = H[keep], fresh[keep], step[keep], small[keep], problem.take(keep)
            if rows.numel() == 0:
                return points, values
        direction = -(H @ gf.unsqueeze(-1)).squeeze(-1) * free
        uphill = (direction * gf).sum(-1) >= 0
        direction = torch.where(uphill.unsqueeze(-1), -gf, direction)
        direction = direction * (_LONGEST_STEP / direction.abs().amax(-1, keepdim=True)).clamp_max(1.0)
        trial = (t + step.unsqueeze(-1) * direction).clamp(problem.priors.lower, problem.priors.upper)
        s = trial - t
        trial_f, trial_g = problem.evaluate(trial)
        accepted = trial_f <= f + _SUFFICIENT_DECREASE * (gf * s).sum(-1)

        y = (trial_g - g) * (s != 0)
        sy = (s * y).sum(-1)
        update = accepted & (sy > 1e-10 * s.norm(dim=-1) * y.norm(dim=-1))
        scaling = (sy / y.square().sum(-1).clamp_min(1e-300))[:, None, None] * identity
        H = torch.where((update & fresh)[:, None, None], scaling, H)
        H = torch.where(update[:, None, None], _bfgs_update(H, s, y, sy), H)
        H = torch.where(uphill[:, None, None], identity, H)
        fresh = fresh & ~update

        gained = f - trial_f
        small = torch.where(accepted & (gained > _DECREASE_TOLERANCE * (1.0 + f.abs())), 0.0, small + accepted)
        step = torch.where(accepted, 1.0, 0.3 * step)
        t = torch.where(accepted.unsqueeze(-1), trial, t)
        g = torch.where(accepted.unsqueeze(-1), trial_g, g)
        f = torch.where(accepted, trial_f, f)
    points[rows], values[rows] = t, f
    return points, values


def _bfgs_update(H: Tensor, s: Tensor, y: Tensor, sy: Tensor) -> Tensor:
    """Inverse Hessian after the step s (B x p) that changed the gradient by y (B x p), with sy their product (B)."""
    rho = (1.0 / sy)[:, None, None]
    Hy = H @ y.unsqueeze(-1)
    s = s.unsqueeze(-1)
    cross = s @ Hy.transpose(-1, -2)
    curvature = y.unsqueeze(-2) @ Hy
    return H - rho * (cross + cross.transpose(-1, -2)) + rho * (1.0 + rho * curvature) * (s @ s.transpose(-1, -2))
