"""The searches for the points of one batch: what they share, what is taken, and when they ask all members."""

from __future__ import annotations

import math
from collections.abc import Set
from dataclasses import dataclass
from typing import Any

import pytest
from torch import Tensor

from controller.design.acquisition import Acquisition
from controller.design.candidates import Key
from controller.design.search import Choice
from controller.domain.base import Point
from controller.domain.request import Observed
from controller.encoding.columns import Encoder
from controller.engine import thinking_search
from controller.engine.thinking_ground import ground_of
from controller.engine.thinking_search import Search
from tests.controller.spaces import ask, continuous, problem, request

SQUARE = problem(continuous("a", "b"))
CORNER: Point = {"a": 1.0, "b": 1.0}


@dataclass(frozen=True)
class Sum:
    """A score that is highest in a corner, and next to nothing as often as is said."""

    negligible: float = -math.inf
    name: str = "sum"

    def __call__(self, X: Tensor) -> Tensor:
        return X.sum(1)

    def widened(self, score: float) -> Sum | None:
        return Sum(name="widened sum") if score < self.negligible else None


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was searched for, by its name, one after the other."""
    found: list[str] = []
    search = thinking_search.best_anywhere

    def told(encoder: Encoder, acquisition: Acquisition, taken: Set[Key], *others: Any) -> list[Choice]:
        found.append(acquisition.name)
        return search(encoder, acquisition, taken, *others)

    monkeypatch.setattr(thinking_search, "best_anywhere", told)
    return found


@pytest.mark.parametrize("replicates", [True, False])
def test_what_was_taken_is_proposed_again_only_where_that_may_be(replicates: bool) -> None:
    which = SQUARE.model_copy(update={"allow_replicates": replicates})
    search = Search(request(which, [], []), ground_of(which), [], [])
    assert search.best(Sum(), 0).choices[0].point == CORNER
    search.take(CORNER)
    assert (search.best(Sum(), 1).choices[0].point == CORNER) is replicates


def test_what_is_under_way_is_taken() -> None:
    search = Search(request(SQUARE, [], [CORNER]), ground_of(SQUARE), [], [CORNER])
    assert search.best(Sum(), 0).choices[0].point != CORNER


def test_a_score_that_is_next_to_nothing_is_widened_and_stays_so(searches: list[str]) -> None:
    search = Search(request(SQUARE, [], [], n=4), ground_of(SQUARE), [], [])
    assert search.best(Sum(negligible=1.0), 0).score.name == "sum"
    assert search.best(Sum(negligible=9.0), 1).score.name == "widened sum"
    assert search.best(Sum(negligible=1.0), 2).score.name == "widened sum"
    assert searches == ["sum", "sum", "widened sum", "widened sum"]


def test_what_cannot_be_widened_any_more_is_searched_as_it_is(searches: list[str]) -> None:
    search = Search(request(SQUARE, [], [], n=4), ground_of(SQUARE), [], [])
    search.best(Sum(negligible=9.0), 0)
    found = search.best(Sum(negligible=-math.inf), 1)
    assert found.score.name == "sum"
    assert found.choices[0].point == CORNER
    assert searches == ["sum", "widened sum", "sum"]


def test_once_nothing_is_expected_each_further_point_of_a_batch_takes_one_search(searches: list[str]) -> None:
    grid = [(i / 6, j / 6) for i in range(7) for j in range(7)]
    observed = [Observed(point={"a": a, "b": b}, values={"y": math.cos(3.0 * a) + b}) for a, b in grid]
    batch = ask(SQUARE, observed, n=6)
    evenly = [str(p.acquisition_name).endswith("members weighted evenly") for p in batch]
    assert any(evenly)
    assert evenly == sorted(evenly)
    assert len(searches) == len(batch) + 1
