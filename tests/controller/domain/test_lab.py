"""Labs refuse protocols that cannot be carried out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from pydantic import ValidationError

from controller.domain.lab import LabSpec, StepSpec
from tests.strategies.definitions import labs


def _lab(*steps: dict[str, Any], **changes: Any) -> LabSpec:
    base: dict[str, Any] = {"step": "react", "instrument": "reactor", "action": "run"}
    content = {
        "lab": "bench",
        "instruments": {"reactor": {"driver": "scpi"}, "hplc": {"driver": "external"}},
        "protocol": [base | step for step in steps] or [base],
    }
    return LabSpec.model_validate(content | changes)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([{}, {}], "step 'react' is listed twice; give each step its own name"),
        ([{"instrument": "nmr"}], "step 'react' uses instrument 'nmr'; the lab has reactor, hplc"),
        ([{"after": ["assay"]}, {"step": "assay"}], "step 'react' comes after 'assay', which is no earlier step"),
        ([{"after": ["react"]}], "step 'react' comes after 'react', which is no earlier step"),
        ([{"step": "a b"}], "match pattern"),
        ([{"action": "run; drop"}], "match pattern"),
        ([{"wait": 5}], "Extra inputs"),
        ([{"with": {"a": [1]}}], "valid"),
    ],
)
def test_protocol_is_refused_with_the_reason(steps: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        _lab(*steps)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"instruments": {}}, "at least 1 item"),
        ({"protocol": []}, "at least 1 item"),
        ({"speed": 60}, "speed: 60 is only for simulated labs; real instruments run at speed 1"),
        ({"speed": 0, "simulated": True}, "greater than 0"),
        ({"instruments": {"reactor": {"driver": "d", "capacity": 0}}}, "greater than or equal to 1"),
        ({"instruments": {"reactor": {"driver": "d", "limits": {"t": [0]}}}}, "at least 2 items|Field required"),
    ],
)
def test_lab_is_refused_with_the_reason(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        _lab(**changes)


def test_arguments_are_written_as_with_and_read_both_ways() -> None:
    written = StepSpec.model_validate({"step": "a", "instrument": "b", "action": "c", "with": {"t": "$x"}})
    assert written == StepSpec(step="a", instrument="b", action="c", arguments={"t": "$x"})


@given(labs())
def test_lab_survives_json(lab: LabSpec) -> None:
    assert LabSpec.model_validate_json(lab.model_dump_json()) == lab
    assert LabSpec.model_validate_json(lab.model_dump_json(by_alias=True)) == lab
