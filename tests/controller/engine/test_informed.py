"""Proposals of campaigns that know more than their own results."""

from __future__ import annotations

import math

import numpy as np
import pytest

from controller.domain.base import Point
from controller.domain.fidelity import Fidelity
from controller.domain.knowledge import EarlierCampaign, Knowledge
from controller.domain.proposal import Proposal
from controller.domain.request import Observed
from controller.domain.space import Problem
from controller.engine.thinking import calibrations, predict, propose, reconsider
from tests.controller.spaces import ask, continuous, loop, pool_problem, problem, request

PLAIN = problem(continuous("a", "b"))


def peak(point: Point) -> float:
    return 5.0 - 8.0 * (float(point["a"]) - 0.3) ** 2 - 8.0 * (float(point["b"]) - 0.7) ** 2


def earlier(scale: float = 2.0, n: int = 16) -> EarlierCampaign:
    """A sister with another level, another range and an optimum close by."""
    points = [{"a": float(a), "b": float(b)} for a, b in np.random.default_rng(0).random((n, 2))]
    values = tuple(scale * peak({"a": float(p["a"]) - 0.05, "b": p["b"]}) + 3.0 for p in points)
    return EarlierCampaign(name="sister", points={k: tuple(p[k] for p in points) for k in "ab"}, values={"y": values})


def knowing(which: Problem, *campaigns: EarlierCampaign) -> Problem:
    return which.model_copy(update={"knowledge": Knowledge(earlier=campaigns)})


def test_last_of_the_first_points_is_where_the_earlier_campaign_was_best() -> None:
    batch, plain = ask(knowing(PLAIN, earlier()), n=7), ask(PLAIN, n=7)
    assert [p.source for p in batch] == [*["space-filling"] * 4, "model", *["space-filling"] * 2]
    assert peak(batch[4].point) > 4.8
    assert [p.point for p in batch[:4] + batch[5:]] == [p.point for p in plain[:4] + plain[5:]]
    _, proposals = loop(knowing(PLAIN, earlier()), lambda p: {"y": peak(p)}, 6)
    assert [p.source for p in proposals] == [*["space-filling"] * 4, "model", "model"]
    assert peak(proposals[4].point) > 4.8
    assert "earlier campaigns followed, believed by" in proposals[5].note


def test_earlier_campaign_upside_down_leaves_all_but_one_of_the_first_points_as_they_would_be() -> None:
    _, proposals = loop(knowing(PLAIN, earlier(-2.0)), lambda p: {"y": peak(p)}, 8)
    _, plain = loop(PLAIN, lambda p: {"y": peak(p)}, 4)
    assert [p.point for p in proposals[:4]] == [p.point for p in plain]
    assert "earlier campaigns not followed, believed by" in proposals[5].note
    assert max(peak(p.point) for p in proposals) > 4.5


def test_in_a_list_proposals_are_as_they_would_be_until_there_is_a_test() -> None:
    which = pool_problem(200, 2)
    points = {"x0": tuple(np.linspace(0, 1, 20)), "x1": tuple(np.linspace(1, 0, 20))}
    values = tuple(-abs(x - 0.25) for x in points["x0"])
    told = knowing(which, EarlierCampaign(name="e", points=points, values={"y": values}))

    def measure(point: Point) -> dict[str, float]:
        return {"y": -abs(float(point["x0"]) - 0.3)}

    _, proposals = loop(told, measure, 6)
    _, plain = loop(which, measure, 5)
    assert [p.point for p in proposals[:5]] == [p.point for p in plain]
    assert "not followed before 5 results" in proposals[4].note
    assert "earlier campaigns followed" in proposals[5].note


def test_informed_proposals_are_reproducible_and_can_be_reconsidered() -> None:
    which = knowing(PLAIN, earlier())
    observed = [Observed(point=p.point, values={"y": peak(p.point)}) for p in ask(which, n=4)]
    asked = request(which, observed, [{"a": 0.5, "b": 0.5}])
    (first,), (second,) = propose(asked), propose(type(asked).model_validate_json(asked.model_dump_json()))
    assert (first.point, first.acquisition) == (second.point, second.acquisition)
    again = reconsider(asked)
    assert again.score is not None
    assert float(again.score(again.encoder.encode([first.point]))) == pytest.approx(first.acquisition)
    near, far = (found["y"].mean for found in predict(which, asked.policy, [], [{"a": 0.35, "b": 0.7}, {"a": 1.0, "b": 0.0}], 0))
    assert near > far + 5.0


def test_what_is_not_used_is_not_written_so_that_older_campaigns_keep_their_fingerprints() -> None:
    assert not {"knowledge", "fidelity"} & PLAIN.model_dump(mode="json").keys()
    told = knowing(PLAIN, earlier())
    assert Problem.model_validate_json(told.model_dump_json()) == told


LEVELS = Fidelity.model_validate({"levels": {"screen": {"cost": 1}, "real": {"cost": 10}}, "target": "real"})
TWO = problem({**continuous("a", "b"), "fidelity": LEVELS.parameter.model_dump()}, fidelity=LEVELS)


def run(*, useful: bool, budget: float, n: int = 1) -> tuple[list[Observed], list[Proposal]]:
    """Spend a budget of costs on the peak, with a cheap level that sees it moved or sees something else."""
    observed: list[Observed] = []
    proposals: list[Proposal] = []
    while sum(LEVELS.cost_of(o.point) for o in observed) < budget:
        for proposal in ask(TWO, observed, n=n):
            p = proposal.point
            cheap = 2.0 * peak({**p, "a": float(p["a"]) - 0.05}) if useful else 9.0 * math.sin(61.0 * float(p["a"]) * float(p["b"]))
            observed.append(Observed(point=p, values={"y": peak(p) if LEVELS.is_target(p) else cheap}))
            proposals.append(proposal)
    return observed, proposals


def test_first_points_are_cheap_and_the_target_is_turned_to() -> None:
    observed, proposals = run(useful=True, budget=60)
    levels = [str(o.point["fidelity"]) for o in observed]
    assert levels[:5] == ["screen"] * 5
    assert [p.source for p in proposals[:5]] == ["space-filling"] * 5
    # A prediction of the target is not put to the test by what is measured at another level.
    tested = {LEVELS.is_target(p.point): bool(p.predictions["y"].scale) for p in proposals[5:]}
    assert tested == {True: True, False: False}
    real = [peak(o.point) for o in observed if LEVELS.is_target(o.point)]
    assert real
    assert max(real) > 4.95
    assert all(p.acquisition_name and "unit of cost" in p.acquisition_name for p in proposals[5:])
    assert len({str(sorted(o.point.items())) for o in observed}) == len(observed)


def test_useless_cheap_level_is_left_within_a_few_experiments() -> None:
    observed, _ = run(useful=False, budget=110)
    levels = [LEVELS.is_target(o.point) for o in observed]
    cheap_cost = levels.count(False)
    assert cheap_cost <= 40
    assert all(levels[-3:])


def test_levels_are_told_apart_in_predictions_and_calibration() -> None:
    observed, proposals = run(useful=True, budget=70, n=2)
    asked = request(TWO, observed, [])
    here = {"a": 0.3, "b": 0.7}
    (real,) = predict(TWO, asked.policy, observed, [{**here, "fidelity": "real"}], 0)
    assert real["y"].mean == pytest.approx(5.0, abs=0.5)
    n_real = sum(LEVELS.is_target(o.point) for o in observed)
    report = calibrations(TWO, asked.policy, observed, 0).get("y")
    assert (report is None) == (n_real < 5)
    assert all(p.source != "stand-in" for p in proposals), [p.note for p in proposals]
