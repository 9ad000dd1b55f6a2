"""Space-filling points: the first ones of a campaign, and stand-ins while no model can be asked. Free of torch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from controller.design.candidates import MOST_LISTED, Listing, distances, keys, listing
from controller.design.drawing import draw
from controller.design.sampling import sobol, to_axes
from controller.domain.base import Point
from controller.domain.campaign import ProposalPolicy
from controller.domain.fidelity import FIDELITY
from controller.domain.parameter import CategoricalParameter
from controller.domain.pool import Pool
from controller.domain.proposal import Proposal
from controller.domain.request import Request, settings_of
from controller.domain.space import Problem, fingerprint
from controller.encoding.space import Array, SearchSpace
from controller.errors import SpaceExhaustedError

# Categories with more choices than this need a few rows before their effects can be told apart, unless descriptors say how
# they resemble each other.
_FEW_CHOICES = 5
_SEVERAL = 5
_COMPARED = 256
_DRAWN = 64
_MOST_TRIED = 4096


def first_points(problem: Problem, policy: ProposalPolicy) -> int:
    """Return how many space-filling points come before the model.

    One row is enough for a pool whose larger categories have descriptors: the model's long lengthscales make it explore by
    itself. Otherwise five.
    """
    if policy.first_points is not None:
        return policy.first_points
    if problem.pool is None:
        return _SEVERAL
    bare = any(
        isinstance(p, CategoricalParameter) and len(p.choices) > _FEW_CHOICES and name not in problem.descriptors
        for name, p in problem.parameters.items()
    )
    return _SEVERAL if bare else 1


def first_asked(request: Request, seen: Sequence[Point]) -> list[Proposal]:
    """Return what the campaign file wants measured first and is not among `seen`, at most as many as are asked for."""
    points = request.problem.first(seen)[: request.n]
    note = "to be measured first, as the campaign file says"
    return [
        Proposal(
            point=point, source="user", data_fingerprint=data_fingerprint(request, points[:i]),
            seed=request.seed, context=request.context, note=note,
        )
        for i, point in enumerate(points)
    ]  # fmt: skip


def space_filling(
    problem: Problem,
    policy: ProposalPolicy,
    seen: Sequence[Point],
    n: int,
    seed: int,
    space: SearchSpace | None = None,
    place: int | None = None,
) -> list[Point]:
    """Return `n` allowed points that fill the space beside those seen, and repeat none of them unless replicates are allowed.

    Random rows of a pool, the middle and then Sobol points of a box, spread-out points of a polytope; beyond the policy's first
    points of a pool, rows far from all others.

    Args:
        problem: What may be proposed.
        policy: How many points are first points.
        seen: Points already proposed, whatever became of them.
        n: How many are wanted.
        seed: Of the campaign.
        space: The search space of `problem`, if it is at hand.
        place: How many were proposed before; the number of `seen` when left out.

    Raises:
        SpaceExhaustedError: If fewer than `n` settings are left.
    """
    space = space or SearchSpace.of(problem)
    points = list(seen)
    large = problem.pool is not None and len(problem.pool) > MOST_LISTED
    candidates = None if large else listing(space)
    first = len(seen) if place is None else place
    for number in range(first, first + n):
        if problem.pool is not None and large:
            candidates = _some(space, problem.pool, points, seed)
        if candidates is not None:
            points.append(_from_list(space, candidates, points, first_points(problem, policy), seed))
        else:
            points.append(_from_space(space, points, number, seed))
    return points[len(seen) :]


def _some(space: SearchSpace, pool: Pool, points: Sequence[Point], seed: int) -> Listing | None:
    """Return rows of a large pool, drawn at random, to choose from; all of it only where these are all taken."""
    rows = space.pool_rows
    if len(rows) > _MOST_TRIED:
        drawn = np.random.default_rng([seed, len(points), 1]).integers(len(rows), size=_MOST_TRIED)
        rows = rows[np.unique(drawn)]
    some = Listing(space, space.coordinates_of(pool, rows), rows)
    return some if some.fresh(space.coordinates(points)).any() else listing(space)


def _from_list(space: SearchSpace, candidates: Listing, points: Sequence[Point], first: int, seed: int) -> Point:
    done = space.coordinates(points)
    fresh = np.flatnonzero(candidates.fresh(done))
    if not len(fresh):
        if not space.problem.allow_replicates or not len(candidates):
            raise SpaceExhaustedError(f"all {len(candidates)} allowed settings have been proposed")
        fresh = np.arange(len(candidates))
    fresh = _at_cheapest(space, candidates.z, fresh)
    rng = np.random.default_rng([seed, len(points)])
    if len(points) < first or not len(points):
        return candidates.point(int(rng.choice(fresh)))
    compared = rng.permutation(fresh)[: max(_COMPARED, _MOST_TRIED // len(points))]
    gaps = distances(space, candidates.z[compared], done).min(1)
    return candidates.point(int(compared[gaps.argmax()]))


def _from_space(space: SearchSpace, points: Sequence[Point], place: int, seed: int) -> Point:
    problem = space.problem
    taken = set() if problem.allow_replicates is True else keys(problem, points)
    if space.polytope.empty and not space.ruled:
        if place == 0 and problem.key(middle := _cheaply(problem, space.point(_middle(space, seed)))) not in taken:
            return middle
        # The next of one sequence: together the first points fill the space more evenly than separate draws.
        n = place
        while n < place + _MOST_TRIED:
            sequence = to_axes(space, sobol(space.p, max(2 * n, 16), seed))
            for row in sequence[n:]:
                point = _cheaply(problem, space.point(row))
                if problem.key(point) not in taken:
                    return point
            n = len(sequence)
    done = space.coordinates(points)
    for attempt in range(4):
        drawn = draw(space, _DRAWN, int(np.random.default_rng([seed, place, attempt]).integers(2**62)))
        order = (
            np.arange(len(drawn)) if not points else np.argsort(-distances(space, drawn, done).min(1), kind="stable")
        )
        for i in order:
            point = _cheaply(problem, space.point(drawn[i]))
            if problem.allows(point) and problem.key(point) not in taken:
                return point
    raise SpaceExhaustedError(
        f"no new setting was found among {4 * _DRAWN} draws; the constraints leave too little room beside the"
        f" {len(points)} settings already proposed (spaces of up to {MOST_LISTED:,} settings are searched completely)"
    )


def _middle(space: SearchSpace, seed: int) -> Array:
    """Return the middle of every range (p), with choices as the Sobol sequence begins.

    Random points of many dimensions lie near the sides, where much of what is searched is flat; the middle is nearer to
    everything than they are, so that it tells more about where there is something to be found.
    """
    z: Array = to_axes(space, sobol(space.p, 1, seed))[0]
    for j, axis in enumerate(space.axes):
        if axis.levels is None:
            z[j] = 0.5
        elif not axis.categorical:
            z[j] = axis.levels[len(axis.levels) // 2]
    return z


def _cheaply(problem: Problem, point: Point) -> Point:
    """Return a setting at the cheapest fidelity: what is to be learned first is what the whole space looks like."""
    return point if problem.fidelity is None else problem.fidelity.at(point, problem.fidelity.cheapest)


def _at_cheapest(space: SearchSpace, z: Array, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return those of `rows` of `z` that are at the cheapest fidelity, or all where none is left there."""
    levels = space.problem.fidelity
    if levels is None:
        return rows
    j = list(space.problem.parameters).index(FIDELITY)
    cheap = rows[z[rows, j] == list(levels.levels).index(levels.cheapest)]
    return cheap if len(cheap) else rows


def data_fingerprint(request: Request, extra: Sequence[Point] = ()) -> str:
    """Return the SHA-256 of the observations and pending points (with `extra` ones of the same batch) of `request`."""
    content = request.model_dump(mode="json", include={"observed", "pending"} | ({"context"} if request.context else set()))
    content["pending"] = [*content["pending"], *extra]
    return fingerprint(content)


def seen_points(request: Request) -> list[Point]:
    """Return every point proposed so far, failed and pending ones included."""
    return [*request.observed.settings(), *settings_of(request.others), *request.pending]


def stand_in(request: Request, note: str = "the model was not ready in time") -> list[Proposal]:
    """Return space-filling proposals for `request`, without any model.

    Args:
        request: What is asked.
        note: Why no model was asked.

    Raises:
        SpaceExhaustedError: If nothing is left to propose.
    """
    return without_model(request, "stand-in", note)


def without_model(
    request: Request, source: Literal["space-filling", "stand-in"], note: str, space: SearchSpace | None = None
) -> list[Proposal]:
    """Return space-filling proposals with `source` and `note`; see `stand_in`."""
    proposals: list[Proposal] = []
    for _ in range(request.n):
        begin = time.perf_counter()
        earlier = [p.point for p in proposals]
        try:
            point = space_filling(
                request.problem,
                request.policy,
                [*seen_points(request), *earlier],
                1,
                request.seed,
                space,
                request.number - 1 + len(earlier),
            )[0]
        except SpaceExhaustedError:
            if proposals:
                break
            raise
        proposals.append(
            Proposal(
                point=point,
                source=source,
                data_fingerprint=data_fingerprint(request, earlier),
                seed=request.seed,
                seconds=time.perf_counter() - begin,
                context=request.context,
                note=note,
            )
        )
    return proposals
