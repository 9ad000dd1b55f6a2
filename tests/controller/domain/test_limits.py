"""Physical limits: nothing that is told goes beyond them, and what they allow is checked."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from controller.domain.event import Observation
from controller.domain.judged import judge, surprises
from controller.domain.limits import limits_text, suspects, within
from controller.domain.objective import Objective
from controller.domain.proposal import Prediction, Proposal
from controller.domain.student import interval, interval_told

PERCENT = (0.0, 100.0)
YIELD = Objective(goal="maximize", unit="percent", limits=PERCENT)


def test_values_are_drawn_back_to_the_limit_that_they_lie_beyond() -> None:
    assert [within(v, PERCENT) for v in (-3.0, 0.0, 40.0, 104.0)] == [0.0, 0.0, 40.0, 100.0]
    assert [within(v, (None, 1.0)) for v in (-3.0, 2.0)] == [-3.0, 1.0]
    assert within(-3.0, None) == -3.0
    assert [limits_text(limits) for limits in (PERCENT, (0.0, None), (None, 1.0))] == ["0 to 100", "from 0 on", "up to 1"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"limits": (None, None)}, "null on both sides"),
        ({"limits": (100.0, 0.0)}, "lower limit 100 must be below the upper limit 0; swap them"),
        ({"limits": (0.0, 1.0), "goal": "match", "target": 2.0}, "the target 2 lies beyond the limits 0 to 1"),
        ({"limits": (0.0, 1.0), "at_least": 1.5}, "at_least: 1.5 lies beyond the limits 0 to 1"),
        ({"limits": (0.0, None), "at_most": -1.0}, "at_most: -1 lies beyond the limits from 0 on"),
    ],
)
def test_limits_that_cannot_be_are_refused(said: dict[str, object], expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        Objective.model_validate({"goal": "maximize", **said})


def test_objective_without_limits_is_written_as_it_always_was() -> None:
    assert "limits" not in Objective(goal="maximize").model_dump()
    written = YIELD.model_dump_json()
    assert Objective.model_validate_json(written) == YIELD


def test_intervals_end_at_the_limits_also_around_a_middle_that_lies_beyond() -> None:
    assert interval(95.0, 5.0, 3.0, 0.9, PERCENT) == (pytest.approx(95.0 - 5.0 * 2.3533634), 100.0)
    told = Prediction(mean=0.0, centre=-5.0, sd=4.0, scale=4.0, freedom=3.0, limits=PERCENT).model_dump()
    assert interval_told(told, 0.9) == (0.0, pytest.approx(-5.0 + 4.0 * 2.3533634))
    far = Prediction(mean=0.0, centre=-50.0, sd=4.0, scale=4.0, freedom=3.0, limits=PERCENT).model_dump()
    assert interval_told(far, 0.9) == (0.0, 0.0)


def test_a_result_beyond_the_limit_counts_as_one_at_it() -> None:
    prediction = Prediction(mean=98.0, sd=1.0, scale=2.0, freedom=3.0, limits=PERCENT, correction=1.5)
    proposal = Proposal(point={}, source="model", predictions={"yield": prediction})
    judged = judge(proposal, {"yield": Observation(value=110.0)})
    assert (judged["yield"].off, judged["yield"].expected, judged["yield"].value) == (1.0, 98.0, 110.0)
    assert surprises([judged, {}]) == {"yield": [1.5]}


def test_what_is_suspect_is_named_with_value_unit_and_limits() -> None:
    assert suspects({"yield": YIELD}, {"yield": 99.0}) == []
    assert suspects({"yield": YIELD}, {"yield": 103.2}) == ["yield was measured as 103.2 percent, and can only be 0 to 100"]
