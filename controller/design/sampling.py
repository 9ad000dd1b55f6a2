"""Random settings that satisfy every constraint: Sobol points, and random walks inside the polytope where there is one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.stats import qmc

from controller.encoding.space import Array, Polytope, SearchSpace
from controller.errors import SpaceExhaustedError

# Sobol points tried before walking; where fewer than enough survive the constraints, the polytope is thin.
_TRIES = 4096
_NEGLIGIBLE = 1e-9
_SLACK = 1e-9
# Assignments of levels tried per sample before the constraints are held for unsatisfiable.
_DEAD_ENDS = 200
# Walks that share one assignment of levels: each assignment costs linear programs, each walk nearly nothing.
_SHARE = 8


def sobol(p: int, n: int, seed: int) -> Array:
    """Return `n` scrambled Sobol points in the unit cube of `p` dimensions; a longer sequence begins like a shorter one."""
    engine = qmc.Sobol(p, scramble=True, rng=np.random.default_rng(seed))
    points: Array = engine.random_base2(max(0, (n - 1).bit_length()))
    return points[:n]


def to_axes(space: SearchSpace, cube: Array) -> Array:
    """Return coordinates for points of the unit cube (n x p): even over ranges and over levels."""
    z = cube.copy()
    for j, axis in enumerate(space.axes):
        if axis.levels is not None:
            index = np.minimum((cube[:, j] * len(axis.levels)).astype(int), len(axis.levels) - 1)
            z[:, j] = axis.levels[index]
    return z


def draw(space: SearchSpace, n: int, seed: int) -> Array:
    """Return up to `n` allowed settings as coordinates (n x p), the same for the same seed.

    Raises:
        SpaceExhaustedError: If no setting satisfies the constraints.
    """
    polytope = space.polytope
    if polytope.empty:
        return to_axes(space, sobol(space.p, n, seed))
    if not len(polytope.f):
        tried = to_axes(space, sobol(space.p, max(n, _TRIES), seed))
        allowed = tried[polytope.allows(tried)]
        if len(allowed) >= n:
            return allowed[:n]
    return _walk(space, n, seed)


def _walk(space: SearchSpace, n: int, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    z = to_axes(space, sobol(space.p, n, seed))
    involved = space.polytope.involved
    free, levelled = involved & space.continuous, np.flatnonzero(involved & ~space.continuous)
    share = _SHARE if len(levelled) else n
    for start in range(0, n, share):
        block = slice(start, min(start + share, n))
        rows = z[block]
        if len(levelled):
            rows[:, levelled] = _assign(space, rows[0], levelled, rng)
        if free.any():
            rows[:, free] = Slice.of(space.polytope, free, rows[0]).walk(len(rows), rng)
        z[block] = rows
    return z[space.polytope.allows(z, 1e-6)]


def _assign(space: SearchSpace, row: Array, levelled: NDArray[np.int64], rng: np.random.Generator) -> Array:
    """Choose levels one coordinate after the other, each so that the rest can still satisfy the constraints.

    Raises:
        SpaceExhaustedError: If none were found.
    """
    polytope = space.polytope
    for attempt in range(_DEAD_ENDS):
        fixed = np.where(polytope.involved, np.nan, row)
        for j in rng.permutation(levelled):
            levels = space.axes[j].levels
            possible = np.zeros(0) if levels is None else levels[_within_reach(polytope, fixed, j, levels)]
            if not len(possible):
                break
            fixed[j] = rng.choice(possible)
            # Looking at one constraint at a time is quick and mostly enough; where several pull against each other, a
            # linear program sees dead ends before they are reached.
            if attempt >= _DEAD_ENDS // 4 and not _feasible(polytope, fixed):
                break
        else:
            if _feasible(polytope, fixed):
                return np.asarray(fixed[levelled], dtype=np.float64)
    raise SpaceExhaustedError(
        "no setting was found that satisfies all constraints: "
        + "; ".join(space.problem.constraints)
        + "; loosen one of them"
    )


def _within_reach(polytope: Polytope, fixed: Array, j: int, levels: Array) -> NDArray[np.bool_]:
    """Say which levels of coordinate `j` leave each constraint, taken alone, satisfiable; nan marks what is still open."""
    still_open = np.isnan(fixed)
    still_open[j] = False
    known = np.where(still_open, 0.0, fixed)
    known[j] = 0.0
    possible = np.ones(len(levels), bool)
    for matrix, bound, equal in ((polytope.A, polytope.b, False), (polytope.E, polytope.f, True)):
        if not len(bound):
            continue
        rest = matrix[:, still_open]
        left = (matrix @ known)[:, None] + matrix[:, j : j + 1] * levels
        possible &= (left + np.minimum(rest, 0.0).sum(1)[:, None] <= bound[:, None] + _SLACK).all(0)
        if equal:
            possible &= (left + np.maximum(rest, 0.0).sum(1)[:, None] >= bound[:, None] - _SLACK).all(0)
    return possible


def _feasible(polytope: Polytope, fixed: Array) -> bool:
    """Whether the coordinates that are nan can be chosen within 0 and 1, their levels set aside."""
    still_open = np.isnan(fixed)
    if not still_open.any():
        return bool(polytope.allows(fixed[None, :])[0])
    known = np.where(still_open, 0.0, fixed)
    result = linprog(
        np.zeros(int(still_open.sum())),
        A_ub=polytope.A[:, still_open] if len(polytope.b) else None,
        b_ub=polytope.b - polytope.A @ known if len(polytope.b) else None,
        A_eq=polytope.E[:, still_open] if len(polytope.f) else None,
        b_eq=polytope.f - polytope.E @ known if len(polytope.f) else None,
        bounds=(0.0, 1.0),
        method="highs",
    )
    return bool(result.success)


@dataclass(frozen=True)
class Slice:
    """The polytope of some coordinates, the others being fixed: `{x + basis y : G (x + basis y) <= h}`.

    Attributes:
        centre: k, a point well inside.
        basis: k x r, orthonormal directions in which one can move.
        G, h: Inequalities on the k coordinates, bounds included.
    """

    centre: Array
    basis: Array
    G: Array
    h: Array

    @classmethod
    def of(cls, polytope: Polytope, free: NDArray[np.bool_], point: Array) -> Slice:
        """Return the slice in which the coordinates where `free` is true (p) may move, the others staying at `point` (p).

        Raises:
            SpaceExhaustedError: If it is empty.
        """
        k = int(free.sum())
        rest = np.where(free, 0.0, point)
        G = np.vstack([polytope.A[:, free], np.eye(k), -np.eye(k)])
        h = np.concatenate([polytope.b - polytope.A @ rest, np.ones(k), np.zeros(k)])
        E, f = polytope.E[:, free], polytope.f - polytope.E @ rest
        while True:
            centre, radius = _centre(G, h, E, f)
            if radius > _NEGLIGIBLE:
                return cls(centre, null_space(E, k), G, h)
            # Some inequalities can only hold with equality: they narrow the directions, and the rest may be wide.
            tight = _always_tight(G, h, E, f, centre)
            if not tight.any():
                return cls(centre, np.zeros((k, 0)), G, h)
            E, f = np.vstack([E, G[tight]]), np.concatenate([f, h[tight]])
            G, h = G[~tight], h[~tight]

    def walk(self, n: int, rng: np.random.Generator) -> Array:
        """Return `n` points (n x k), nearly uniform: independent hit-and-run walks from the centre (Smith 1984)."""
        r = self.basis.shape[1]
        x = np.tile(self.centre, (n, 1))
        if r == 0:
            return x
        for _ in range(20 + 10 * r):
            direction = rng.standard_normal((n, r)) @ self.basis.T
            direction /= np.linalg.norm(direction, axis=1, keepdims=True)
            speed = direction @ self.G.T
            room = np.maximum(self.h - x @ self.G.T, 0.0)
            with np.errstate(divide="ignore", invalid="ignore"):
                reach = room / speed
            forward = np.where(speed > _NEGLIGIBLE, reach, np.inf).min(1)
            backward = np.where(speed < -_NEGLIGIBLE, reach, -np.inf).max(1)
            step = backward + rng.random(n) * (forward - backward)
            x += step[:, None] * direction
        return np.clip(x, 0.0, 1.0)


def _centre(G: Array, h: Array, E: Array, f: Array) -> tuple[Array, float]:
    """Return the centre and radius of the largest ball within the slice (Chebyshev centre).

    Raises:
        SpaceExhaustedError: If the slice is empty.
    """
    k = G.shape[1]
    basis = null_space(E, k)
    sizes = np.linalg.norm(G @ basis, axis=1)
    result = linprog(
        np.append(np.zeros(k), -1.0),
        A_ub=np.column_stack([G, sizes]),
        b_ub=h,
        A_eq=np.column_stack([E, np.zeros(len(E))]) if len(E) else None,
        b_eq=f if len(E) else None,
        bounds=[(0.0, 1.0)] * k + [(0.0, 1.0)],
        method="highs",
    )
    if not result.success:
        raise SpaceExhaustedError("no setting satisfies all constraints; loosen one of them")
    return np.asarray(result.x[:k], dtype=np.float64), float(result.x[k]) if basis.shape[1] else 0.0


def null_space(E: Array, k: int) -> Array:
    """Return an orthonormal basis (k x r) of the directions in which `E z` does not change."""
    if not len(E):
        return np.eye(k)
    _, sizes, right = np.linalg.svd(E)
    rank = int((sizes > _NEGLIGIBLE).sum())
    return np.asarray(right[rank:].T, dtype=np.float64)


def _always_tight(G: Array, h: Array, E: Array, f: Array, centre: Array) -> NDArray[np.bool_]:
    """Say which inequalities leave no room anywhere in the slice, although some direction is left to move in."""
    tight = np.zeros(len(h), bool)
    if not null_space(E, G.shape[1]).shape[1]:
        return tight
    for i in np.flatnonzero(h - G @ centre < 1e-7):
        result = linprog(
            G[i],
            A_ub=G,
            b_ub=h,
            A_eq=E if len(E) else None,
            b_eq=f if len(E) else None,
            bounds=(0.0, 1.0),
            method="highs",
        )
        tight[i] = bool(result.success) and h[i] - result.fun < 1e-7
    return tight
