"""A trust region: the part of a space of many parameters in which the next point is looked for.

A model of a hundred results knows little of a space of fifty dimensions. Wherever it knows nothing, it promises something,
and the search may be led from one far corner to the next. Where that is feared, it is kept to a neighbourhood of the best
result, which shrinks while it brings nothing better and grows while it does (D. Eriksson and others, *Scalable global
optimization via local Bayesian optimization*, NeurIPS 2019). What it brings:
`docs/explanations/decisions/0034-the-whole-space-is-searched.md`.

How large it is follows from the results alone, in their order: nothing is kept between proposals, and the same results give the
same region.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.encoding.space import Array, SearchSpace

_FIRST = 5  # results that begin a region: of the whole space
_START = 0.8
_LEAST = 0.5**7
_SUCCESSES = 3
_FAILURES, _FAILURES_EACH = 20, 0.5  # at least, and for each coordinate
_FACTOR = 2.0
# An improvement of less than this share of the spread of all results is none.
_NEGLIGIBLE = 1e-3
_EDGE = 1e-9
# Of a point drawn in the region so many coordinates on average differ from its centre (Regis and Shoemaker 2013).
_MOVED = 20.0


@dataclass(frozen=True)
class Region:
    """The whole space, shrunk around the best result.

    Attributes:
        centre: Coordinates of that result (p).
        side: Length of each side as a share of the range; less than 1.
    """

    centre: Array
    side: float

    @property
    def lower(self) -> Array:
        """Lowest coordinates of numbers (p)."""
        lower: Array = self.centre * (1.0 - self.side)
        return lower

    @property
    def upper(self) -> Array:
        """Highest coordinates of numbers (p)."""
        return self.lower + self.side

    def holds(self, z: Array, among: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Say which rows of z (n x p) lie inside; `among` says which coordinates count (p)."""
        outside: NDArray[np.bool_] = (z < self.lower - _EDGE) | (z > self.upper + _EDGE)
        return np.asarray(~(outside & among).any(1))

    def within(self, space: SearchSpace, drawn: Array, rng: np.random.Generator) -> Array:
        """Return settings drawn from the whole space (n x p) moved into the region, half of them in few coordinates.

        All lie on the way from the centre to where they were drawn, so that linear constraints hold there too.
        """
        n, p = drawn.shape
        numbers = ~np.array([axis.categorical for axis in space.axes])
        z = np.where(numbers, self.centre + self.side * (drawn - self.centre), drawn)
        z = np.where(numbers | (rng.random((n, p)) < self.side), z, self.centre)
        if space.polytope.empty:
            few = rng.random((n, p)) < min(1.0, _MOVED / p)
            few[np.arange(n), rng.integers(p, size=n)] = True
            few[::2] = True
            z = np.where(few, z, self.centre)
        z = space.snap(z)
        return z[space.allows(z)]


def region_of(space: SearchSpace, z: Array, scores: Sequence[float]) -> Region | None:
    """Return the region in which to look next, or None where that is the whole space.

    A result inside the region of its time counts as a success where it is better than all before, as a failure where it is not;
    one outside, such as one that was imported, says nothing of the region. So many successes in a row make it larger, so many
    failures in a row smaller. When it has become very small, the search begins anew: with some results of the whole space, and a
    region around the best of those.

    Args:
        space: The search space.
        z: Coordinates of the results, oldest first (n x p).
        scores: How good they are, more being better; minus infinity for one that is not acceptable.
    """
    if space.ruled:
        return None
    finite = [score for score in scores if math.isfinite(score)]
    negligible = _NEGLIGIBLE * float(np.std(finite)) if finite else 0.0
    numbers = ~np.array([axis.categorical for axis in space.axes])
    most_bad = max(_FAILURES, round(_FAILURES_EACH * space.p))
    best, side, first, good, bad = -1, _START, 0, 0, 0
    for i, score in enumerate(scores):
        better = score > (scores[best] + negligible if best >= 0 else -math.inf)
        if i >= first + _FIRST and best >= 0 and (side >= 1.0 or Region(z[best], side).holds(z[i : i + 1], numbers)[0]):
            good, bad = (good + 1, 0) if better else (0, bad + 1)
            if good >= _SUCCESSES:
                side, good = min(1.0, side * _FACTOR), 0
            elif bad >= most_bad:
                side, bad = side / _FACTOR, 0
        if better:
            best = i
        if side < _LEAST:
            best, side, first, good, bad = -1, _START, i + 1, 0, 0
    if best < 0 or len(scores) < first + _FIRST or side >= 1.0:
        return None
    return Region(z[best], side)
