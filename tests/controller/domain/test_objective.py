"""Objectives score so that more is better, and the best rows are those that nothing beats."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from controller.domain.objective import Objective, best_of, dominates
from tests.strategies.problems import objective_sets
from tests.strategies.values import numbers


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"goal": "match"}, "goal: match needs a target, for example target: 7.4"),
        ({"goal": "maximize", "target": 1}, "target is only for goal: match, not for goal: maximize"),
        ({"goal": "minimize", "target": 0.0}, "target is only for goal: match, not for goal: minimize"),
        ({"goal": "increase"}, "'maximize', 'minimize' or 'match'"),
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
