"""Proposals in every kind of space: none ever violates a constraint, whatever it comes from."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.design.drawing import draw
from controller.domain.base import Point
from controller.domain.request import Observations, Observed
from controller.domain.space import Pool, Problem
from controller.encoding.columns import Encoder
from controller.encoding.space import SearchSpace
from controller.engine.thinking import stand_in
from controller.errors import SpaceExhaustedError
from tests.controller.spaces import ask, continuous, loop, problem, request, ruled_problems


def _value(point: Point) -> float:
    return sum(float(v) for v in point.values() if not isinstance(v, str)) % 3.0


@settings(max_examples=5, deadline=None)
@given(ruled_problems(), st.integers(0, 2**62))
def test_no_proposal_violates_a_constraint(space: Problem, seed: int) -> None:
    try:
        first = ask(space, n=3, seed=seed)
    except SpaceExhaustedError as error:
        assert "no setting" in str(error)  # noqa: PT017 - some of these constraints contradict each other
        return
    assert all(space.allows(p.point) for p in first), [p.point for p in first]
    seen = [Observed(point=p.point, values={"y": _value(p.point)}) for p in first]
    later = ask(space, seen * 2, n=2, seed=seed)
    substitute = stand_in(request(space, seen, [], n=2, seed=seed))
    assert all(not p.note.startswith("the model failed") for p in later), [p.note for p in later]
    assert all(space.allows(p.point) for p in [*later, *substitute])
    assert [p.point for p in ask(space, seen * 2, n=2, seed=seed)] == [p.point for p in later]
    encoder = Encoder.of(space)
    again = encoder.decode(encoder.encode([p.point for p in later]))
    assert [p.keys() for p in again] == [p.point.keys() for p in later]


def test_best_lies_on_the_edge_of_a_nonlinear_constraint() -> None:
    disc = problem(continuous("a", "b"), constraints=("(a - 0.5) ** 2 + (b - 0.5) ** 2 <= 0.04",))
    observed, proposals = loop(disc, lambda p: {"y": float(p["a"]) + float(p["b"])}, 9)
    assert all(disc.allows(o.point) for o in observed)
    assert max(o.values["y"] for o in observed if o.values) == pytest.approx(1 + 0.2 * 2**0.5, abs=2e-3)
    assert {p.source for p in proposals[5:]} == {"model"}


def test_small_region_is_found_and_walked_in() -> None:
    # One part in 40,000 of the cube; then one in 10^8, which no amount of trying finds.
    for radius in ("0.02", "0.001"):
        inside = f"(a - 0.7) ** 2 + (b - 0.2) ** 2 + (c - 0.5) ** 2 <= {radius} ** 2"
        ball = problem(continuous("a", "b", "c"), constraints=(inside,))
        z = draw(SearchSpace.of(ball), 32, 1)
        space = SearchSpace.of(ball)
        assert len(z) == 32
        assert all(ball.allows(space.point(row)) for row in z)
        assert (z.std(0) > 0.2 * float(radius)).all()


def test_nothing_feasible_is_said_with_what_was_tried() -> None:
    impossible = problem(continuous("a", "b"), constraints=("a * b >= 1.2",))
    with pytest.raises(SpaceExhaustedError, match=r"among 21,504 tried.*a \* b >= 1.2; loosen one of them"):
        ask(impossible)


def test_mixture_with_few_parts_finds_them() -> None:
    parts = [f"x{i}" for i in range(6)]
    mixture = problem(
        continuous(*parts),
        constraints=(" + ".join(parts) + " == 1", f"count({', '.join(parts)}) <= 3", *(f"{x} >= 0.05 if {x} > 0" for x in parts)),
    )

    def strength(p: Point) -> dict[str, float]:
        x = {name: float(p[name]) for name in parts}
        return {"y": x["x1"] + 4 * x["x3"] * x["x5"]}  # best: x3 and x5 near one half

    observed, _ = loop(mixture, strength, 11)
    assert all(mixture.allows(o.point) for o in observed)
    assert max(o.values["y"] for o in observed if o.values) > 0.97


def conditional() -> Problem:
    return problem(
        {
            "solvent": {"type": "categorical", "choices": ["water", "DMF", "DMSO"]},
            "additive": {"type": "continuous", "bounds": (0, 1), "active_when": {"solvent": ["DMF", "DMSO"]}},
            "ligand": {"type": "categorical", "choices": ["L1", "L2"], "active_when": {"additive": [0.5, 1.0]}},
            **continuous("t"),
        }
    )


def test_point_has_only_what_is_active() -> None:
    space = conditional()
    allowed = [
        {"solvent": "water", "t": 0.5},
        {"solvent": "DMF", "additive": 0.2, "t": 0.5},
        {"solvent": "DMF", "additive": 0.5, "ligand": "L2", "t": 0.5},
    ]
    refused = [
        {"solvent": "water", "additive": 0.2, "t": 0.5},
        {"solvent": "DMF", "t": 0.5},
        {"solvent": "DMF", "additive": 0.2, "ligand": "L1", "t": 0.5},
        {"solvent": "DMF", "additive": 0.7, "t": 0.5},
        {"solvent": "DMF", "additive": 0.7, "ligand": "L3", "t": 0.5},
    ]
    assert [space.allows(p) for p in allowed] == [True] * 3
    assert [space.allows(p) for p in refused] == [False] * 5
    assert len({space.key(p) for p in allowed}) == 3
    encoder = Encoder.of(space)
    assert encoder.decode(encoder.encode(allowed)) == allowed
    names = [group.name for group in encoder.layout.groups]
    assert names == ["solvent", "additive", "additive (active)", "ligand", "ligand (active)", "t"]
    rows = Observations.of([Observed(point=p, values=None) for p in allowed])
    assert rows.settings() == allowed


def test_model_learns_across_conditions() -> None:
    space = conditional()

    def measure(p: Point) -> dict[str, float]:
        bonus = 1.0 - (float(p["additive"]) - 0.8) ** 2 if "additive" in p else 0.4
        return {"y": bonus - (float(p["t"]) - 0.3) ** 2 + (0.3 if p.get("ligand") == "L2" else 0.0)}

    observed, _ = loop(space, measure, 16)
    assert all(space.allows(o.point) for o in observed)
    assert max(o.values["y"] for o in observed if o.values) > 1.27  # 1.3 at additive 0.8, t 0.3, ligand L2


def test_listed_space_with_conditions_ends_when_each_setting_was_proposed() -> None:
    space = problem(
        {
            "s": {"type": "categorical", "choices": ["x", "y"]},
            "n": {"type": "integer", "bounds": (1, 3), "active_when": {"s": ["y"]}},
        },
        constraints=("n <= 2",),
    )
    observed, _ = loop(space, lambda p: {"y": float(p.get("n", 0))}, 3)
    found = [dict(o.point) for o in observed]
    assert sorted(found, key=str) == sorted([{"s": "x"}, {"s": "y", "n": 1}, {"s": "y", "n": 2}], key=str)
    with pytest.raises(SpaceExhaustedError):
        ask(space, observed)


def test_rules_narrow_a_list() -> None:
    rows = {"a": tuple(i / 10 for i in range(10)) * 2, "s": ("x",) * 10 + ("y",) * 10}
    parameters = {**continuous("a"), "s": {"type": "categorical", "choices": ["x", "y"]}}
    listed = problem(parameters, pool=Pool(columns=rows), constraints=("a ** 2 <= 0.5", "a <= 0.3 if s == 'y'"))
    observed, _ = loop(listed, lambda p: {"y": float(p["a"])}, 12)
    assert {(o.point["s"], o.point["a"]) for o in observed} == {("x", i / 10) for i in range(8)} | {("y", i / 10) for i in range(4)}
    with pytest.raises(SpaceExhaustedError, match="all 12 allowed settings"):
        ask(listed, observed)
