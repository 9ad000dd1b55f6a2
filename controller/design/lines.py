"""Ways from one setting along one parameter, the others staying where they are as far as the constraints let them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from controller.domain.base import Point, Value
from controller.domain.pool import Column, Pool
from controller.encoding.space import Array, SearchSpace

_NEGLIGIBLE = 1e-9
_SAME = 2e-9
_TRIES = 32
"""Draws of a level, or of a place that a constraint may forbid, before a setting is left as it is."""


def direction(space: SearchSpace, j: int) -> Array:
    """Return how the coordinates change (p) when coordinate `j` rises by one.

    Without equalities nothing else moves. In a mixture the other continuous parts make room, by the least change in all that
    keeps every equality; zeros where nothing can move, or `j` is a choice or has levels.
    """
    way = np.zeros(space.p)
    if not space.continuous[j]:
        return way
    way[j] = 1.0
    E = space.polytope.E[:, space.continuous]
    if not len(E):
        return way
    k = int(space.continuous[:j].sum())
    projected = np.eye(E.shape[1])[k] - np.linalg.pinv(E) @ E[:, k]
    if projected[k] < _NEGLIGIBLE:
        return np.zeros(space.p)
    way[space.continuous] = projected / projected[k]
    return way


def reach(space: SearchSpace, z: Array, way: Array) -> tuple[Array, Array]:
    """Return how far each row of `z` (n x p) can go back and forth along `way` (p) within bounds and constraints (n each)."""
    G = np.vstack([space.polytope.A, np.eye(space.p), -np.eye(space.p)])
    h = np.concatenate([space.polytope.b, np.ones(space.p), np.zeros(space.p)])
    speed = G @ way
    room = np.maximum(h - z @ G.T, 0.0)
    moving = np.abs(speed) > _NEGLIGIBLE
    steps = room[:, moving] / speed[moving]
    ahead, back = speed[moving] > 0, speed[moving] < 0
    forth = steps[:, ahead].min(1) if ahead.any() else np.zeros(len(z))
    to = steps[:, back].max(1) if back.any() else np.zeros(len(z))
    return to, forth


def along(space: SearchSpace, z: Array, j: int, most: int) -> Array:
    """Return settings (k x p) from one end of parameter `j` to the other in order, the setting `z` (p) among them.

    Where the parameter is not active, `z` is all there is.

    All of its levels where there are at most `most`, else so many places evenly between the ends that constraints leave. Those
    that a constraint forbids are among them only in a pool, where hardly any setting but `z` need be in the list.
    """
    levels = space.axes[j].levels
    if not space.active(z[None, :])[0, j]:
        return z[None, :].copy()
    if levels is not None:
        if len(levels) > most:
            levels = levels[np.linspace(0, len(levels) - 1, most).round().astype(int)]
        chosen = np.unique(np.append(levels, z[j]))
        rows = np.repeat(z[None, :], len(chosen), 0)
        rows[:, j] = chosen
    else:
        way = direction(space, j)
        if not way.any():
            return z[None, :].copy()
        back, forth = (float(end[0]) for end in reach(space, z[None, :], way))
        steps = np.unique(np.append(np.linspace(back, forth, most), 0.0))
        rows = z + steps[:, None] * way
    rows = space.settle(rows)
    return rows if space.problem.pool is not None else rows[space.allows(rows, 1e-6) | (rows[:, j] == z[j])]


def elsewhere(space: SearchSpace, z: Array, j: int, rng: np.random.Generator) -> Array:
    """Return each row of `z` (n x p) with parameter `j` drawn anew, evenly among what the constraints leave it there.

    Where they leave it nothing else, the row stays as it is.
    """
    levels = space.axes[j].levels
    moved = z.copy()
    way = direction(space, j)
    if levels is None and not way.any():
        return moved
    waiting = np.arange(len(z))
    for _ in range(_TRIES):
        rows = z[waiting]
        if levels is not None:
            rows[:, j] = rng.choice(levels, len(rows))
        else:
            back, forth = reach(space, rows, way)
            rows = rows + (back + rng.random(len(rows)) * (forth - back))[:, None] * way
        rows = space.settle(rows)
        fine = space.allows(rows, 1e-6)
        moved[waiting[fine]] = rows[fine]
        waiting = waiting[~fine]
        if not len(waiting):
            break
    return moved


def listed(pool: Pool, points: Sequence[Point], parameter: str) -> list[bool]:
    """Say which of `points`, that differ in `parameter` alone, are rows of `pool`, however many rows it has."""
    rows = np.arange(len(pool))
    for name in pool.names:
        if name != parameter and points:
            rows = rows[_equal(pool.columns[name].take(rows), points[0][name])]
    there = pool.columns[parameter].take(rows)
    return [bool(_equal(there, point[parameter]).any()) for point in points]


def _equal(column: Column, value: Value) -> NDArray[np.bool_]:
    """Say where a column has `value`, numbers to nine digits."""
    if column.kind == "text":
        return np.asarray(column.data == (column.choices.index(str(value)) if value in column.choices else -1))
    return np.asarray(np.abs(column.data - float(value)) <= _SAME * abs(float(value)))
