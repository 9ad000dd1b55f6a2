"""Objectives score so that more is better, and the best rows are those that nothing beats."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from controller.domain.desirability import Desirability
from controller.domain.objective import Objective, best_of, check_goals, dominates, standing, wanted
from tests.strategies.problems import objective_sets
from tests.strategies.values import numbers


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"goal": "match"}, "goal: match needs a target, for example target: 7.4"),
        ({"goal": "maximize", "target": 1}, "target is only for goal: match and goal: level, not for goal: maximize"),
        ({"goal": "minimize", "target": 0.0}, "target is only for goal: match and goal: level, not for goal: minimize"),
        ({"goal": "increase"}, "'maximize', 'minimize', 'match', 'constrain'"),
        ({"goal": "match", "target": float("nan")}, "finite number"),
        ({}, "Field required"),
    ],
)
def test_objective_is_refused_with_the_reason(written: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Objective.model_validate(written)


@pytest.mark.parametrize(
    ("objective", "better", "worse"),
    [
        (Objective(goal="maximize"), 2.0, 1.0),
        (Objective(goal="minimize"), 1.0, 2.0),
        (Objective(goal="match", target=7.4), 7.5, 7.2),
        (Objective(goal="match", target=0.0), 0.0, -0.1),
    ],
)
def test_score_is_higher_for_what_is_wanted_more(objective: Objective, better: float, worse: float) -> None:
    assert objective.score(better) > objective.score(worse)


def test_match_scores_both_sides_alike() -> None:
    assert Objective(goal="match", target=7.0).score(6.0) == Objective(goal="match", target=7.0).score(8.0)


scores = st.lists(st.integers(-3, 3).map(float), min_size=3, max_size=3)


@given(scores, scores, scores)
def test_dominance_is_a_strict_partial_order(a: list[float], b: list[float], c: list[float]) -> None:
    assert not dominates(a, a)
    assert not (dominates(a, b) and dominates(b, a))
    if dominates(a, b) and dominates(b, c):
        assert dominates(a, c)


def test_dominance_of_scores_of_different_lengths_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        dominates([1.0, 2.0], [1.0])


@given(objective_sets(), st.data())
def test_best_of_is_exactly_what_nothing_beats(objectives: dict[str, Objective], data: st.DataObject) -> None:
    row = st.fixed_dictionaries({name: st.integers(-3, 3).map(float) | numbers for name in objectives})
    rows = data.draw(st.lists(row, max_size=8))
    chosen = best_of(objectives, rows)
    assert bool(chosen) == bool(rows)
    scored = [[o.score(r[name]) for name, o in objectives.items()] for r in rows]
    if len(objectives) == 1:
        assert len(chosen) == min(1, len(rows))
        assert all(scored[chosen[0]] >= s for s in scored)
        return
    assert chosen == sorted(set(chosen))
    for i, s in enumerate(scored):
        beaten = any(all(x >= y for x, y in zip(t, s, strict=True)) and t != s for t in scored)
        assert (i in chosen) == (not beaten)


def test_best_of_keeps_rows_that_are_equal() -> None:
    objectives = {"yield": Objective(goal="maximize"), "cost": Objective(goal="minimize")}
    rows = [{"yield": 5.0, "cost": 1.0}, {"yield": 5.0, "cost": 1.0}, {"yield": 4.0, "cost": 1.0}, {"yield": 3.0, "cost": 0.5}]
    assert best_of(objectives, rows) == [0, 1, 3]


IMPURITY = {"goal": "constrain", "at_most": 0.5}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"goal": "constrain"}, "needs at_least, at_most or both"),
        ({"goal": "maximize", "at_least": 3, "at_most": 2}, "must be below at_most"),
        ({"goal": "match", "target": 5, "at_most": 4}, "lies outside"),
    ],
)
def test_bounds_are_refused_with_the_reason(written: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Objective.model_validate(written)


def test_acceptable_results_beat_all_others_and_the_least_violation_the_rest() -> None:
    objectives = {"y": Objective(goal="maximize"), "impurity": Objective.model_validate(IMPURITY)}
    rows = [{"y": 9.0, "impurity": 0.9}, {"y": 7.0, "impurity": 0.6}]
    assert best_of(objectives, rows) == [1]
    rows += [{"y": 1.0, "impurity": 0.5}, {"y": 2.0, "impurity": 0.1}]
    assert best_of(objectives, rows) == [3]


def test_with_two_bounds_the_least_violations_are_a_front() -> None:
    objectives = {"y": Objective(goal="maximize", at_least=5.0), "impurity": Objective.model_validate(IMPURITY)}
    rows = [{"y": 4.0, "impurity": 0.9}, {"y": 2.0, "impurity": 0.6}, {"y": 1.0, "impurity": 0.95}]
    assert best_of(objectives, rows) == [0, 1]


def test_overall_desirability_is_the_weighted_geometric_mean() -> None:
    wishes = {
        "y": Desirability.model_validate({"from": 20, "to": 90, "weight": 3}),
        "cost": Desirability.model_validate({"from": 10, "to": 0, "shape": 2}),
        "ph": Desirability.model_validate({"from": 6, "to": 9}),
    }
    objectives = {"y": Objective(goal="maximize"), "cost": Objective(goal="minimize"), "ph": Objective(goal="match", target=7)}
    found = standing(objectives, {"y": 55.0, "cost": 5.0, "ph": 8.0}, wishes)
    assert found.scores == (pytest.approx((0.5**3 * 0.25 * 0.5) ** 0.2),)
    assert standing(objectives, {"y": 19.0, "cost": 0.0, "ph": 7.0}, wishes).scores == (0.0,)
    rows = [{"y": 19.0, "cost": 0.0, "ph": 7.0}, {"y": 30.0, "cost": 9.0, "ph": 7.0}]
    assert best_of(objectives, rows, wishes) == [1]


@pytest.mark.parametrize(
    ("desirability", "message"),
    [
        ({"y": {"from": 90, "to": 20}}, "must be below to"),
        ({"y": {"from": 20, "to": 90}, "z": {"from": 0, "to": 1}}, "z is no objective"),
        ({"y": {"from": 20, "to": 90}}, "says nothing of cost"),
        ({"y": {"from": 20, "to": 90}, "cost": {"from": 0, "to": 5}}, "must be above to"),
    ],
)
def test_desirability_that_does_not_fit_the_objectives_is_told(desirability: dict[str, Any], message: str) -> None:
    objectives = {"y": Objective(goal="maximize"), "cost": Objective(goal="minimize")}
    wishes = {name: Desirability.model_validate(wish) for name, wish in desirability.items()}
    assert any(message in told for _, told in check_goals(objectives, wishes))


def test_what_is_only_bounded_is_no_goal() -> None:
    assert check_goals({"impurity": Objective.model_validate(IMPURITY)}, {})
    assert wanted({"y": Objective(goal="maximize"), "impurity": Objective.model_validate(IMPURITY)}).keys() == {"y"}


def test_fingerprints_of_what_uses_no_later_key_stay() -> None:
    assert Objective(goal="maximize").model_dump() == {"goal": "maximize", "unit": None, "target": None}
