"""Settings as a list, where the space is a pool or small enough to be listed, and what has been proposed already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.domain.base import Point, Value
from controller.domain.space import Problem
from controller.encoding.space import SAME, Array, SearchSpace

MOST_LISTED = 100_000


@dataclass(frozen=True)
class Listing:
    """Every allowed setting of a space.

    Attributes:
        space: The space.
        z: n x p, coordinates.
        rows: Which rows of the pool they are; None where the space has no pool.
    """

    space: SearchSpace
    z: Array
    rows: NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.z)

    def point(self, index: int) -> Point:
        """Return the setting at `index`, as the pool has it."""
        if self.rows is not None and self.space.problem.pool is not None:
            return self.space.problem.pool.row(int(self.rows[index]))
        return self.space.point(self.z[index])


def listing(space: SearchSpace) -> Listing | None:
    """Return every allowed setting, or None where there are too many to list."""
    if space.pool is not None:
        return Listing(space, space.pool, space.pool_rows)
    if space.size > MOST_LISTED:
        return None
    levels = [axis.levels for axis in space.axes if axis.levels is not None]
    grid = np.stack(np.meshgrid(*levels, indexing="ij"), -1).reshape(-1, space.p)
    return Listing(space, grid[space.polytope.allows(grid)], None)


def unseen(candidates: Array, seen: Array) -> NDArray[np.bool_]:
    """Say which candidates (n x p) are none of the settings seen (m x p)."""
    fresh = np.ones(len(candidates), bool)
    for row in seen:
        # One coordinate after the other: most candidates are told apart by the first few.
        same = np.flatnonzero(fresh & (np.abs(candidates[:, 0] - row[0]) < SAME))
        for j in range(1, candidates.shape[1]):
            same = same[np.abs(candidates[same, j] - row[j]) < SAME]
        fresh[same] = False
    return fresh


def keys(problem: Problem, points: Iterable[Mapping[str, Value]]) -> set[tuple[Value, ...]]:
    """Return what identifies each of `points`."""
    return {problem.key(point) for point in points}


def distances(space: SearchSpace, z: Array, other: Array) -> Array:
    """Return distances (n x m) between settings: numbers by how far they are apart, choices by whether they differ."""
    total = np.zeros((len(z), len(other)))
    for j, axis in enumerate(space.axes):
        gap = np.abs(z[:, j, None] - other[None, :, j])
        total += (gap > 0.5) if axis.categorical else gap**2
    return np.sqrt(total)
