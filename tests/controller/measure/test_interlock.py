"""An interlock lets work begin only after a good, fresh reading: everything else holds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from controller.domain.lab import InterlockSpec
from controller.measure.holds import Hold, Holds
from controller.measure.interlock import Interlock
from instruments.protocol.values import FaultCode, Faulted, MeasuredValue, Scalar, Succeeded


def lock(require: tuple[str, ...] = ("sash <= 5",), *, speed: float = 1.0, **more: Any) -> Interlock:
    spec = InterlockSpec(interlock="hood", instrument="hood", action="read", require=require, hold=("reactor",), **more)
    return Interlock(spec, speed, now=100.0)


def reading(**values: Scalar) -> Succeeded:
    measured = {name: MeasuredValue(value=value) for name, value in values.items()}
    return Succeeded(values=measured, started_at=0.0, finished_at=0.0)


BROKEN = Faulted(code=FaultCode.device_fault, message="no light")


def test_nothing_begins_before_the_first_good_reading_and_that_alone_is_no_alarm() -> None:
    hood = lock()
    assert hood.due(100.0)
    assert hood.reason(100.0) == "interlock hood: it has not been read yet"
    assert not hood.alarming(100.0)
    assert hood.alarming(100.0 + hood.patience_s + 1.0)
    hood.take(reading(sash=2.0), 101.0)
    assert hood.reason(101.0) is None


def test_bad_reading_holds_with_its_reason_and_the_next_good_one_releases() -> None:
    hood = lock()
    hood.take(reading(sash=2.0), 100.0)
    assert hood.take(reading(sash=30.25), 105.0)
    assert hood.reason(105.0) == "interlock hood: sash is 30.25, required is sash <= 5"
    assert not hood.take(reading(sash=31.0), 110.0), "it trips once, not with each bad reading"
    assert not hood.take(reading(sash=5.0), 115.0)
    assert hood.reason(115.0) is None
    assert hood.take(reading(sash=5.0001), 120.0), "a limit has no tolerance"


def test_failed_reading_holds_and_does_not_trip() -> None:
    hood = lock()
    hood.take(reading(sash=2.0), 100.0)
    assert not hood.take(BROKEN, 105.0)
    assert hood.reason(105.0) == "interlock hood: it cannot be read: no light"
    assert hood.alarming(105.0)
    hood.take(reading(sash=2.0), 110.0)
    assert hood.reason(110.0) is None


def test_old_reading_holds() -> None:
    hood = lock(every=4.0, patience=6.0)
    hood.take(reading(sash=2.0), 100.0)
    assert hood.reason(107.0) is None, "never before two readings are due"
    assert hood.reason(109.0) == "interlock hood: no reading for 8 s"


def test_it_is_read_once_at_a_time_and_a_lost_reading_is_given_up() -> None:
    hood = lock(every=4.0)
    hood.asked(100.0)
    assert not hood.due(111.0)
    assert hood.due(113.0)
    hood.asked(113.0)
    hood.take(reading(sash=1.0), 114.0)
    assert not hood.due(116.0)
    assert hood.due(117.0)


def test_fast_clock_does_not_make_it_read_faster_than_the_wire() -> None:
    hood = lock(speed=600.0)
    hood.asked(100.0)
    hood.take(reading(sash=1.0), 100.01)
    assert not hood.due(100.1)
    assert hood.reason(101.9) is None


@pytest.mark.parametrize(
    ("require", "values", "why"),
    [
        (("sash <= 5",), {}, "the reading has no sash, which sash <= 5 needs"),
        (("sash <= 5",), {"sash": "shut"}, "sash is 'shut', sash <= 5 needs a number"),
        (("closed == 1",), {"closed": False}, "closed is False, required is closed == 1"),
        (("a + 2 * b <= 3",), {"a": 1.0, "b": 1.5}, "a is 1, b is 1.5, required is a + 2 * b <= 3"),
        (("a <= 5", "b >= 1"), {"a": 1.0, "b": 0.5}, "b is 0.5, required is b >= 1"),
        (("a == 0.3",), {"a": 0.1 + 0.2}, "a is 0.3, required is a == 0.3"),
    ],
)
def test_what_is_not_as_required_is_named(require: tuple[str, ...], values: dict[str, Scalar], why: str) -> None:
    hood = lock(require)
    hood.take(reading(**values), 100.0)
    assert hood.reason(100.0) == f"interlock hood: {why}"


def test_truth_values_count_as_numbers() -> None:
    hood = lock(("closed == 1",))
    hood.take(reading(closed=True), 100.0)
    assert hood.reason(100.0) is None


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(0.0, 1e4))
def test_released_only_by_a_reading_within_its_limit_and_fresh(value: float, age: float) -> None:
    hood = lock()
    hood.take(reading(sash=value), 100.0)
    if hood.reason(100.0 + age) is None:
        assert value <= 5
        assert age <= hood.patience_s


@pytest.mark.parametrize("text", ["sash < 5", "sash", "__import__('os')", "sash * sash <= 1", "5 <= 6", ""])
def test_condition_that_cannot_be_told_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        lock((text,))


def test_holds_last_until_their_last_reason_is_gone() -> None:
    holds = Holds()
    assert holds.put("hood", {"reactor": Hold("open"), "pump": Hold("open")}) == ["reactor", "pump"]
    assert holds.put("people", {"reactor": Hold("disabled", alarming=False)}) == [], "a person hears of the hood first"
    assert holds.put("hood", {"reactor": Hold("open"), "pump": Hold("broken")}) == ["pump"]
    assert holds.of("reactor") == Hold("open"), "what a person should hear of comes first"
    assert holds.put("hood", {}) == ["reactor", "pump"]
    assert holds.of("reactor") == Hold("disabled", alarming=False)
    assert holds.put("people", {}) == ["reactor"]
    assert holds.of("reactor") is None
