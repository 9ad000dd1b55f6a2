"""What people may write into a form, and how it is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from instruments.tasks.form import FormField, Given, read_form

FORM = {
    "thickness": FormField(unit="nm", low=10, high=2000),
    "cracks": FormField(kind="int", low=0),
    "dull": FormField(kind="bool"),
    "colour": FormField(choices=("yellow", "brown")),
    "remark": FormField(kind="str", optional=True),
    "photo": FormField(kind="file", optional=True),
}
GOOD = {"thickness": 350, "cracks": 2, "dull": "no", "colour": "brown"}


def test_form_is_read_in_its_own_units_with_spread_and_what_was_said() -> None:
    taken, faults = read_form(FORM, {**GOOD, "thickness": "0.35 ± 0.01 um", "remark": " streaks "})
    assert faults == []
    assert taken["thickness"] == Given(value=350.0, unit="nm", sem=10.0, said="'0.35 ± 0.01 um'")
    assert (taken["cracks"].value, taken["dull"].value, taken["colour"].value) == (2, False, "brown")
    assert (taken["remark"].value, taken["photo"].value) == ("streaks", "")
    assert list(taken) == list(FORM)


@pytest.mark.parametrize(
    ("name", "said", "fault"),
    [
        ("thickness", None, "thickness: is missing; give a number from 10 to 2000 [nm]"),
        ("thickness", "  ", "thickness: is missing"),
        ("thickness", "thick", "thickness: 'thick' is no number; give a number from 10 to 2000 [nm]"),
        ("thickness", "350 kg", "kg cannot be written in nm: they measure different things"),
        ("thickness", "350 nn", "unknown unit 'nn'"),
        ("thickness", "3,5", "has a comma; write a point"),
        ("thickness", 9.99, "lies below 10"),
        ("thickness", "2.1 um", "lies above 2000"),
        ("thickness", math.nan, "is no finite number"),
        ("thickness", "1e999", "is no finite number"),
        ("thickness", 10**400, "is no finite number"),
        ("thickness", True, "is no number"),
        ("thickness", {"value": 300, "sem": -1}, "is no finite number"),
        ("thickness", {"value": "300"}, "is not {value: number"),
        ("thickness", {"number": 300}, "is not {value, unit, sem}"),
        ("thickness", "9" * 5000, "is no number"),
        ("cracks", 2.5, "is no whole number"),
        ("cracks", 1e30, "is no whole number"),
        ("dull", "perhaps", "dull: 'perhaps' is neither yes nor no"),
        ("colour", "green", "colour: 'green' is none of the choices; give one of yellow, brown"),
        ("colour", 3, "is no text"),
        ("remark", "a\x1b[2J", "holds signs that are no text"),
        ("remark", "x" * 3000, "3000 characters"),
        ("photo", "/etc/passwd", "is no file that is kept here"),
        ("mass", 1.0, "mass: is not asked for; the form has thickness, cracks"),
    ],
)
def test_value_that_cannot_be_taken_is_told_with_its_place(name: str, said: Any, fault: str) -> None:
    _, faults = read_form(FORM, {**GOOD, name: said})
    assert len(faults) == 1
    assert fault in faults[0]


def test_every_fault_is_told_at_once() -> None:
    _, faults = read_form(FORM, {"thickness": "no", "colour": "green", "weight": 2})
    assert [fault.partition(":")[0] for fault in faults] == ["weight", "thickness", "cracks", "dull", "colour"]


@pytest.mark.parametrize(
    "content",
    [
        {"low": 2, "high": 1}, {"kind": "str", "unit": "nm"}, {"kind": "bool", "low": 0}, {"optional": True}, {"unit": "parsnip"},
        {"choices": []}, {"choices": ["a", "a"]}, {"kind": "float", "choices": ["a"]}, {"colour": "red"}, {"low": math.inf},
    ],
)  # fmt: skip
def test_field_that_makes_no_sense_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises((ValidationError, ValueError)):
        FormField.model_validate(content)


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
ANYTHING = PLAIN | st.lists(PLAIN, max_size=2) | st.dictionaries(st.sampled_from(["value", "unit", "sem", "x"]), PLAIN, max_size=3)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([*FORM, "else"]), ANYTHING))
def test_whatever_is_given_is_taken_within_the_limits_or_told(said: dict[str, Any]) -> None:
    taken, faults = read_form(FORM, said)
    if not faults:
        assert taken.keys() == FORM.keys()
    if "thickness" in taken:
        assert 10.0 <= float(taken["thickness"].value) <= 2000.0
    if "colour" in taken:
        assert taken["colour"].value in ("yellow", "brown")
