"""Of very many experiments the models learn from the best, the newest and a fair share of the rest."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from controller.domain.objective import Objective
from controller.learn.selection import selected

UP = Objective(goal="maximize")
DOWN = Objective(goal="minimize")


@given(st.lists(st.just(math.nan) | st.floats(-1, 1), max_size=80), st.integers(4, 40), st.booleans(), st.data())
def test_selection_keeps_the_wanted_number_in_order_with_the_front_and_the_newest(
    values: list[float], most: int, several: bool, data: st.DataObject
) -> None:
    n = len(values)
    objectives = {"y": UP, "z": DOWN} if several else {"y": UP}
    columns = {"y": values, "z": [v * v for v in values]}
    front = data.draw(st.lists(st.integers(0, n - 1), unique=True, max_size=most // 4)) if n else []
    kept = selected(objectives, columns, n, front, most)
    assert len(kept) == min(most, n)
    assert kept == sorted(set(kept))
    assert set(range(max(0, n - most // 4), n)) <= set(kept)
    assert set(front) <= set(kept)


def test_best_of_each_objective_are_kept() -> None:
    values = [math.sin(i * 0.37) for i in range(4000)]
    kept = set(selected({"y": UP, "z": DOWN}, {"y": values, "z": values}, 4000, [], 400))
    ranked = sorted(range(4000), key=values.__getitem__)
    assert set(ranked[-40:]) <= kept
    assert set(ranked[:40]) <= kept


def test_selection_of_the_rest_is_spread_evenly() -> None:
    kept = selected({"y": UP}, {"y": [math.nan] * 10_000}, 10_000, [], 1000)
    assert 500 <= sum(1000 <= i < 8000 for i in kept) <= 600


def test_front_that_is_too_long_is_kept_in_its_newest_part() -> None:
    kept = selected({"y": UP}, {"y": [0.0] * 1000}, 1000, range(500), 40)
    assert len(kept) == 40
    assert set(range(490, 500)) <= set(kept)
