"""What the proposer is asked has a bounded length, and forgets nothing that could be proposed again."""

from __future__ import annotations

import math

import pytest

from controller.design.candidates import MOST_LISTED
from controller.design.initial import seen_points, stand_in
from controller.domain.campaign import Budget, Definition
from controller.domain.event import Observation
from controller.domain.lab import InstrumentSpec, LabSpec, StepSpec
from controller.domain.space import Pool, Problem
from controller.domain.state import CampaignState
from controller.engine.asking import MOST_OTHERS, request_for
from controller.learn.selection import MOST_LEARNED
from tests.controller.spaces import continuous, problem

N = 3 * MOST_LEARNED


def _definition(searched: Problem) -> Definition:
    lab = LabSpec(
        lab="bench",
        instruments={"one": InstrumentSpec(driver="simulated-table")},
        protocol=(StepSpec(step="measure", instrument="one", action="measure"),),
    )
    return Definition(name="long", problem=searched, budget=Budget(experiments=10 * N), lab=lab)


def _state() -> CampaignState:
    state = CampaignState(lean=True, n_experiments=N)
    for i in range(N):
        state.history.put(i + 1, {"a": i / N}, None if i % 50 == 0 else {"y": Observation(value=-abs(i - 700.0))})
    return state


def test_request_of_a_long_campaign_is_short_and_keeps_the_best() -> None:
    asked = request_for(_definition(problem(continuous("a"), {"y": {"goal": "maximize"}})), _state(), [702], 1, "cpu")
    assert (len(asked.observed), asked.left_out, asked.others) == (MOST_LEARNED, N - MOST_LEARNED, {})
    assert {"a": 701 / N} in asked.observed.settings()
    assert asked.observed.settings()[-1] == {"a": (N - 1) / N}
    assert asked.number == N + 1


def test_settings_that_can_be_counted_are_all_told() -> None:
    searched = problem(continuous("a"), pool=Pool(columns={"a": tuple(i / N for i in range(N + 5))}))
    asked = request_for(_definition(searched), _state(), [], 5, "cpu")
    assert len(asked.observed) == MOST_LEARNED
    assert len(seen_points(asked)) == N
    assert sorted(float(p.point["a"]) for p in stand_in(asked)) == [i / N for i in range(N, N + 5)]
    asked = request_for(_definition(searched.model_copy(update={"allow_replicates": True})), _state(), [], 5, "cpu")
    assert (len(asked.observed), asked.others) == (MOST_LEARNED, {}), "what may be proposed again need not be told for ever"


def test_of_a_space_too_large_to_be_listed_the_newest_settings_are_told_and_those_that_came_up_again() -> None:
    n = MOST_OTHERS + 2 * MOST_LEARNED
    searched = problem({"a": {"type": "integer", "bounds": (0, MOST_LISTED)}})
    state = CampaignState(lean=True, n_experiments=n)
    for i in range(n):
        state.history.put(i + 1, {"a": i}, {"y": Observation(value=1.0)})
    definition = _definition(searched)
    asked = request_for(definition, state, [], 1, "cpu", refused=[{"a": 7}, {"a": 8}])
    assert (len(asked.observed), len(asked.others["a"])) == (MOST_LEARNED, MOST_OTHERS + 2)
    told = {point["a"] for point in seen_points(asked)}
    assert told >= {7, 8, *range(n - MOST_OTHERS, n)}
    assert asked.left_out == n - MOST_LEARNED
    everything = request_for(definition, state, [], 1, "cpu", most_others=math.inf)
    assert len(seen_points(everything)) == n
    small = problem({"a": {"type": "integer", "bounds": (1, MOST_LISTED)}})
    assert len(seen_points(request_for(_definition(small), state, [], 1, "cpu"))) == n, "it ends when every setting is done"


@pytest.mark.parametrize("n", [1, 4])
def test_space_filling_points_go_on_where_they_were(n: int) -> None:
    definition = _definition(problem(continuous("a", "b")))
    state, points = CampaignState(lean=True), []
    for _ in range(12 // n):
        made = stand_in(request_for(definition, state, [], n, "cpu"))
        for proposal in made:
            state.n_experiments += 1
            points.append(tuple(proposal.point.values()))
            if state.n_experiments % 2:  # what is left out of a request must not make the sequence begin again
                state.history.put(state.n_experiments, proposal.point, None)
    assert len(set(points)) == 12
