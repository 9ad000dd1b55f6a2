"""Settings as a list, where the space is a pool or small enough to be listed, and what has been proposed already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from controller.domain.base import Point, Value
from controller.domain.space import Problem
from controller.encoding.space import SAME, Array, SearchSpace

MOST_LISTED = 100_000
MOST_RESCORED = 20_000
"""Rows that are all scored again for each point of a batch."""
_GOLDEN = 0.6180339887498949
"""Multiples of the golden ratio, less their whole parts, are spread evenly over 0 to 1."""
_ROUNDING = 1e-12

Key: TypeAlias = tuple[Value | None, ...]
"""What identifies a setting: `Problem.key`."""


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

    @property
    def large(self) -> bool:
        """Whether it is screened in chunks, and never looked through row by row in Python."""
        return len(self) > MOST_LISTED

    def screened(self, n: int) -> bool:
        """Whether `n` points at a time are chosen by `Screen`, which looks again only at rows that can still win."""
        return self.large or (n > 1 and len(self) > MOST_RESCORED)

    @cached_property
    def _sorted(self) -> tuple[Array, NDArray[np.int64]]:
        """A number for each setting, ascending, and where the setting stands; nearly equal settings have nearly equal numbers."""
        numbers = _mixed(self.z)
        order = np.argsort(numbers, kind="stable")
        return numbers[order], order

    def fresh(self, seen: Array) -> NDArray[np.bool_]:
        """Say which settings are none of those seen (m x p)."""
        fresh = np.ones(len(self), bool)
        if not len(self) or not len(seen):
            return fresh
        numbers, order = self._sorted
        middle, room = _mixed(seen), SAME * self.space.p + _ROUNDING * (1.0 + float(np.abs(numbers[[0, -1]]).max()))
        first, last = np.searchsorted(numbers, middle - room), np.searchsorted(numbers, middle + room, "right")
        for row, begin, end in zip(seen, first.tolist(), last.tolist(), strict=True):
            near = order[begin:end]
            fresh[near[(np.abs(self.z[near] - row) < SAME).all(1)]] = False
        return fresh

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
    allowed = space.settle(grid)[space.allows(grid)]
    if space.problem.conditional:  # settings that differ only in what is not active are one
        allowed = allowed[np.sort(np.unique(allowed, axis=0, return_index=True)[1])]
    return Listing(space, allowed, None)


def _mixed(z: Array) -> Array:
    """Return one number for each row of z (n x p): a sum in which each coordinate has a weight of its own, at most one."""
    total = np.zeros(len(z))
    for j in range(z.shape[1]):
        total += (_GOLDEN * (j + 1) % 1.0) * z[:, j]
    return total


def keys(problem: Problem, points: Iterable[Mapping[str, Value]]) -> set[Key]:
    """Return what identifies each of `points`."""
    return {problem.key(point) for point in points}


def distances(space: SearchSpace, z: Array, other: Array) -> Array:
    """Return distances (n x m) between settings: numbers by how far they are apart, choices by whether they differ."""
    total = np.zeros((len(z), len(other)))
    for j, axis in enumerate(space.axes):
        gap = np.abs(z[:, j, None] - other[None, :, j])
        total += (gap > 0.5) if axis.categorical else gap**2
    return np.sqrt(total)
