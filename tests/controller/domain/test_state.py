"""The fold: legal logs fold, illegal events change nothing, and the books always balance."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from controller.domain.campaign import CampaignStatus
from controller.domain.event import (
    AttemptCommitted,
    AttemptStatusChanged,
    CampaignStatusChanged,
    Event,
    ExperimentProposed,
    ExperimentStatusChanged,
    Fault,
    Observation,
    event_adapter,
)
from controller.domain.experiment import (
    ATTEMPT_TRANSITIONS,
    CAMPAIGN_TRANSITIONS,
    EXPERIMENT_TRANSITIONS,
    OPEN_ATTEMPTS,
    OPEN_EXPERIMENTS,
    SETTLED_EXPERIMENTS,
    AttemptStatus,
    ExperimentStatus,
)
from controller.domain.state import CampaignState, fold
from controller.errors import IllegalTransitionError
from tests.strategies import logs
from tests.strategies.logs import CAMPAIGN, committed, created, moved_attempt, moved_experiment, proposed

S, A = ExperimentStatus, AttemptStatus


class Campaign(RuleBasedStateMachine):
    """Walks at random through one campaign, and keeps beside it the simplest account of what was said."""

    def __init__(self) -> None:
        super().__init__()
        self.state = CampaignState()
        self.log: list[Event] = []
        self.experiments: dict[str, ExperimentStatus] = {}
        self.attempts: dict[str, AttemptStatus] = {}
        self.status = CampaignStatus.DRAFT

    @initialize(data=st.data())
    def create(self, data: st.DataObject) -> None:
        self.go_on(data)

    @rule(data=st.data())
    def go_on(self, data: st.DataObject) -> None:
        event = logs.draw_next(data.draw, self.state)
        self.state.apply(event)
        self.log.append(event)
        if isinstance(event, ExperimentProposed):
            self.experiments[event.experiment] = S.PROPOSED
        elif isinstance(event, ExperimentStatusChanged):
            self.experiments[event.experiment] = event.status
        elif isinstance(event, AttemptCommitted):
            self.attempts[event.attempt] = A.COMMITTED
        elif isinstance(event, AttemptStatusChanged):
            self.attempts[event.attempt] = event.status
        elif isinstance(event, CampaignStatusChanged):
            self.status = event.status

    @precondition(lambda self: bool(self.log))
    @rule(data=st.data())
    def say_what_cannot_be(self, data: st.DataObject) -> None:
        before = copy.deepcopy(self.state)
        with pytest.raises(IllegalTransitionError):
            self.state.apply(logs.draw_illegal(data.draw, self.state))
        assert self.state == before

    @invariant()
    def campaign_stands_where_it_was_left(self) -> None:
        assert self.state.status is self.status

    @invariant()
    def books_balance(self) -> None:
        counts = self.state.counts()
        assert list(counts) == [status.value for status in S]
        assert sum(counts.values()) == len(self.experiments)
        assert counts == {s.value: sum(status is s for status in self.experiments.values()) for s in S}
        assert self.state.spent == sum(s is not S.CANCELLED for s in self.experiments.values())
        assert {key: e.status for key, e in self.state.experiments.items()} == self.experiments
        assert [e.number for e in self.state.experiments.values()] == list(range(1, len(self.experiments) + 1))

    @invariant()
    def attempts_stand_where_they_were_left(self) -> None:
        assert {key: a.status for key, a in self.state.attempts.items()} == self.attempts
        assert {a.id for a in self.state.open_attempts()} == {k for k, s in self.attempts.items() if s in OPEN_ATTEMPTS}
        made = [a.id for e in self.state.experiments for a in self.state.attempts_of(e)]
        assert sorted(made) == sorted(self.attempts)

    @invariant()
    def what_goes_on_has_no_end(self) -> None:
        for experiment in self.state.experiments.values():
            assert (experiment.ended_at is None) == (experiment.status in OPEN_EXPERIMENTS)
        for attempt in self.state.attempts.values():
            assert (attempt.ended_at is None) == (attempt.status in OPEN_ATTEMPTS)

    def teardown(self) -> None:
        written = [event_adapter.dump_json(event) for event in self.log]
        assert fold(event_adapter.validate_json(line) for line in written) == self.state
        assert self.state.n_events == len(self.log)


TestCampaign = Campaign.TestCase
TestCampaign.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@settings(max_examples=60, deadline=None)
@given(logs.logs())
def test_every_beginning_of_a_legal_log_folds_to_the_state_of_that_moment(log: list[Event]) -> None:
    state = CampaignState()
    for i, event in enumerate(log, start=1):
        state.apply(event)
        if i % 7 == 0 or i == len(log):
            assert fold(log[:i]) == state


@settings(max_examples=100, deadline=None)
@given(logs.logs())
def test_lean_fold_lets_go_of_what_is_settled_and_agrees_in_everything_else(log: list[Event]) -> None:
    lean, full = fold(log, lean=True), fold(log)
    assert (lean.status, lean.counts(), lean.spent, lean.n_experiments, lean.n_events, lean.history) == (
        full.status, full.counts(), full.spent, full.n_experiments, full.n_events, full.history,
    )  # fmt: skip
    open_ones = {a.id for a in full.open_attempts()}
    assert {a.id for a in lean.open_attempts()} == open_ones
    waiting = {a.id for a in full.attempts.values() if a.status in (*OPEN_ATTEMPTS, A.UNKNOWN)}
    live = {e.id for e in full.experiments.values() if e.status not in SETTLED_EXPERIMENTS or waiting & set(e.attempts)}
    assert lean.experiments.keys() == live
    for key, experiment in lean.experiments.items():
        assert (experiment.status, experiment.point) == (full.experiments[key].status, full.experiments[key].point)
        assert lean.attempts_of(key) == full.attempts_of(key)
    assert lean.attempts.keys() == {a for e in lean.experiments.values() for a in e.attempts}


def _state(*events: Event) -> CampaignState:
    return fold([created(), *events])


def _running() -> CampaignState:
    state = _state()
    state.apply(proposed(state))
    _move(state, S.QUEUED)
    _move(state, S.RUNNING)
    return state


def _move(state: CampaignState, status: ExperimentStatus, **content: Any) -> None:
    state.apply(moved_experiment(state, "experiment-1", status, **content))


def _standing(
    table: Mapping[Any, frozenset[Any]], first: StrEnum, move: Callable[[CampaignState, Any], None]
) -> dict[Any, CampaignState]:
    """Return one state for each status of a table, each reached by legal moves from the first."""
    found, waiting = {first: _begun()}, [first]
    while waiting:
        status = waiting.pop()
        for following in sorted(table[status] - found.keys()):
            found[following] = copy.deepcopy(found[status])
            move(found[following], following)
            waiting.append(following)
    return found


def _begun() -> CampaignState:
    """Return a state with experiment 1 running its first attempt and experiment 2 just proposed."""
    state = _running()
    state.apply(committed(state, "experiment-1"))
    state.apply(proposed(state))
    return state


def _move_campaign(state: CampaignState, status: CampaignStatus) -> None:
    state.apply(CampaignStatusChanged(campaign=CAMPAIGN, at=0.0, status=status))


def _move_second(state: CampaignState, status: ExperimentStatus) -> None:
    state.apply(moved_experiment(state, "experiment-2", status))


def _move_attempt(state: CampaignState, status: AttemptStatus) -> None:
    state.apply(moved_attempt(state, "attempt-1", status))


@pytest.mark.parametrize(
    ("table", "first", "move", "now"),
    [
        (CAMPAIGN_TRANSITIONS, CampaignStatus.DRAFT, _move_campaign, lambda s: s.status),
        (EXPERIMENT_TRANSITIONS, S.PROPOSED, _move_second, lambda s: s.experiments["experiment-2"].status),
        (ATTEMPT_TRANSITIONS, A.COMMITTED, _move_attempt, lambda s: s.attempts["attempt-1"].status),
    ],
    ids=["campaign", "experiment", "attempt"],
)
def test_fold_follows_the_lifecycle_table_in_every_pair(
    table: Mapping[Any, frozenset[Any]],
    first: StrEnum,
    move: Callable[[CampaignState, Any], None],
    now: Callable[[CampaignState], StrEnum],
) -> None:
    standing = _standing(table, first, move)
    assert set(standing) == set(table)
    for old, state in standing.items():
        assert now(state) is old
        for new in table:
            after = copy.deepcopy(state)
            if new in table[old]:
                move(after, new)
                assert now(after) is new
                continue
            with pytest.raises(IllegalTransitionError, match=f"is {old.value} and cannot become {new.value}"):
                move(after, new)
            assert after == state


def test_nothing_can_be_said_before_the_campaign_was_created() -> None:
    state = CampaignState()
    for campaign in ("", CAMPAIGN):
        with pytest.raises(IllegalTransitionError, match="not to none yet"):
            state.apply(CampaignStatusChanged(campaign=campaign, at=0.0, status=CampaignStatus.RUNNING))
    assert state == CampaignState()


def test_attempt_of_another_experiment_is_refused() -> None:
    state = _running()
    state.apply(proposed(state))
    state.apply(committed(state, "experiment-1"))
    event = moved_attempt(state, "attempt-1", A.ACCEPTED).model_copy(update={"experiment": "experiment-2"})
    with pytest.raises(IllegalTransitionError, match="belongs to experiment experiment-1, not to experiment-2"):
        state.apply(event)


def test_number_that_leaves_a_gap_is_refused() -> None:
    state = _running()
    with pytest.raises(IllegalTransitionError, match="experiment number 3 follows number 1"):
        state.apply(proposed(state).model_copy(update={"number": 3}))


def test_retry_sets_failed_attempts_aside_and_keeps_what_succeeded() -> None:
    state = _running()
    for step, status in (("react", A.SUCCEEDED), ("assay", A.FAULTED)):
        event = committed(state, "experiment-1", step)
        state.apply(event)
        state.apply(moved_attempt(state, event.attempt, status))
    _move(state, S.FAILED, fault=Fault(code="device_fault", message="clogged"))
    assert state.experiments["experiment-1"].ended_at is not None
    _move(state, S.QUEUED)
    assert [a.id for a in state.attempts_of("experiment-1", current=True)] == ["attempt-1"]
    assert [a.id for a in state.attempts_of("experiment-1", "assay")] == ["attempt-2"]
    experiment = state.experiments["experiment-1"]
    assert (experiment.fault, experiment.ended_at) == (None, None)


def test_retry_keeps_the_time_of_the_first_start() -> None:
    state = _running()
    started = state.experiments["experiment-1"].started_at
    for status in (S.FAILED, S.QUEUED, S.RUNNING):
        _move(state, status)
    assert state.experiments["experiment-1"].started_at == started


def test_unknown_attempt_that_runs_again_has_no_end() -> None:
    state = _running()
    state.apply(committed(state, "experiment-1"))
    state.apply(moved_attempt(state, "attempt-1", A.UNKNOWN, fault=Fault(code="interrupted", message="power cut")))
    assert state.attempts["attempt-1"].ended_at == state.n_events + logs.START - 1
    assert state.open_attempts() == []
    state.apply(moved_attempt(state, "attempt-1", A.RUNNING))
    assert [(a.id, a.ended_at) for a in state.open_attempts()] == [("attempt-1", None)]


def test_completion_keeps_what_was_observed() -> None:
    state = _running()
    observed = {"yield": Observation(value=71.5, unit="percent", sem=0.5)}
    _move(state, S.COMPLETED, observations=observed)
    assert state.experiments["experiment-1"].observations == observed
    assert [e.number for e in state.with_status(S.COMPLETED, S.FAILED)] == [1]


def test_cancelled_experiments_cost_no_budget() -> None:
    state = _state()
    state.apply(proposed(state))
    state.apply(proposed(state))
    _move(state, S.CANCELLED)
    assert (state.spent, len(state.experiments)) == (1, 2)


def test_illegal_event_within_a_log_is_named() -> None:
    state = _running()
    log: list[Event] = [created(), proposed(_state()), moved_experiment(state, "experiment-1", S.COMPLETED)]
    with pytest.raises(IllegalTransitionError, match="experiment 1 is proposed and cannot become completed"):
        fold(log)
