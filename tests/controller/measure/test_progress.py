"""How far an experiment has come follows from its attempts, whatever became of them and in whatever order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.build.binding import ready_steps
from controller.domain.event import Fault, Measurement
from controller.domain.experiment import OPEN_ATTEMPTS, AttemptStatus
from controller.domain.lab import StepSpec
from controller.domain.state import Attempt
from controller.measure.progress import assess
from controller.measure.verdict import PASSING_REFUSALS, judge
from tests.strategies.definitions import protocols
from tests.strategies.events import faults

A = AttemptStatus
FOR_GOOD = Fault(code="device_fault", message="clogged")
PASSING = Fault(code="timeout", message="slow", retryable=True)
PROTOCOL = tuple(
    StepSpec(step=name, instrument="reactor", action="run", after=after)
    for name, after in (("fill", ()), ("heat", ("fill",)), ("log", ("fill",)), ("assay", ("heat", "log")))
)


def _attempt(
    step: str, status: AttemptStatus, fault: Fault | None = None, ordinal: int = 1, **values: float
) -> Attempt:
    return Attempt(
        id=f"{step}-{ordinal}", experiment="e", step=step, ordinal=ordinal, instrument="reactor", action="run", arguments={},
        units={}, committed_at=0.0, status=status, fault=fault,
        measurements=tuple(Measurement(name=n, value=v) for n, v in values.items()),
    )  # fmt: skip


def _assess(*made: Attempt) -> tuple[set[str], set[str], bool, str | None, Fault | None]:
    progress = assess(PROTOCOL, {s.step: [a for a in made if a.step == s.step] for s in PROTOCOL})
    return set(progress.done), set(progress.begun), progress.ending, progress.end, progress.fault


def test_nothing_has_begun_without_attempts() -> None:
    assert _assess() == (set(), set(), False, None, None)


@pytest.mark.parametrize("status", sorted(OPEN_ATTEMPTS))
def test_step_is_begun_while_a_driver_may_have_it(status: AttemptStatus) -> None:
    assert _assess(_attempt("fill", status)) == (set(), {"fill"}, False, None, None)


def test_results_are_those_of_the_attempt_that_succeeded() -> None:
    made = [_attempt("fill", A.FAULTED, PASSING), _attempt("fill", A.SUCCEEDED, ordinal=2, volume=2.0)]
    progress = assess(PROTOCOL, {"fill": made})
    assert progress.results == {"fill": {"volume": Measurement(name="volume", value=2.0)}}
    assert progress.done == {"fill"}
    assert not progress.ending


def test_step_may_begin_again_after_a_passing_fault() -> None:
    assert _assess(_attempt("fill", A.FAULTED, PASSING)) == (set(), set(), False, None, None)


def test_experiment_is_complete_when_every_step_succeeded() -> None:
    made = [_attempt(s.step, A.SUCCEEDED) for s in PROTOCOL]
    assert _assess(*made)[3] == "complete"
    assert _assess(*made[:-1])[3] is None


@pytest.mark.parametrize(
    ("attempt", "end"),
    [
        (_attempt("heat", A.FAULTED, FOR_GOOD), "failed"),
        (_attempt("heat", A.FAULTED, None), "failed"),
        (_attempt("heat", A.UNKNOWN, FOR_GOOD), "unknown"),
        (_attempt("heat", A.CANCELLED, FOR_GOOD), "cancelled"),
    ],
    ids=["faulted", "faulted without a reason", "unknown", "cancelled"],
)
def test_experiment_ends_with_a_step_that_ends_without_success(attempt: Attempt, end: str) -> None:
    filled = _attempt("fill", A.SUCCEEDED)
    assert _assess(filled, attempt) == ({"fill"}, {"heat"}, True, end, attempt.fault)
    beside = _attempt("log", A.RUNNING)
    assert _assess(filled, attempt, beside) == ({"fill"}, {"heat", "log"}, True, None, None)


def test_what_nobody_knows_weighs_more_than_what_failed() -> None:
    lost = Fault(code="interrupted", message="power cut")
    made = [_attempt("fill", A.SUCCEEDED), _attempt("heat", A.FAULTED, FOR_GOOD), _attempt("log", A.UNKNOWN, lost)]
    assert _assess(*made)[3:] == ("unknown", lost)
    made[2] = _attempt("log", A.CANCELLED, lost)
    assert _assess(*made)[3:] == ("failed", FOR_GOOD)


def _counts(attempt: Attempt) -> bool:
    return attempt.fault is None or attempt.fault.code not in PASSING_REFUSALS


@settings(max_examples=150, deadline=None)
@given(protocols(), st.data())
def test_experiment_ends_without_repeating_what_cannot_be_repeated(
    protocol: tuple[StepSpec, ...], data: st.DataObject
) -> None:
    """Carry out a random protocol with random faults, as the engine does: assess, begin what is ready, judge."""
    most = data.draw(st.integers(1, 4))
    consequences = {s.step: data.draw(st.sampled_from(["safe", "repeatable", "consumes", None])) for s in protocol}
    attempts: dict[str, list[Attempt]] = {s.step: [] for s in protocol}
    refusals = [1] * data.draw(st.integers(0, 3))
    for _ in range(2 * (most * len(protocol) + len(refusals)) + 1):
        progress = assess(protocol, attempts)
        if progress.end:
            break
        busy = [made[-1] for made in attempts.values() if made and made[-1].status in OPEN_ATTEMPTS]
        ready = [] if progress.ending else ready_steps(protocol, {}, set(progress.done), set(progress.begun))
        assert busy or ready, "the experiment hangs"
        if ready and (not busy or data.draw(st.booleans())):
            step = data.draw(st.sampled_from(ready)).step
            assert not attempts[step] or attempts[step][-1].status is A.FAULTED
            attempts[step].append(_attempt(step, A.COMMITTED, ordinal=len(attempts[step]) + 1))
            assert sum(map(_counts, attempts[step])) <= most
            earlier = attempts[step][:-1]
            if consequences[step] not in ("safe", "repeatable"):
                assert all(a.fault is not None and a.fault.code.startswith("rejected.") for a in earlier)
            continue
        attempt = data.draw(st.sampled_from(busy))
        fault = data.draw(st.none() | faults)
        if fault is not None and fault.code in PASSING_REFUSALS:
            fault = fault if refusals and refusals.pop() else None
        if fault is None:
            attempt.status = A.SUCCEEDED
            continue
        verdict = judge(fault, consequences[attempt.step], sum(map(_counts, attempts[attempt.step])), most)
        attempt.status = {"again": A.FAULTED, "failed": A.FAULTED, "unknown": A.UNKNOWN, "cancelled": A.CANCELLED}[verdict]
        attempt.fault = fault.model_copy(update={"retryable": verdict == "again"})
    progress = assess(protocol, attempts)
    last = {made[-1].status for made in attempts.values() if made}
    assert progress.end is not None
    assert last.isdisjoint(OPEN_ATTEMPTS)
    assert (progress.end == "complete") == (all(attempts.values()) and last == {A.SUCCEEDED})
    assert (progress.end == "unknown") == (A.UNKNOWN in last)
