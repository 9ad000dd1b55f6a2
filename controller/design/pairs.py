"""Pairs of settings that differ in one parameter alone: what it takes to tell which parameters matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from controller.design.drawing import draw
from controller.design.lines import elsewhere
from controller.design.sampling import sobol, to_axes
from controller.encoding.space import Array, Axis, SearchSpace

MOST_SETTINGS = 60_000
"""So many in all; fewer for each parameter where there are many."""
_MOST, _FEWEST = 1024, 64


@dataclass(frozen=True)
class Pairs:
    """Settings, and for each parameter the same settings with that one drawn anew.

    Attributes:
        base: n x p, coordinates; drawn evenly from the space, or rows of the pool.
        moved: p x n x p; in `moved[j]` parameter j was drawn anew, and others only as far as equalities demand.
        other: n x p, a second independent draw, from which `moved[j]` has parameter j; None where parameters depend on each other.
        how: How the settings were drawn, in words.
    """

    base: Array
    moved: Array
    other: Array | None
    how: str


def pairs(space: SearchSpace, seed: int) -> Pairs:
    """Return pairs for every parameter of `space`, the same for the same seed.

    Without pool and constraints parameters are drawn independently of each other (the scheme of Saltelli and others, Variance
    based sensitivity analysis of model output, 2010). Within constraints one is drawn anew from what the others leave it. In a
    pool, where often no two rows differ in one parameter alone, it is taken from another row.

    Raises:
        SpaceExhaustedError: If no setting satisfies the constraints.
    """
    n = _FEWEST
    while 2 * n <= min(_MOST, MOST_SETTINGS // (space.p + 2)):
        n *= 2
    rng = np.random.default_rng([seed, 1])
    if (pool := space.problem.pool) is not None:
        every = space.pool_rows  # of which there may be millions
        rows = space.coordinates_of(pool, every if len(every) <= n else rng.choice(every, n, replace=False))
        moved = np.repeat(rows[None], space.p, 0)
        for j in range(space.p):
            moved[j, :, j] = space.coordinates_of(pool, rng.choice(every, len(rows)))[:, j]
        return Pairs(rows, moved, None, "rows of the pool, one parameter at a time taken from another row")
    if space.polytope.empty and not space.ruled:
        cube = sobol(2 * space.p, n, seed)
        first, second = to_axes(space, cube[:, : space.p]), to_axes(space, cube[:, space.p :])
        moved = np.repeat(first[None], space.p, 0)
        for j in range(space.p):
            moved[j, :, j] = second[:, j]
        return Pairs(first, moved, second, "settings drawn evenly from the space, one parameter at a time drawn anew")
    base = draw(space, n, seed)
    moved = np.stack([elsewhere(space, base, j, rng) for j in range(space.p)])
    how = "settings drawn evenly within the constraints, one parameter at a time drawn anew from what the others leave it"
    if len(space.polytope.f):
        how += "; in an equality the other parts make room"
    return Pairs(base, moved, None, how)


def with_context(found: Pairs, axes: Sequence[Axis], seed: int) -> Pairs:
    """Return `found` with c context variables behind the parameters, each drawn evenly from its range or choices.

    Args:
        found: Pairs for the parameters.
        axes: Of the context variables.
        seed: Of the random numbers.
    """
    if not axes:
        return found
    n, c = len(found.base), len(axes)
    rng = np.random.default_rng([seed, 2])
    first, second = (np.column_stack([_anywhere(axis, n, rng) for axis in axes]) for _ in range(2))
    moved = [np.hstack([z, first]) for z in found.moved]
    for k in range(c):
        drawn = first.copy()
        drawn[:, k] = second[:, k]
        moved.append(np.hstack([found.base, drawn]))
    other = None if found.other is None else np.hstack([found.other, second])
    how = f"{found.how}; the context anywhere in its range"
    return Pairs(np.hstack([found.base, first]), np.stack(moved), other, how)


def _anywhere(axis: Axis, n: int, rng: np.random.Generator) -> Array:
    return rng.random(n) if axis.levels is None else rng.choice(axis.levels, n)
