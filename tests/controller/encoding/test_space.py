from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.design.sampling import draw
from controller.domain.space import Problem
from controller.encoding.columns import Encoder
from controller.encoding.space import SearchSpace
from controller.verbs.readable import settled
from tests.controller.spaces import continuous, loop, pool_problem, problem, problems


@settings(max_examples=60, deadline=None)
@given(problems(), st.integers(0, 1000))
def test_decode_of_encode_is_the_same_setting(which: Problem, seed: int) -> None:
    encoder = Encoder.of(which)
    points = [encoder.space.point(z) for z in draw(encoder.space, 5, seed)]
    again = encoder.decode(encoder.encode(points))
    assert [which.key(p) for p in again] == [which.key(p) for p in points]
    assert np.allclose(encoder.space.coordinates(again), encoder.space.coordinates(points), atol=2e-7)


def test_columns_run_from_0_to_1_over_what_can_be_chosen() -> None:
    which = problem(continuous("a", high=1000.0), pool={"columns": {"a": (20.0, 30.0, 40.0)}})
    X = Encoder.of(which).encode([{"a": 20.0}, {"a": 30.0}, {"a": 40.0}])
    assert X.squeeze(1).tolist() == pytest.approx([0.0, 0.5, 1.0])


def test_columns_are_even_in_the_logarithm_even_when_a_constraint_names_the_parameter() -> None:
    log = {"a": {"type": "continuous", "bounds": (0.01, 1.0), "scale": "log"}}
    points = [{"a": 0.01}, {"a": 0.1}, {"a": 1.0}]
    for constraints in ((), ("a <= 0.9",)):
        X = Encoder.of(problem(log, constraints=constraints)).encode(points)
        assert X.squeeze(1).tolist() == pytest.approx([0.0, 0.5, 1.0])


def test_polytope_agrees_with_the_constraints_of_the_problem() -> None:
    which = problem(
        continuous("a", "b", low=-3.0, high=9.0) | {"k": {"type": "integer", "bounds": (0, 5)}},
        constraints=("2 * a - b + k <= 4", "a + b >= -1"),
    )
    space = SearchSpace.of(which)
    z = np.random.default_rng(0).random((300, 3))
    z[:, 2] = np.round(z[:, 2] * 5) / 5
    points = [space.point(row) for row in z]
    expected = [all(c.allows(p) for c in which.linear_constraints) for p in points]
    assert space.polytope.allows(z).tolist() == expected
    assert 0 < sum(expected) < 300


def test_coordinate_of_an_unknown_choice_names_it() -> None:
    space = SearchSpace.of(problem({"s": {"type": "categorical", "choices": ["DMSO", "water"]}}))
    with pytest.raises(ValueError, match="'THF' is not one of DMSO, water"):
        space.coordinates([{"s": "THF"}])


@pytest.mark.parametrize(("low", "high", "left"), [(0.0, 1.0, 2e-16), (0.0, 1.0, 2e-9), (-5.0, 5.0, -1e-12), (0.0, 300.0, 1e-7)])
def test_what_a_calculation_left_of_a_part_is_none_of_it(low: float, high: float, left: float) -> None:
    (axis,) = SearchSpace.of(problem(continuous("a", low=low, high=high))).axes
    assert str(axis.value((left - low) / (high - low))) == "0.0"
    there = axis.value((0.001 - low) / (high - low))
    assert there == pytest.approx(0.001)
    assert settled({"a": left, "b": "x"}, {"a": {"type": "continuous", "bounds": [low, high]}}) == {"a": 0.0, "b": "x"}


def test_what_is_small_on_a_logarithmic_scale_or_beyond_zero_stays() -> None:
    log = {"a": {"type": "continuous", "bounds": (1e-15, 1.0), "scale": "log"}}
    (axis,) = SearchSpace.of(problem(log)).axes
    assert axis.value(axis.coordinate(3e-13)) == pytest.approx(3e-13)
    assert settled({"a": 3e-13}, log) == {"a": 3e-13}
    (above,) = SearchSpace.of(problem(continuous("a", low=1e-10, high=1.0))).axes
    assert above.value(0.0) == 1e-10


def test_mixture_of_few_parts_holds_nothing_of_the_others() -> None:
    names = ("a", "b", "c", "d")
    mixture = problem(continuous(*names), constraints=(" + ".join(names) + " == 1",))
    observed, _ = loop(mixture, lambda p: {"y": float(p["a"]) * (1.0 + float(p["b"]))}, 9)
    for point in (o.point for o in observed):
        parts = [float(point[name]) for name in names]
        assert sum(parts) == pytest.approx(1.0, abs=1e-7)
        assert [v for v in parts if 0.0 < v < 1e-8] == []


def test_snap_moves_to_the_nearest_level() -> None:
    space = SearchSpace.of(problem({"d": {"type": "discrete", "values": [0, 1, 10]}, **continuous("a")}))
    snapped = space.snap(np.array([[0.04, 0.3], [0.06, 1.7], [0.9, -0.2]]))
    assert snapped.tolist() == [[0.0, 0.3], [0.1, 1.0], [1.0, 0.0]]


def test_rows_of_a_pool_come_in_the_order_in_which_they_are_asked_for() -> None:
    which = pool_problem(5, 2)
    space = SearchSpace.of(which)
    assert which.pool is not None
    backwards = space.coordinates_of(which.pool, np.arange(5)[::-1])
    assert np.array_equal(backwards, space.coordinates_of(which.pool, np.arange(5))[::-1])
    twice = space.coordinates_of(which.pool, np.array([3, 3, 0, 1, 1]))
    assert np.array_equal(twice[0], twice[1])
