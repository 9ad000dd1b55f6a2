"""The searches for the points of one batch; what they have in common is prepared once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from controller.design.acquisition import Acquisition
from controller.design.candidates import Key, keys
from controller.design.region import Region, region_of
from controller.design.screening import Screen
from controller.design.search import Choice, best_anywhere, best_listed, best_screened
from controller.domain.base import Point
from controller.domain.request import Observed, Request, settings_of
from controller.domain.space import Problem
from controller.engine.thinking_ground import Ground
from controller.errors import SpaceExhaustedError

# Measured settings around which the search looks closely.
_INCUMBENTS = 4


@dataclass(frozen=True)
class Found:
    """What one search found.

    Attributes:
        score: What was searched: as it was asked for, or widened.
        choices: The best settings, best first.
        region: The trust region in which they were looked for; None where the whole space was searched.
    """

    score: Acquisition
    choices: list[Choice]
    region: Region | None


class Search:
    """Finds one point of a batch after the other."""

    def __init__(self, request: Request, ground: Ground, complete: Sequence[Observed], pending: Sequence[Point]) -> None:
        """Prepare what does not change within a batch.

        Args:
            request: What is asked.
            ground: Of its problem.
            complete: Experiments that have a value of every objective.
            pending: Settings under way, those of the same batch included.
        """
        problem, space = request.problem, ground.encoder.space
        self._ground, self._replicates = ground, problem.allow_replicates is True
        # With several objectives, what is sampled for each row of a list that is not large would be sampled for some of them only.
        together = 1 if problem.several else request.n
        screened = ground.listing is not None and ground.listing.screened(together)
        self._screen = Screen(ground.encoder, ground.listing) if ground.listing is not None and screened else None
        ranked = sorted(complete, key=lambda c: _rank(c, problem), reverse=True)[:_INCUMBENTS]
        self._incumbents = space.coordinates([c.point for c in ranked])
        self._region = trust_region(request, ground, complete)
        # What is taken: in a list by coordinates, which its rows are compared with, anywhere else by keys.
        seen = [*request.observed.settings(), *settings_of(request.others), *pending]
        self._seen = space.coordinates(seen if ground.listing is not None else [])
        self._taken: set[Key] = set() if ground.listing is not None or self._replicates else keys(problem, seen)
        self._wide = False

    def best(self, score: Acquisition, seed: int) -> Found:
        """Return the best settings that `score` finds, or that it finds widened where it expects next to nothing.

        Once that is so, it is so for the points that follow in the same batch: what they believe in leaves less to be expected.
        They are searched for once, widened from the start.

        Raises:
            SpaceExhaustedError: If all settings have been proposed.
        """
        wider = score.widened(-math.inf) if self._wide else None
        if wider is None:
            found = self._search(score, seed)
            wider = score.widened(found.choices[0].score)
            if wider is None:
                return found
        self._wide = True
        return self._search(wider, seed)

    def take(self, point: Point) -> None:
        """Count `point` as proposed."""
        space = self._ground.encoder.space
        if self._ground.listing is not None:
            self._seen = np.vstack([self._seen, space.coordinates([point])])
        elif not self._replicates:
            self._taken |= keys(space.problem, [point])

    def _search(self, score: Acquisition, seed: int) -> Found:
        listing, encoder = self._ground.listing, self._ground.encoder
        if listing is not None:
            if self._screen is not None:
                return Found(score, best_screened(listing, self._screen, score, self._seen, self._replicates), None)
            return Found(score, best_listed(listing, self._ground.X, score, self._seen, self._replicates), None)
        if self._region is not None:
            with suppress(SpaceExhaustedError):  # all settings of a small region may have been proposed
                return Found(score, best_anywhere(encoder, score, self._taken, self._incumbents, seed, self._region), self._region)
        return Found(score, best_anywhere(encoder, score, self._taken, self._incumbents, seed), None)


def trust_region(request: Request, ground: Ground, complete: Sequence[Observed]) -> Region | None:
    """Return the trust region around the best of the results that count; None where the whole space is searched."""
    problem, space = request.problem, ground.encoder.space
    if not request.policy.trust_region or ground.listing is not None:
        return None
    if problem.several or problem.explored or problem.fidelity is not None or problem.context:
        return None  # there is no one best result, or it was the best under other circumstances
    ranks = [_rank(c, problem) for c in complete]
    return region_of(space, space.coordinates([c.point for c in complete]), [s if ok else -math.inf for ok, s in ranks])


def _rank(observed: Observed, problem: Problem) -> tuple[bool, float]:
    """By what measured settings can be sorted, best last; for several objectives any fixed mixture will do."""
    found = problem.standing(observed.values or {})
    return found.feasible, sum(found.scores)
