"""Random settings of any space: those of `sampling` where constraints are linear, and beyond that by trying, walking and mending.

Rules are met by trying settings that meet everything else. Where few of them do, the ones found are walked from, by steps
that stay within (hit-and-run in intervals that shrink, as in slice sampling: Neal 2003). Where none does, those that come
closest are mended first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import LinearConstraint, minimize

from controller.design import sampling
from controller.encoding.space import Array, Polytope, SearchSpace
from controller.errors import SpaceExhaustedError

_Penalty: TypeAlias = Callable[[Array], Array]

_SIZES = (1024, 4096, 16384)
# Where equalities must be met at the same time, a try costs linear programs.
_FEWER = (256, 512, 1024)
_SUPPORTS = 12
_SWEEPS = 24
_SHRINKS = 12
_MENDED = 24
_TURNS = 4
# Aimed at beyond the edge when mending, as a share of the usual size of what a rule compares.
_MARGIN = 1e-6


def draw(space: SearchSpace, n: int, seed: int) -> Array:
    """Return up to `n` allowed settings as coordinates (n x p), the same for the same seed.

    Raises:
        SpaceExhaustedError: If none was found that satisfies the constraints; the message says how many were tried.
    """
    if not space.ruled:
        return sampling.draw(space, n, seed)
    rng = np.random.default_rng([seed, len(space.problem.rules)])
    found, missed, tried = np.zeros((0, space.p)), np.zeros((0, space.p)), 0
    for size in _SIZES if not len(space.polytope.f) else _FEWER:
        raw = _raw(space, max(n, size), rng)
        good = space.allows(raw)
        found, missed = np.vstack([found, raw[good]]), raw[~good]
        tried += len(raw)
        if len(found) >= n:
            return found[:n]
    if not len(found) and len(missed):
        found = _mended(space, missed, rng)
    if not len(found):
        raise SpaceExhaustedError(
            f"no setting was found that satisfies all constraints, among {tried:,} tried and the {_MENDED} of them that came "
            f"closest, moved closer: {'; '.join(space.problem.constraints)}; loosen one of them or widen the bounds"
        )
    return _walked(space, found, n, rng)


def counted(space: SearchSpace) -> NDArray[np.bool_]:
    """Say of which parameters a rule limits how many are not zero (p)."""
    names = {name for rule in space.problem.rules if rule.cardinality is not None for name in rule.cardinality.names}
    return np.array([axis.name in names for axis in space.axes])


def _raw(space: SearchSpace, n: int, rng: np.random.Generator) -> Array:
    """Return about `n` settings that meet linear constraints and limits on how many parameters are not zero."""
    if not counted(space).any():
        return space.settle(sampling.draw(space, n, int(rng.integers(2**62))))
    parts = []
    for _ in range(_SUPPORTS):
        absent = _absent(space, rng)
        fixed = absent & space.polytope.involved
        zero = np.array([axis.coordinate(0) if out else 0.0 for axis, out in zip(space.axes, absent, strict=True)])
        confined = _confined(space, fixed, zero) if fixed.any() else space
        try:
            z = sampling.draw(confined, -(-n // _SUPPORTS), int(rng.integers(2**62)))
        except SpaceExhaustedError:
            continue
        parts.append(np.where(absent, zero, z))
    return space.settle(np.vstack(parts) if parts else np.zeros((0, space.p)))


def _confined(space: SearchSpace, fixed: NDArray[np.bool_], zero: Array) -> SearchSpace:
    """Return the part of the space in which some coordinates are `zero`."""
    polytope = space.polytope
    E, f = np.vstack([polytope.E, np.eye(space.p)[fixed]]), np.concatenate([polytope.f, zero[fixed]])
    return replace(space, polytope=Polytope(polytope.A, polytope.b, E, f))


def _absent(space: SearchSpace, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Choose parameters to be zero, so that limits on how many are not are met (p).

    Raises:
        SpaceExhaustedError: If the limits contradict each other.
    """
    limits = [rule.cardinality for rule in space.problem.rules if rule.cardinality is not None]
    among = sorted({name for limit in limits for name in limit.names})
    for _ in range(64):
        present = set(among)
        for i in rng.permutation(len(limits)):
            here = [name for name in limits[i].names if name in present]
            high = min(limits[i].high, len(here))
            keep = int(rng.integers(min(limits[i].low, high), high + 1)) if rng.random() < 0.5 else high
            present -= set(here) - set(rng.permutation(here)[:keep].tolist())
        if all(limit.low <= sum(name in present for name in limit.names) <= limit.high for limit in limits):
            break
    else:
        raise SpaceExhaustedError("the limits on how many parameters are not zero contradict each other")
    return np.array([axis.name in among and axis.name not in present for axis in space.axes])


def _walked(space: SearchSpace, found: Array, n: int, rng: np.random.Generator) -> Array:
    """Return `found` and random walks from them, `n` rows in all."""
    z = found[rng.integers(len(found), size=n)].copy()
    free = space.continuous
    basis = _directions(space)
    zeros = np.flatnonzero(counted(space))
    levelled = np.flatnonzero(~free)
    for _ in range(_SWEEPS):
        if len(levelled):
            moved = z.copy()
            column = rng.choice(levelled, n)
            for i, j in enumerate(column):
                levels = space.axes[j].levels
                moved[i, j] = moved[i, j] if levels is None else rng.choice(levels)
            z = _where_allowed(space, moved, z)
        if len(zeros) > 1:
            here, there = rng.choice(zeros, n), rng.choice(zeros, n)
            moved, rows = z.copy(), np.arange(n)
            moved[rows, here], moved[rows, there] = z[rows, there], z[rows, here]
            z = _where_allowed(space, moved, z)
        if basis.shape[1]:
            z = _step(space, z, rng.standard_normal((n, basis.shape[1])) @ basis.T, zeros, rng)
    z = np.vstack([found, z[len(found) :]])
    return z[space.allows(z, 1e-6)]


def _directions(space: SearchSpace) -> Array:
    """Return a basis (p x r) of the directions in which continuous coordinates keep every equality."""
    free = np.flatnonzero(space.continuous)
    inner = sampling.null_space(space.polytope.E[:, free], len(free))
    basis = np.zeros((space.p, inner.shape[1]))
    basis[free] = inner
    return basis


def _step(space: SearchSpace, z: Array, direction: Array, zeros: NDArray[np.int64], rng: np.random.Generator) -> Array:
    """Move each row a random way along its direction, so far as the constraints let it."""
    direction = np.where((z == 0.0) & np.isin(np.arange(space.p), zeros), 0.0, direction)
    if len(space.polytope.f):  # what is held at zero must not be made up for outside the equalities
        held = np.abs(direction @ space.polytope.E.T).max(1) > 1e-9
        direction[held] = 0.0
    length = np.linalg.norm(direction, axis=1, keepdims=True)
    direction = direction / np.where(length > 0, length, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.stack([(1.0 - z) / direction, -z / direction])
    ends = np.where(np.abs(direction) > 1e-12, ends, np.array([np.inf, -np.inf])[:, None, None])
    forward, backward = ends.max(0).min(1), ends.min(0).max(1)
    forward, backward = (np.where(np.isfinite(e), e, 0.0) for e in (forward, backward))
    settled, waiting = z.copy(), np.ones(len(z), bool)
    for _ in range(_SHRINKS):
        reach = backward + rng.random(len(z)) * (forward - backward)
        moved = np.clip(z + reach[:, None] * direction, 0.0, 1.0) * space.continuous + z * ~space.continuous
        moved = space.settle(moved)
        good = waiting & space.allows(moved)
        settled[good] = moved[good]
        waiting &= ~good
        forward, backward = np.where(reach > 0, reach, forward), np.where(reach < 0, reach, backward)
        if not waiting.any():
            break
    return settled


def _where_allowed(space: SearchSpace, moved: Array, z: Array) -> Array:
    moved = space.settle(moved)
    return np.where(space.allows(moved)[:, None], moved, z)


def _mended(space: SearchSpace, missed: Array, rng: np.random.Generator) -> Array:
    """Return settings that satisfy the constraints, from those that miss them by the least; empty where that fails."""
    excess = space.excess(missed)
    size = np.nanmedian(np.where(np.isfinite(excess), np.abs(excess), np.nan), axis=0)
    size = np.where(np.isfinite(size) & (size > 0), size, 1.0)

    def penalty(z: Array) -> Array:
        over = np.maximum(space.excess(z) / size + _MARGIN, 0.0)
        return np.asarray(np.where(np.isfinite(over), over, 1e6).sum(1), dtype=np.float64)

    order = np.argsort(penalty(missed), kind="stable")
    starts = missed[order[:_MENDED]]
    found = []
    for start in starts:
        row = start.copy()
        for _ in range(_TURNS):
            row = _slide(space, row, penalty)
            row = _other_levels(space, row, penalty, rng)
            if space.allows(row[None, :])[0]:
                found.append(row)
                break
    return np.array(found).reshape(-1, space.p)


def _slide(space: SearchSpace, row: Array, penalty: _Penalty) -> Array:
    """Move the continuous coordinates of a row towards less of a penalty."""
    free = np.flatnonzero(space.continuous)
    if not len(free):
        return row
    held = counted(space)[free] & (row[free] == 0.0)
    polytope, fixed = space.polytope, np.where(space.continuous, 0.0, row)
    constraints = []
    if len(polytope.b):
        constraints.append(LinearConstraint(polytope.A[:, free], -np.inf, polytope.b - polytope.A @ fixed))
    if len(polytope.f):
        exact = polytope.f - polytope.E @ fixed
        constraints.append(LinearConstraint(polytope.E[:, free], exact, exact))

    def at(x: Array) -> float:
        moved = row.copy()
        moved[free] = np.clip(x, 0.0, 1.0)
        return float(penalty(moved[None, :])[0] ** 2)

    result = minimize(
        at, row[free], method="SLSQP", bounds=[(0.0, 0.0 if h else 1.0) for h in held], constraints=constraints,
        options={"maxiter": 60, "ftol": 1e-16},
    )  # fmt: skip
    moved = row.copy()
    moved[free] = np.clip(result.x, 0.0, 1.0)
    moved = space.settle(moved[None, :])[0]
    better = penalty(moved[None, :])[0] < penalty(row[None, :])[0] and polytope.allows(moved[None, :], 1e-6)[0]
    return moved if better else row


def _other_levels(space: SearchSpace, row: Array, penalty: _Penalty, rng: np.random.Generator) -> Array:
    """Change one levelled coordinate after the other to the level with the least penalty."""
    for j in rng.permutation(np.flatnonzero(~space.continuous)):
        levels = space.axes[j].levels
        if levels is None:
            continue
        tried = np.tile(row, (len(levels), 1))
        tried[:, j] = levels
        tried = space.settle(tried)
        tried = tried[space.polytope.allows(tried)]
        if len(tried):
            best = tried[penalty(tried).argmin()]
            row = best if penalty(best[None, :])[0] < penalty(row[None, :])[0] else row
    return row
