"""Of very many experiments the models learn from the best, the newest and a fair share of the rest."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from controller.domain.request import Observed
from controller.learn.selection import selected
from tests.controller.spaces import continuous, problem

ONE = problem(continuous("a"))
TWO = problem(continuous("a"), {"y": {"goal": "maximize"}, "z": {"goal": "minimize"}})


def _observed(values: list[float | None]) -> list[Observed]:
    return [
        Observed(point={"a": i / 1000}, values=None if v is None else {"y": v, "z": (v - 0.3) ** 2})
        for i, v in enumerate(values)
    ]


@given(st.lists(st.none() | st.floats(-1, 1), max_size=60), st.integers(4, 40), st.booleans())
def test_selection_keeps_the_wanted_number_in_order_with_the_best_and_the_newest(
    values: list[float | None], most: int, several: bool
) -> None:
    rows = _observed(values)
    kept = selected(TWO if several else ONE, rows, most)
    assert len(kept) == min(most, len(rows))
    places = [row.point["a"] for row in kept]
    assert places == sorted(set(places))
    assert all(row in kept for row in rows[len(rows) - most // 4 :])
    complete = [row for row in rows if row.values is not None]
    if complete and not several:
        sign = 1 if ONE.objectives["y"].goal == "maximize" else -1
        best = max(sign * row.values["y"] for row in complete if row.values)
        assert any(row.values and sign * row.values["y"] == best for row in kept)


def test_selection_of_the_rest_is_spread_evenly() -> None:
    kept = selected(ONE, _observed([0.5] * 10_000), 1000)
    middle = [row for row in kept if 1.0 <= float(row.point["a"]) < 8.0]
    assert 400 <= len(middle) <= 600


def test_whole_front_is_kept() -> None:
    rows = _observed([i / 100 for i in range(100)])  # beyond 0.3 each trades one objective for the other
    kept = selected(TWO, rows, 96)
    front = [row for row in rows if row.values and row.values["y"] >= 0.9]
    assert all(row in kept for row in front)
