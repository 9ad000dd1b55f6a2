"""A problem allows exactly what its parameters and constraints allow, tells settings apart, and survives a file."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.base import Point
from controller.domain.space import Pool, Problem, fingerprint
from tests.strategies.problems import problems_with_points


def _problem(**changes: Any) -> Problem:
    written: dict[str, Any] = {
        "parameters": {
            "x": {"type": "continuous", "bounds": [0, 1]},
            "n": {"type": "integer", "bounds": [0, 5]},
            "kind": {"type": "categorical", "choices": ["a", "b"]},
        },
        "objectives": {"yield": {"goal": "maximize"}},
        "constraints": ["x + n <= 4"],
    }
    return Problem.model_validate(written | changes)


@given(problems_with_points())
def test_problem_survives_a_file_and_allows_the_same(drawn: tuple[Problem, Point]) -> None:
    problem, point = drawn
    assert problem.allows(point)
    again = Problem.model_validate_json(problem.model_dump_json())
    assert again == problem
    assert again.allows(point)
    assert again.key(point) == problem.key(point)


@pytest.mark.parametrize(
    ("point", "allowed"),
    [
        ({"x": 0.5, "n": 3, "kind": "a"}, True),
        ({"kind": "a", "n": 3, "x": 0.5}, True),
        ({"x": 0.5, "n": 4, "kind": "a"}, False),
        ({"x": 1.5, "n": 1, "kind": "a"}, False),
        ({"x": 0.5, "n": 1, "kind": "c"}, False),
        ({"x": 0.5, "n": 1}, False),
        ({"x": 0.5, "n": 1, "kind": "a", "y": 1}, False),
    ],
)
def test_problem_allows_complete_points_within_everything(point: Point, allowed: bool) -> None:
    assert _problem().allows(point) is allowed


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
def test_constraint_is_as_strict_in_every_unit(size: float) -> None:
    bounds = [0, size]
    problem = _problem(
        parameters={"x": {"type": "continuous", "bounds": bounds}, "y": {"type": "continuous", "bounds": bounds}},
        constraints=[f"x + y <= {0.1 * size!r}", "x - y >= 0"],
    )
    assert problem.allows({"x": 0.05 * size, "y": 0.05 * size})
    assert not problem.allows({"x": 0.1 * size, "y": 0.001 * size})
    # Optimisers come this close to a bound that both of them share.
    assert problem.allows({"x": 0.0, "y": 1e-9 * size})


def test_constraint_on_choices_is_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match="kind is categorical and cannot stand in a constraint"):
        _problem(constraints=["kind + x <= 1"]).allows({"x": 0.5, "n": 1, "kind": "a"})


def test_key_tells_settings_apart_but_not_their_rounding() -> None:
    problem = _problem()
    key = problem.key({"x": 0.1 + 0.2, "n": 2, "kind": "a"})
    assert key == problem.key({"kind": "a", "n": 2.0, "x": 0.3})
    assert key != problem.key({"x": 0.3, "n": 2, "kind": "b"})
    assert key != problem.key({"x": 0.3, "n": 3, "kind": "a"})
    assert key != problem.key({"x": 0.3000001, "n": 2, "kind": "a"})


def test_pool_gives_its_rows() -> None:
    pool = Pool(columns={"x": (0.1, 0.2), "kind": ("a", "b")})
    assert len(pool) == 2
    assert pool.row(1) == {"x": 0.2, "kind": "b"}


@pytest.mark.parametrize("columns", [{"x": (1.0, 2.0), "y": (1.0,)}, {}])
def test_pool_of_unequal_columns_is_refused(columns: dict[str, tuple[float, ...]]) -> None:
    with pytest.raises(ValueError, match="equal lengths"):
        Pool(columns=dict(columns))


@given(st.dictionaries(st.text("abc", max_size=3), st.integers() | st.lists(st.booleans()), max_size=4))
def test_fingerprint_depends_on_content_alone(content: dict[str, Any]) -> None:
    assert fingerprint(content) == fingerprint(dict(reversed(content.items())))
    assert fingerprint(content) != fingerprint({**content, "more": 1})


def test_fingerprint_is_that_of_canonical_json() -> None:
    # printf '{"a":1,"ö":[0.1]}' | sha256sum
    assert fingerprint({"ö": [0.1], "a": 1}) == "f19beb34951b6abbf0c51828b65d6ac483c34e483dd005c7969e4146002c50b6"
