"""Finds the settings that an acquisition function scores highest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import LinearConstraint, minimize

from controller.design.acquisition import Acquisition, WithGradient
from controller.design.candidates import Key, Listing, distances
from controller.design.drawing import counted, draw
from controller.design.region import Region
from controller.design.room import margins
from controller.design.screening import Screen
from controller.domain.base import Point
from controller.encoding.columns import Encoder
from controller.encoding.space import Array, SearchSpace
from controller.errors import SpaceExhaustedError

_RAW = 256
_NEIGHBOURS = 64
_STARTS = 4
_ROUNDS = 3
# A climb takes as many steps as there are coordinates, within these bounds.
_STEPS, _MOST_STEPS = 12, 25
# A neighbour of a measured setting differs in half of the coordinates, or in so many: in many dimensions a change of half of
# them is too far to be a neighbour (Regis and Shoemaker 2013; Eriksson and others 2019, for trust regions).
_MOVED = 10.0
# Levels tried of one coordinate at a time: all where there are few, the nearest and some others where there are many.
_MOST_TRIED = 24
# Of a category with more choices, such as molecules, each is tried with the best settings measured.
_MANY_CHOICES = 1000
# Starts closer than this lead to the same place.
_APART = 0.05
# Closer in every coordinate, two settings are one.
_SAME_PEAK = 0.005
_RUNNERS_UP = 5
_NOT_FINITE = "the acquisition function has no finite value anywhere"
# Of the way of a climb that ends just outside what a rule allows.
_SHARES = (1.0, 0.999, 0.97, 0.8, 0.4)


@dataclass(frozen=True)
class Choice:
    """A setting and its score."""

    point: Point
    score: float


def best_listed(
    listing: Listing, X: torch.Tensor, acquisition: Acquisition, seen: Array, replicates: bool
) -> list[Choice]:
    """Return the best settings of a list, best first.

    Args:
        listing: The list.
        X: Its columns (n x d).
        acquisition: The score.
        seen: Coordinates of the settings already proposed (m x p).
        replicates: Whether those may be proposed again.

    Raises:
        SpaceExhaustedError: If all have been proposed.
    """
    allowed = np.flatnonzero(_choosable(listing, seen, replicates))
    with torch.no_grad():
        scores = _checked(acquisition(X[torch.from_numpy(allowed)]).cpu().numpy())
    # A stable order, so that equal scores do not depend on the sorting algorithm.
    order = np.argsort(-scores, kind="stable")[: 1 + _RUNNERS_UP]
    return [Choice(listing.point(int(allowed[i])), float(scores[i])) for i in order if np.isfinite(scores[i])]


def best_screened(listing: Listing, screen: Screen, acquisition: Acquisition, seen: Array, replicates: bool) -> list[Choice]:
    """Return the best settings of a large list, as `best_listed` does of a small one.

    Args:
        listing: The list.
        screen: Searches it; what its last search found, the next of the same batch builds on.
        acquisition: The score.
        seen: Coordinates of the settings already proposed (m x p).
        replicates: Whether those may be proposed again.

    Raises:
        SpaceExhaustedError: If all have been proposed.
    """
    rows, scores = screen.best(acquisition, _choosable(listing, seen, replicates), 1 + _RUNNERS_UP)
    if not len(rows):
        raise FloatingPointError(_NOT_FINITE)
    return [Choice(listing.point(int(i)), float(score)) for i, score in zip(rows, scores, strict=True)]


def _choosable(listing: Listing, seen: Array, replicates: bool) -> NDArray[np.bool_]:
    """Say which settings of a list may be proposed; `SpaceExhaustedError` where there is none."""
    fresh = np.ones(len(listing), bool) if replicates else listing.fresh(seen)
    if not fresh.any():
        raise SpaceExhaustedError(f"all {len(listing)} allowed settings have been proposed")
    return fresh


def best_anywhere(
    encoder: Encoder, acquisition: Acquisition, taken: Set[Key], incumbents: Array, seed: int, region: Region | None = None
) -> list[Choice]:
    """Return the best settings found in a space too large to list, best first.

    Scores random settings and neighbours of the best measured ones, then climbs from the best few: along the gradient in
    the continuous coordinates, by trying other levels in the rest, in turns.

    Args:
        encoder: Of the problem.
        acquisition: The score.
        taken: Keys of the settings that may not be proposed again.
        incumbents: Coordinates of the best settings measured (m x p), where the narrow peaks are.
        seed: Of the random numbers.
        region: In which to look, where that is not the whole space.

    Raises:
        SpaceExhaustedError: If no new setting was found.
    """
    space = encoder.space
    rng = np.random.default_rng(seed)
    drawn = draw(space, _RAW, int(rng.integers(2**62)))
    near = around(space, incumbents, rng)
    if region is not None:
        drawn, near = region.within(space, drawn, rng), near[region.holds(near, space.continuous)]
    raw = np.vstack([drawn, near, *_sweeps(space, incumbents)])
    climb = _Climb(encoder, acquisition, rng, region)
    scores = _checked(climb.score(raw))
    starts = _spread(space, raw, scores)
    climbed = climb.ascend(starts)
    found = np.vstack([climbed, raw])
    settled = _checked(np.concatenate([climb.score(climbed), scores]))
    points: list[Point] = []
    kept: list[int] = []
    for i in np.argsort(-settled, kind="stable"):
        if any(np.abs(found[i] - found[j]).max() < _SAME_PEAK for j in kept):
            continue  # another climb that came to the same place
        point = space.point(found[i])
        if space.problem.key(point) in taken or not space.problem.allows(point):
            continue
        kept.append(int(i))
        points.append(point)
        if len(points) > _RUNNERS_UP:
            break
    if not points:
        raise SpaceExhaustedError(f"no new setting was found among {len(found)}; {len(taken)} have been proposed")
    # Values are rounded to what can be set; the score reported is that of the setting itself.
    exact = _checked(climb.score(space.coordinates(points)))
    return [Choice(points[i], float(exact[i])) for i in np.argsort(-exact, kind="stable") if np.isfinite(exact[i])]


def _checked(scores: Array) -> Array:
    """Return `scores` with what is not a number put last.

    Raises:
        FloatingPointError: If nothing would be left.
    """
    finite = np.isfinite(scores)
    if not finite.any():
        raise FloatingPointError(_NOT_FINITE)
    return np.where(finite, scores, -np.inf)


def around(space: SearchSpace, incumbents: Array, rng: np.random.Generator, n: int = _NEIGHBOURS) -> Array:
    """Return allowed neighbours of `incumbents`, some coordinates moved by steps of many sizes; `n` at most."""
    if not len(incumbents):
        return np.zeros((0, space.p))
    z, allowed = neighbours(space, incumbents[np.arange(n) % len(incumbents)], rng)
    return z[allowed]


def neighbours(space: SearchSpace, centre: Array, rng: np.random.Generator) -> tuple[Array, NDArray[np.bool_]]:
    """Return a neighbour of each row of `centre` (n x p), as `around` does, and whether it is allowed."""
    n = len(centre)
    size = 10.0 ** rng.uniform(-2.7, -0.7, (n, 1))
    moved = rng.random((n, space.p)) < max(min(0.5, _MOVED / space.p), 1.0 / space.p)
    step = np.where(moved, size * rng.standard_normal((n, space.p)), 0.0)
    for j, axis in enumerate(space.axes):
        if axis.levels is not None:
            # One level up or down, or another choice.
            jump = rng.choice(axis.levels, n) - centre[:, j]
            step[:, j] = np.where(moved[:, j] & (rng.random(n) < 0.5), jump, step[:, j])
    if not space.polytope.empty:
        step = _along(space, step)
    if space.ruled:
        absent = counted(space) & (centre == 0.0) & (rng.random((n, 1)) < 0.8)
        step = np.where(absent, 0.0, step)
    z = space.snap(centre + step)
    return z, space.allows(z)


def _sweeps(space: SearchSpace, incumbents: Array) -> Iterator[Array]:
    """Yield every choice of each category with very many of them, with the other settings of the two best measured."""
    for j, axis in enumerate(space.axes):
        if axis.levels is None or not axis.categorical or len(axis.levels) <= _MANY_CHOICES:
            continue
        for incumbent in incumbents[:2]:
            z = np.tile(incumbent, (len(axis.levels), 1))
            z[:, j] = axis.levels
            z = space.settle(z)
            yield z[space.allows(z)]


def _along(space: SearchSpace, step: Array) -> Array:
    """Project steps onto the directions that keep every equality."""
    E = space.polytope.E
    if not len(E):
        return step
    projector = np.eye(space.p) - np.linalg.pinv(E) @ E
    return np.asarray(step @ projector, dtype=np.float64)


def _spread(space: SearchSpace, raw: Array, scores: Array) -> Array:
    """Return the best few of `raw` that are not close to each other."""
    chosen: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        if not chosen or distances(space, raw[i : i + 1], raw[chosen]).min() > _APART:
            chosen.append(int(i))
        if len(chosen) == _STARTS:
            break
    return raw[chosen]


class _Climb:
    """Climbs the acquisition function from several starts."""

    def __init__(
        self, encoder: Encoder, acquisition: Acquisition, rng: np.random.Generator, region: Region | None = None
    ) -> None:
        self._encoder, self._acquisition, self._rng = encoder, acquisition, rng
        self._space = encoder.space
        free = self._space.continuous
        self._lower = np.zeros(free.sum()) if region is None else region.lower[free]
        self._upper = np.ones(free.sum()) if region is None else region.upper[free]
        self._free = np.flatnonzero(self._space.continuous)
        self._levelled = np.flatnonzero(~self._space.continuous)
        self._counted = np.flatnonzero(counted(self._space))
        self._known: dict[bytes, float] = {}

    def score(self, z: Array) -> Array:
        """Return the scores of settings z (n x p); what was scored before is not scored again."""
        places = [row.tobytes() for row in z]
        new = [i for i, place in enumerate(places) if place not in self._known]
        if new:
            with torch.no_grad():
                scores = self._acquisition(self._encoder.columns(torch.from_numpy(z[new]))).tolist()
            self._known.update(zip((places[i] for i in new), scores, strict=True))
        return np.array([self._known[place] for place in places])

    def ascend(self, starts: Array) -> Array:
        """Return where the climbs from `starts` (k x p) end."""
        z = starts.copy()
        stepping = len(self._levelled) or len(self._counted)
        for _ in range(_ROUNDS if stepping else 1):
            if len(self._free):
                z = self._along_gradient(z)
            if not stepping or not self._change_levels(z):
                break
        return z

    def _along_gradient(self, z: Array) -> Array:
        involved = self._space.polytope.involved[self._free]
        if not involved.any() and not self._space.ruled:
            return self._in_box(z)
        return np.vstack([self._in_polytope(row) for row in z])

    def _in_box(self, z: Array) -> Array:
        """All climbs at once: their scores do not depend on each other, so their sum has the gradient of each."""
        value = self._value(z)
        shape = (len(z), len(self._free))
        steps = min(max(_STEPS, len(self._free)), _MOST_STEPS)
        result = minimize(
            value, z[:, self._free].ravel(), jac=True, method="L-BFGS-B",
            bounds=list(zip(self._lower.tolist(), self._upper.tolist(), strict=True)) * len(z),
            options={"maxiter": steps, "maxfun": 2 * steps},
        )  # fmt: skip
        return self._better(z, result.x.reshape(shape))

    def _in_polytope(self, row: Array) -> Array:
        polytope = self._space.polytope
        fixed = np.where(self._space.continuous, 0.0, row)
        constraints = []
        if len(polytope.b):
            room = polytope.b - polytope.A @ fixed
            constraints.append(LinearConstraint(polytope.A[:, self._free], -np.inf, room))
        if len(polytope.f):
            exact = polytope.f - polytope.E @ fixed
            constraints.append(LinearConstraint(polytope.E[:, self._free], exact, exact))
        start = row[None, :]
        bounds = list(zip(self._lower.tolist(), self._upper.tolist(), strict=True))
        if self._space.problem.rules:
            constraints += margins(self._space, row, self._free)
            # What is left out stays so: to bring it in is another setting, not a step.
            absent = counted(self._space)[self._free] & (row[self._free] == 0.0)
            bounds = [(low, 0.0 if a else high) for (low, high), a in zip(bounds, absent, strict=True)]
        result = minimize(
            self._value(start), row[self._free], jac=True, method="SLSQP", bounds=bounds,
            constraints=constraints, options={"maxiter": _STEPS},
        )  # fmt: skip
        end = np.clip(result.x, self._lower, self._upper)[None, :]
        if not self._space.ruled:
            return self._better(start, end)
        # The end may lie just outside: then the last point before the edge.
        for share in _SHARES:
            moved = self._better(start, start[:, self._free] + share * (end - start[:, self._free]))
            if moved is not start:
                return moved
        return start

    def _value(self, z: Array) -> Callable[[Array], tuple[float, Array]]:
        moved = z.copy()
        acquisition = self._acquisition
        with_gradient = acquisition.with_gradient if isinstance(acquisition, WithGradient) else None

        def negative(flat: Array) -> tuple[float, Array]:
            moved[:, self._free] = flat.reshape(len(z), -1)
            at = torch.from_numpy(moved)
            if with_gradient is not None:
                scores, by_columns = with_gradient(self._encoder.columns(at))
                gradient = self._encoder.pull(at, by_columns.cpu())
            else:
                at = at.clone().requires_grad_()
                scores = acquisition(self._encoder.columns(at))
                (gradient,) = torch.autograd.grad(scores.sum(), at)
            return -float(scores.detach().sum()), -gradient.numpy()[:, self._free].ravel()

        return negative

    def _better(self, z: Array, free: Array) -> Array:
        """Return the moved rows where they are allowed and score higher, the old rows elsewhere."""
        moved = z.copy()
        moved[:, self._free] = free
        moved = self._space.settle(moved)
        scores = self.score(np.vstack([moved, z]))
        ahead = self._space.allows(moved, 1e-6) & (scores[: len(z)] > scores[len(z) :])
        return np.where(ahead[:, None], moved, z) if ahead.any() else z

    def _change_levels(self, z: Array) -> bool:
        """Move each row of `z` to its best neighbour in one levelled coordinate, in place; say whether any moved."""
        rows, owners = [], []
        for i, row in enumerate(z):
            for neighbour in self._exchanges(row):
                rows.append(neighbour)
                owners.append(i)
            for j in self._levelled:
                for level in self._levels_to_try(int(j), row[j]):
                    neighbour = row.copy()
                    neighbour[j] = level
                    rows.append(neighbour)
                    owners.append(i)
        tried = self._space.settle(np.array(rows).reshape(-1, z.shape[1]))
        allowed = self._space.allows(tried)
        tried, owner = tried[allowed], np.array(owners, int)[allowed]
        scores, now = self.score(tried), self.score(z)
        changed = False
        for i in range(len(z)):
            mine = np.flatnonzero(owner == i)
            if len(mine) and scores[mine].max() > now[i]:
                z[i] = tried[mine[scores[mine].argmax()]]
                changed = True
        return changed

    def _exchanges(self, row: Array) -> list[Array]:
        """Return the settings in which a parameter that is left out takes the place of another, and those that leave one out."""
        out = [j for j in self._counted if row[j] == 0.0]
        neighbours = []
        for i in (j for j in self._counted if row[j] != 0.0):
            for j in out:
                neighbour = row.copy()
                neighbour[i], neighbour[j] = row[j], row[i]
                neighbours.append(neighbour)
        return neighbours

    def _levels_to_try(self, j: int, current: float) -> Array:
        levels = self._space.axes[j].levels
        if levels is None:
            return np.zeros(0)
        others = levels[np.abs(levels - current) > 1e-9]
        if len(others) <= _MOST_TRIED:
            return others
        gaps = np.abs(others - current)
        table = self._encoder.tables[j]
        if table is not None and len(levels) > _MANY_CHOICES:  # choices in the neighbourhood, wherever they stand in the list
            gaps = torch.cdist(table[[round(current)]], table[torch.from_numpy(others).round().long()]).numpy().ravel()
        nearest = others[np.argsort(gaps, kind="stable")[: _MOST_TRIED // 2]]
        return np.concatenate([nearest, self._rng.choice(others, _MOST_TRIED // 2, replace=False)])
