"""Columns of ended experiments say what rows would say, in whatever order they came and went."""

from __future__ import annotations

import copy
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.base import Value
from controller.domain.event import Observation
from controller.domain.history import Ended, History
from controller.domain.request import Observations, Observed
from controller.errors import IllegalTransitionError

_settings: st.SearchStrategy[Value] = st.sampled_from([0.5, 1.0, -0.0, 2, 300, True, "DMAc", "1"])
_rows = st.tuples(
    st.fixed_dictionaries({"a": st.sampled_from([0.25, 1e300, -3.0]), "b": _settings}),
    st.none() | st.dictionaries(st.sampled_from("yz"), st.tuples(st.sampled_from([1.0, -2.5]), st.none() | st.just(0.1))),
)


def _observations(given: Any) -> dict[str, Observation] | None:
    return None if given is None else {n: Observation(value=v, unit=None, sem=sem) for n, (v, sem) in given.items()}


def _types(point: Any) -> dict[str, type]:
    return {name: type(value) for name, value in point.items()}


@given(st.dictionaries(st.integers(1, 40), _rows), st.randoms(use_true_random=False), st.sets(st.integers(1, 40)))
def test_history_says_what_rows_would_say(rows: dict[int, Any], random: Any, gone: set[int]) -> None:
    history, order = History(), list(rows)
    random.shuffle(order)
    for number in order:
        point, given = rows[number]
        history.put(number, point, _observations(given))
    for number in gone:
        history.remove(number)
    kept = [(n, *rows[n]) for n in sorted(rows) if n not in gone]
    assert list(history) == [
        Ended(n, point, None if given is None else {k: v for k, (v, _) in given.items()}) for n, point, given in kept
    ]
    assert [_types(p) for p in history.points()] == [_types(p) for _, p, _ in kept]
    observed = history.observations()
    assert Observations.model_validate_json(observed.model_dump_json()) == observed
    assert observed.rows() == [
        Observed(
            point=point,
            values=None if given is None else {k: v for k, (v, _) in given.items()},
            sem={k: sem for k, (_, sem) in (given or {}).items() if sem is not None},
        )
        for _, point, given in kept
    ]


def test_histories_are_equal_when_they_say_the_same() -> None:
    one = History()
    one.put(1, {"a": 1.0}, {"y": Observation(value=1.0, unit=None)})
    other = copy.deepcopy(one)
    assert one == other
    other.put(2, {"a": 1.0}, None)
    assert one != other
    other.remove(2)
    assert one == other
    assert one != 1


def test_an_experiment_of_numbers_takes_some_fifty_bytes() -> None:
    history = History()
    for number in range(1, 5001):
        history.put(number, {"a": number / 7, "b": 0.5}, {"y": Observation(value=1.0 / number, unit=None)})
    held = [history._numbers, history._completed]
    for columns in (history._points, history._values, history._sems):
        held += columns.values()
    assert sum(sys.getsizeof(column) for column in held) < 50 * 5000


@given(st.dictionaries(st.integers(1, 40), _rows, min_size=1), st.data())
def test_retracted_results_are_as_if_they_had_not_come_until_they_are_reinstated(
    rows: dict[int, Any], data: st.DataObject
) -> None:
    history, before, without = History(), History(), History()
    with_result = [number for number, (_, told) in rows.items() if told is not None]
    gone = data.draw(st.sets(st.sampled_from(with_result))) if with_result else set()
    for number, (point, told) in rows.items():
        history.put(number, point, _observations(told))
        before.put(number, point, _observations(told))
        if number not in gone:
            without.put(number, point, _observations(told))
    for number in gone:
        history.retract(number)
    assert [ended.number for ended in history] == [ended.number for ended in without]
    assert history.observations().rows() == without.observations().rows()
    assert {n: e.values for n, e in history.retracted.items()} == {
        n: {name: value for name, (value, _) in rows[n][1].items()} for n in gone
    }
    for number in sorted(gone):
        assert history.get(number) is None
        history.reinstate(number)
    assert history.observations().rows() == before.observations().rows()
    assert history.retracted == {}


def test_what_has_no_result_cannot_be_retracted_nor_what_is_not_retracted_reinstated() -> None:
    history = History()
    history.put(1, {"a": 1.0}, {"y": Observation(value=2.0)})
    history.put(2, {"a": 2.0}, None)
    for number in (2, 3):
        with pytest.raises(IllegalTransitionError, match=f"experiment {number} has no result that could be retracted"):
            history.retract(number)
    history.retract(1)
    with pytest.raises(IllegalTransitionError, match="experiment 1 is retracted already"):
        history.retract(1)
    with pytest.raises(IllegalTransitionError, match="experiment 2 is not retracted"):
        history.reinstate(2)
