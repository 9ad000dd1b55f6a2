"""Finds the most probable hyperparameters: BFGS on a batch of rows, each with its own step and its own end."""

from __future__ import annotations

import torch
from torch import Tensor

from surrogates.gp.likelihood import Problem
from surrogates.gp.priors import Priors

_MAX_EVALUATIONS = 120
_GRADIENT_TOLERANCE = 1e-4
_DECREASE_TOLERANCE = 1e-9
# What is still to be gained in log posterior, by the inverse Hessian (Boyd and Vandenberghe 2004, section 9.5).
_NEWTON_TOLERANCE = 1e-3
_ROUGH_TOLERANCE = 0.03
_SUFFICIENT_DECREASE = 1e-4
_LONGEST_STEP = 2.0  # log units, per hyperparameter
_SHORTEST_STEP = 1e-8
# Offsets of the starts from the prior: (lengthscales, noise variance), in log units.
_STARTS = ((0.0, 0.0), (-0.7, -2.0), (0.7, 2.0))
# Of more observations so many, drawn at random, say first where to look: an evaluation costs the cube of their number.
_MANY = 64


def fit(problem: Problem) -> tuple[Tensor, Tensor]:
    """Most probable hyperparameters of every member from several cold starts.

    A cold start makes the result a function of the data alone, whatever was fitted before.

    Args:
        problem: One row per member (M).

    Returns:
        Hyperparameters (M x p) and their negative log posterior (M).
    """
    members, n = problem.U.shape
    rows = torch.arange(members, device=problem.X.device).repeat_interleave(len(_STARTS))
    t, batch = _starts(problem.priors), problem.take(rows)
    if n <= _MANY:
        t, value, H = minimise(batch, t, _NEWTON_TOLERANCE)
    else:
        some = torch.randperm(n, generator=torch.Generator().manual_seed(n))[:_MANY].sort().values.to(problem.X.device)
        t, _, H = minimise(batch.observed(some), t, _ROUGH_TOLERANCE)
        value = batch.value(t)
    best = value.view(members, -1).argmin(1) + len(_STARTS) * torch.arange(members, device=t.device)
    t, value, H = t[best], value[best], H[best]
    if n > _MANY:
        # What the data say curves the posterior in proportion to their number.
        t, value, _ = minimise(problem, t, _NEWTON_TOLERANCE, H * (_MANY / n))
    return t, value


def _starts(priors: Priors) -> Tensor:
    """Starts of every member, one after the other: (M * starts) x p."""
    offsets = torch.zeros(len(_STARTS), priors.start.shape[1], dtype=torch.float64)
    for row, (lengthscale, noise) in enumerate(_STARTS):
        offsets[row, :-2] = lengthscale
        offsets[row, -2] = noise
    starts = priors.start.unsqueeze(1) + offsets.to(priors.start)
    return starts.clamp(priors.lower.unsqueeze(1), priors.upper.unsqueeze(1)).flatten(0, 1)


def minimise(
    problem: Problem, t: Tensor, tolerance: float, H: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Minimise every row within its bounds, by BFGS with backtracking (Nocedal and Wright 2006, chapter 6).

    Every pass evaluates all unfinished rows once: a row whose step is refused tries a shorter one in the next pass.

    Args:
        problem: B rows.
        t: B x p starts within the bounds.
        tolerance: A row ends where by its inverse Hessian no more than this is to be gained.
        H: B x p x p, what is known of the inverse Hessian there.

    Returns:
        Points (B x p), values (B) and inverse Hessians (B x p x p). A row that has no finite value at its start stays there.
    """
    points, values = t.clone(), torch.empty_like(t[:, 0])
    rows = torch.arange(t.shape[0], device=t.device)
    p = t.shape[1]
    identity = torch.eye(p, dtype=t.dtype, device=t.device)

    f, g = problem.evaluate(t)
    fresh = torch.full_like(f, H is None, dtype=torch.bool)
    if H is None:
        H = identity.expand(t.shape[0], p, p) / g.norm(dim=-1).clamp_min(1.0)[:, None, None]
    inverse_hessians = H.clone()
    step = torch.ones_like(f)
    small = torch.zeros_like(f)
    for _ in range(_MAX_EVALUATIONS):
        free = ~((t <= problem.priors.lower) & (g > 0) | (t >= problem.priors.upper) & (g < 0))
        gf = g * free
        gain = 0.5 * (gf * (H @ gf.unsqueeze(-1)).squeeze(-1)).sum(-1)
        near = ~fresh & (gain >= 0) & (gain < tolerance)
        done = (gf.abs().amax(-1) < _GRADIENT_TOLERANCE) | (step < _SHORTEST_STEP) | (small >= 2) | ~torch.isfinite(f) | near
        if bool(done.any()):
            points[rows[done]], values[rows[done]], inverse_hessians[rows[done]] = t[done], f[done], H[done]
            keep = (~done).nonzero().squeeze(-1)
            rows, t, f, g, gf, free = rows[keep], t[keep], f[keep], g[keep], gf[keep], free[keep]
            H, fresh, step, small, problem = H[keep], fresh[keep], step[keep], small[keep], problem.take(keep)
            if rows.numel() == 0:
                return points, values, inverse_hessians
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
    points[rows], values[rows], inverse_hessians[rows] = t, f, H
    return points, values, inverse_hessians


def _bfgs_update(H: Tensor, s: Tensor, y: Tensor, sy: Tensor) -> Tensor:
    """Inverse Hessian after the step s (B x p) that changed the gradient by y (B x p), with sy their product (B)."""
    rho = (1.0 / sy)[:, None, None]
    Hy = H @ y.unsqueeze(-1)
    s = s.unsqueeze(-1)
    cross = s @ Hy.transpose(-1, -2)
    curvature = y.unsqueeze(-2) @ Hy
    return H - rho * (cross + cross.transpose(-1, -2)) + rho * (1.0 + rho * curvature) * (s @ s.transpose(-1, -2))
