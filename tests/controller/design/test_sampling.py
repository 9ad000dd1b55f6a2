from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.design.sampling import Slice, draw, sobol
from controller.domain.space import Problem
from controller.encoding.space import SearchSpace
from controller.errors import SpaceExhaustedError
from tests.controller.spaces import continuous, problem, problems


@settings(max_examples=60, deadline=None)
@given(problems(), st.integers(0, 1000))
def test_draws_satisfy_every_constraint_and_repeat_for_a_seed(which: Problem, seed: int) -> None:
    space = SearchSpace.of(which)
    drawn = draw(space, 8, seed)
    assert len(drawn) == 8
    assert all(which.allows(space.point(z)) for z in drawn)
    assert np.array_equal(drawn, draw(space, 8, seed))


def test_longer_sequence_begins_like_a_shorter_one() -> None:
    assert np.array_equal(sobol(3, 5, 7), sobol(3, 40, 7)[:5])


def test_walks_cover_a_simplex_evenly() -> None:
    space = SearchSpace.of(problem(continuous("a", "b", "c"), constraints=("a + b + c == 1",)))
    drawn = draw(space, 2000, 0)
    # Components of a uniform point of the simplex have mean 1/3 and variance 1/18; five standard errors.
    assert np.allclose(drawn.mean(0), 1 / 3, atol=5 * np.sqrt(1 / 18 / 2000))
    assert np.allclose(drawn.var(0), 1 / 18, rtol=0.2)


def test_inequalities_that_amount_to_an_equality_leave_the_other_directions_free() -> None:
    space = SearchSpace.of(problem(continuous("a", "b", "c"), constraints=("a + b <= 1", "a + b >= 1", "a - c <= 0.9")))
    drawn = draw(space, 200, 0)
    assert np.allclose(drawn[:, 0] + drawn[:, 1], 1.0)
    assert np.ptp(drawn[:, 0]) > 0.5
    assert np.ptp(drawn[:, 2]) > 0.5


def test_levels_and_equalities_together_are_satisfied() -> None:
    counts = {name: {"type": "integer", "bounds": (0, 200)} for name in "abcd"}
    which = problem(counts | continuous("x", "y"), constraints=("a + b + c + d == 300", "x + y + 0.01 * a == 1.2"))
    space = SearchSpace.of(which)
    assert all(which.allows(space.point(z)) for z in draw(space, 20, 3))


def test_constraints_that_cannot_be_satisfied_are_reported() -> None:
    space = SearchSpace.of(problem(continuous("a", "b"), constraints=("a + b == 3",)))
    with pytest.raises(SpaceExhaustedError, match="loosen one of them"):
        draw(space, 4, 0)
    counts = {name: {"type": "integer", "bounds": (0, 500)} for name in "abc"}
    space = SearchSpace.of(problem(counts, constraints=("2 * a + 2 * b + 2 * c == 301",)))
    with pytest.raises(SpaceExhaustedError, match="2 \\* a"):
        draw(space, 2, 0)


def test_slice_of_a_single_point_stays_there() -> None:
    space = SearchSpace.of(problem(continuous("a", "b"), constraints=("a + b == 1", "a - b == 0")))
    walked = Slice.of(space.polytope, np.array([True, True]), np.zeros(2)).walk(3, np.random.default_rng(0))
    assert np.allclose(walked, 0.5)
