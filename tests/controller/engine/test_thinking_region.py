"""Campaigns whose search is kept to a trust region, and what is told of it."""

from __future__ import annotations

import numpy as np
import pytest

from controller.campaign import Campaign
from controller.domain.base import Point
from controller.domain.campaign import Definition, ProposalPolicy
from controller.domain.proposal import Proposal
from controller.domain.request import Observed
from controller.domain.space import Problem
from controller.engine.thinking_ground import ground_of
from controller.engine.thinking_search import trust_region
from tests.controller.spaces import ask, continuous, problem, request
from tests.controller.store.samples import make_definition

NAMES = [f"x{j}" for j in range(12)]
LOCAL, EVERYWHERE = ProposalPolicy(trust_region=True), ProposalPolicy(trust_region=False)
PLAIN = problem(continuous(*NAMES, low=-1.0, high=3.0))


def bowl(point: Point) -> float:
    return -sum((float(v) - 0.3) ** 2 for v in point.values())


def observed(which: Problem, n: int) -> list[Observed]:
    """The bottom, and around it `n` results that are worse."""
    rows = (0.25 + 0.1 * np.random.default_rng(0).random((n, 12))).tolist()
    points: list[Point] = [dict.fromkeys(NAMES, 0.3), *(dict(zip(NAMES, row, strict=True)) for row in rows)]
    assert all(which.allows(point) for point in points)
    return [Observed(point=point, values={"y": bowl(point)}) for point in points]


def widest(proposal: Proposal) -> float:
    """How far the point lies from the bottom, in its farthest coordinate, as a share of the range."""
    return max(abs(float(v) - 0.3) for v in proposal.point.values()) / 4.0


def test_points_are_looked_for_inside_and_the_region_is_kept() -> None:
    results = observed(PLAIN, 64)
    for proposal in ask(PLAIN, results, n=3, policy=LOCAL):
        assert proposal.source == "model"
        assert proposal.region is not None
        assert proposal.region.side == pytest.approx(0.1)
        assert proposal.region.around == dict.fromkeys(NAMES, 0.3)
        assert widest(proposal) <= 0.1
    assert all(p.region is None for p in ask(PLAIN, results, policy=EVERYWHERE))
    assert "region" not in ask(PLAIN, results, policy=EVERYWHERE)[0].model_dump(mode="json")


def test_the_same_results_give_the_same_region_and_points() -> None:
    results = observed(PLAIN, 20)
    assert [p.point for p in ask(PLAIN, results, n=2, policy=LOCAL)] == [p.point for p in ask(PLAIN, results, n=2, policy=LOCAL)]


def test_constraints_hold_inside() -> None:
    which = problem(continuous(*NAMES, low=-1.0, high=3.0), constraints=(" + ".join(NAMES) + " >= 2", "x0 + x1 <= 2.1"))
    (proposal,) = ask(which, observed(which, 64), policy=LOCAL)
    assert proposal.region is not None
    assert which.allows(proposal.point)
    assert widest(proposal) <= 0.1 + 1e-6


def test_there_is_none_where_no_one_result_is_the_best() -> None:
    several = problem(continuous(*NAMES), {"y": {"goal": "maximize"}, "z": {"goal": "maximize"}})
    explored = problem(continuous(*NAMES), {"y": {"goal": "explore"}})
    elsewhen = problem(continuous(*NAMES), context=continuous("humidity"))
    for which in (several, explored, elsewhen, PLAIN):
        rows = [Observed(point=o.point, values={name: bowl(o.point) for name in which.objectives}) for o in observed(PLAIN, 8)]
        found = trust_region(request(which, rows, [], policy=LOCAL), ground_of(which), rows)
        assert (found is not None) == (which is PLAIN)


def test_where_all_settings_inside_have_been_proposed_the_whole_space_is_searched() -> None:
    """Twelve levels that are the same but in one parameter: a small region holds nothing but its centre."""
    which = problem({name: {"type": "integer", "bounds": (0, 4)} for name in NAMES})
    centre: Point = dict.fromkeys(NAMES, 2)
    near: list[Point] = [{**centre, name: level} for name in NAMES for level in (1, 3)]
    rows = [Observed(point=p, values={"y": -sum((float(v) - 2.0) ** 2 for v in p.values())}) for p in [centre, *near, *near, *near]]
    (proposal,) = ask(which, rows, policy=LOCAL)
    assert proposal.source == "model"
    assert proposal.point not in [centre, *near]


def test_it_is_explained() -> None:
    lab = make_definition().lab
    content = {"name": "c", "problem": PLAIN, "budget": {"experiments": 99}, "lab": lab, "proposals": {"trust_region": True}}
    made = Campaign(Definition.model_validate(content))
    for row in observed(PLAIN, 24):
        made.tell(row.point, row.values)
    made.ask(1)
    told = made.why()
    assert told.region is not None
    assert told.region.experiment == 1
    assert told.region.side == pytest.approx(0.4)
    assert told.same_model
    (sentence,) = [s for s in told.summary if "trust region" in s]
    assert "inside a trust region of side 0.4 around experiment 1, 40 % of each parameter's range" in sentence
