"""What a fault means: what may have begun and cannot be repeated is never dispatched again."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.domain.event import Fault
from controller.measure.verdict import PASSING_REFUSALS, REPEATABLE, Verdict, graver, judge
from instruments.protocol.capabilities import Consequence
from instruments.protocol.messages import RejectCode
from instruments.protocol.values import FaultCode
from tests.strategies.values import texts

REJECTIONS = [f"rejected.{code}" for code in get_args(RejectCode)]
FAULTS = [code.value for code in FaultCode]
CONSEQUENCES: list[str | None] = [*get_args(Consequence), None]
faults = st.builds(Fault, code=st.sampled_from([*FAULTS, *REJECTIONS]) | texts, message=texts, retryable=st.booleans())


def test_consequences_are_those_that_drivers_announce() -> None:
    assert {"safe", "repeatable", "consumes", "irreversible"} == set(get_args(Consequence))
    assert {"safe", "repeatable"} == REPEATABLE


@pytest.mark.parametrize("one", CONSEQUENCES)
@pytest.mark.parametrize("other", CONSEQUENCES)
def test_of_two_consequences_the_graver_counts(one: str | None, other: str | None) -> None:
    assert graver(one, other) == graver(other, one) == CONSEQUENCES[max(map(CONSEQUENCES.index, (one, other)))]


@settings(max_examples=300)
@given(
    faults.filter(lambda fault: not fault.code.startswith("rejected.")),
    st.sampled_from(["consumes", "irreversible", None]) | texts.filter(lambda t: t not in REPEATABLE),
    st.integers(1, 20),
    st.integers(1, 20),
)
def test_what_may_have_begun_and_cannot_be_repeated_is_never_sent_again(
    fault: Fault, consequence: str | None, attempts: int, most: int
) -> None:
    assert judge(fault, consequence, attempts, most) != "again"


@pytest.mark.parametrize("consequence", ["consumes", "irreversible", None])
@pytest.mark.parametrize("code", ["interrupted", "stopped"])
def test_what_was_cut_short_and_cannot_be_repeated_is_unknown(code: str, consequence: str | None) -> None:
    fault = Fault(code=code, message="power cut", retryable=True)
    assert judge(fault, consequence, 1, 3) == "unknown"
    assert judge(fault, consequence, 3, 3) == "unknown"


@given(faults, st.sampled_from(CONSEQUENCES), st.integers(1, 20), st.integers(1, 20))
def test_no_step_is_dispatched_more_often_than_allowed(
    fault: Fault, consequence: str | None, attempts: int, most: int
) -> None:
    verdict = judge(fault, consequence, attempts, most)
    assert verdict in get_args(Verdict)
    if attempts >= most and fault.code not in PASSING_REFUSALS:
        assert verdict != "again"


@pytest.mark.parametrize("code", ["stopped", "busy", "not_ready"])
def test_refusal_that_speaks_of_the_instrument_costs_no_dispatch(code: str) -> None:
    assert judge(Fault(code=f"rejected.{code}", message="not now"), "irreversible", 3, 3) == "again"


@pytest.mark.parametrize("consequence", ["safe", "repeatable"])
@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        (Fault(code="interrupted", message=""), "again"),
        (Fault(code="stopped", message=""), "again"),
        (Fault(code="timeout", message=""), "again"),
        (Fault(code="device_fault", message="", retryable=True), "again"),
        (Fault(code="device_fault", message=""), "failed"),
        (Fault(code="out_of_limits", message=""), "failed"),
        (Fault(code="cancelled", message="", retryable=True), "cancelled"),
    ],
    ids=lambda value: value.code + "+retryable" * value.retryable if isinstance(value, Fault) else value,
)
def test_what_may_be_repeated_is_sent_again_when_that_can_help(
    fault: Fault, verdict: Verdict, consequence: str
) -> None:
    assert judge(fault, consequence, 1, 3) == verdict
    assert judge(fault, consequence, 3, 3) == ("failed" if verdict == "again" else verdict)


@pytest.mark.parametrize("consequence", CONSEQUENCES)
@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("busy", "again"),
        ("not_ready", "again"),
        ("stopped", "again"),
        ("driver_error", "again"),
        ("invalid_command", "failed"),
        ("out_of_limits", "failed"),
        ("cancelled", "cancelled"),
        ("earlier", "failed"),
    ],
)
def test_refusal_to_begin_is_judged_by_its_reason_alone(code: str, verdict: Verdict, consequence: str | None) -> None:
    assert judge(Fault(code=f"rejected.{code}", message="", retryable=True), consequence, 1, 3) == verdict


def test_every_refusal_of_the_wire_is_decided_here() -> None:
    decided = {"busy", "not_ready", "stopped", "driver_error", "invalid_command", "out_of_limits", "cancelled"}
    assert set(get_args(RejectCode)) == decided
