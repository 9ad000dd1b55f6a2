"""Ways along one parameter keep every constraint and change nothing else, unless an equality demands it."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.design.lines import along, direction, elsewhere, reach
from controller.design.pairs import pairs
from controller.design.sampling import draw
from controller.domain.space import Problem
from controller.encoding.space import SearchSpace
from tests.controller.spaces import continuous, pool_problem, problem, problems

MIXTURE = SearchSpace.of(problem(continuous("a", "b", "c", "t"), constraints=("a + b + c == 1", "a <= 0.8")))


@settings(max_examples=25, deadline=None)
@given(problems(), st.integers(0, 2**30))
def test_every_setting_is_allowed(which: Problem, seed: int) -> None:
    space = SearchSpace.of(which)
    z = draw(space, 4, seed)
    rng = np.random.default_rng(seed)
    for j in range(space.p):
        line = along(space, z[0], j, 7)
        assert space.polytope.allows(line, 1e-6).all()
        assert np.abs(line - z[0]).max(1).min() < 1e-9, "the setting itself is among them"
        assert (np.diff(line[:, j]) >= 0).all()
        moved = elsewhere(space, z, j, rng)
        assert space.polytope.allows(moved, 1e-6).all()
        still = np.flatnonzero(direction(space, j) == 0.0)
        assert np.array_equal(np.delete(moved, j, 1)[:, [i - (i > j) for i in still if i != j]], z[:, [i for i in still if i != j]])


def test_in_a_mixture_the_other_parts_make_room() -> None:
    way = direction(MIXTURE, 0)
    assert np.allclose(way, [1.0, -0.5, -0.5, 0.0])
    z = np.array([[0.2, 0.3, 0.5, 0.4]])
    back, forth = reach(MIXTURE, z, way)
    assert np.allclose([back[0], forth[0]], [-0.2, 0.6])
    line = along(MIXTURE, z[0], 0, 5)
    assert np.allclose(line[:, :3].sum(1), 1.0)
    assert np.allclose(line[[0, -1], 0], [0.0, 0.8])
    assert np.allclose(line[:, 3], 0.4)


def test_a_part_that_an_equality_fixes_stays() -> None:
    space = SearchSpace.of(problem(continuous("a", "b"), constraints=("a == 0.3",)))
    assert not direction(space, 0).any()
    z = np.array([[0.3, 0.6]])
    assert np.array_equal(along(space, z[0], 0, 9), z)
    assert np.array_equal(elsewhere(space, z, 0, np.random.default_rng(0)), z)


def test_a_parameter_is_drawn_evenly_from_what_is_left() -> None:
    space = SearchSpace.of(problem(continuous("a", "b"), constraints=("a + b <= 1",)))
    z = np.repeat([[0.1, 0.6]], 2000, 0)
    moved = elsewhere(space, z, 0, np.random.default_rng(0))[:, 0]
    assert moved.max() <= 0.4 + 1e-9
    assert abs(moved.mean() - 0.2) < 0.01


def test_pairs_differ_in_one_parameter_and_are_fewer_where_there_are_many() -> None:
    small, large = pairs(SearchSpace.of(problem(continuous("a", "b"))), 1), pairs(
        SearchSpace.of(problem(continuous(*(f"x{i}" for i in range(100))))), 1
    )
    assert small.other is not None
    assert np.array_equal(small.moved[1][:, 0], small.base[:, 0])
    assert np.array_equal(small.moved[1][:, 1], small.other[:, 1])
    assert len(small.base) == 1024
    assert len(large.base) == 512
    listed = pairs(SearchSpace.of(pool_problem(40, 2)), 1)
    assert len(listed.base) == 40
    assert "pool" in listed.how
    for j in range(2):
        assert (listed.moved[j][:, j] != listed.base[:, j]).mean() > 0.8, "from another row"
        assert np.array_equal(listed.moved[j][:, 1 - j], listed.base[:, 1 - j])
    assert "equality" in pairs(MIXTURE, 1).how
