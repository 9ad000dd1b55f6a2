"""The lifecycle tables: complete, with the final statuses that were promised, and no way around a person for `unknown`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import pytest

from controller.domain.campaign import CampaignStatus as C
from controller.domain.experiment import (
    ATTEMPT_TRANSITIONS,
    CAMPAIGN_TRANSITIONS,
    EXPERIMENT_TRANSITIONS,
    OPEN_ATTEMPTS,
    OPEN_EXPERIMENTS,
    check_transition,
)
from controller.domain.experiment import AttemptStatus as A
from controller.domain.experiment import ExperimentStatus as E
from controller.errors import IllegalTransitionError

Table = Mapping[StrEnum, frozenset[StrEnum]]
TABLES = [
    pytest.param(EXPERIMENT_TRANSITIONS, E.PROPOSED, id="experiment"),
    pytest.param(ATTEMPT_TRANSITIONS, A.COMMITTED, id="attempt"),
    pytest.param(CAMPAIGN_TRANSITIONS, C.DRAFT, id="campaign"),
]


def _reachable(table: Table, first: StrEnum) -> set[StrEnum]:
    found, waiting = {first}, [first]
    while waiting:
        fresh = table[waiting.pop()] - found
        found |= fresh
        waiting += fresh
    return found


@pytest.mark.parametrize(("table", "first"), TABLES)
def test_every_status_has_a_row_and_is_reached_from_the_first(table: Table, first: StrEnum) -> None:
    assert set(table) == set(type(first))
    assert _reachable(table, first) == set(type(first))


@pytest.mark.parametrize(("table", "first"), TABLES)
def test_nothing_returns_to_the_first_status_or_follows_itself(table: Table, first: StrEnum) -> None:
    assert not any(first in following for following in table.values())
    assert not any(status in following for status, following in table.items())


def test_final_statuses_are_final() -> None:
    assert {s for s, following in EXPERIMENT_TRANSITIONS.items() if not following} == {E.COMPLETED, E.ABANDONED, E.CANCELLED}
    assert {s for s, following in ATTEMPT_TRANSITIONS.items() if not following} == {A.SUCCEEDED, A.FAULTED, A.CANCELLED}
    assert {s for s, following in CAMPAIGN_TRANSITIONS.items() if not following} == {C.FAILED}


def test_unknown_experiment_is_never_simply_queued_again() -> None:
    assert E.QUEUED not in EXPERIMENT_TRANSITIONS[E.UNKNOWN]
    assert E.CANCELLED not in EXPERIMENT_TRANSITIONS[E.UNKNOWN]  # a cancelled one costs no budget, but matter was used


def test_only_what_has_not_begun_or_has_ended_is_waited_for_no_longer() -> None:
    assert {E.PROPOSED, E.QUEUED, E.RUNNING} == OPEN_EXPERIMENTS
    assert {A.COMMITTED, A.ACCEPTED, A.RUNNING} == OPEN_ATTEMPTS


def test_attempt_may_skip_statuses_whose_messages_were_lost() -> None:
    order = [A.COMMITTED, A.ACCEPTED, A.RUNNING, A.SUCCEEDED]
    for i, status in enumerate(order):
        assert ATTEMPT_TRANSITIONS[status] >= set(order[i + 1 :])
        assert ATTEMPT_TRANSITIONS[status].isdisjoint(order[:i])


@pytest.mark.parametrize(("table", "first"), TABLES)
def test_check_transition_says_what_the_table_says(table: Table, first: StrEnum) -> None:
    for old, following in table.items():
        for new in type(first):
            if new in following:
                check_transition("it", old, new)  # type: ignore[type-var]  # one of the three classes
            else:
                with pytest.raises(IllegalTransitionError, match=f"it is {old.value} and cannot become {new.value}"):
                    check_transition("it", old, new)  # type: ignore[type-var]  # one of the three classes


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (E.COMPLETED, E.QUEUED, "experiment 3 is completed and cannot become queued; possible: nothing: it is final"),
        (E.FAILED, E.RUNNING, "experiment 3 is failed and cannot become running; possible: abandoned, queued"),
    ],
)
def test_refusal_names_what_could_follow(old: E, new: E, message: str) -> None:
    with pytest.raises(IllegalTransitionError, match=message):
        check_transition("experiment 3", old, new)
