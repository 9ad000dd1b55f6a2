from __future__ import annotations

import json
import math
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.design import initial
from controller.domain.base import Point
from controller.domain.campaign import ProposalPolicy
from controller.domain.objective import best_of
from controller.domain.proposal import Proposal
from controller.domain.request import Observed, Request
from controller.domain.space import DescriptorTable, Pool, Problem
from controller.engine import thinking, thinking_ground
from controller.engine.thinking import calibrations, predict, propose
from controller.errors import SpaceExhaustedError
from surrogates.specs import DeepEnsembleSpec, RandomForestSpec
from tests.controller.spaces import ask, continuous, loop, pool_problem, problem, problems, request


def branin(point: Point) -> dict[str, float]:
    x, y = 15.0 * float(point["a"]) - 5.0, 15.0 * float(point["b"])
    b, c, t = 5.1 / (4 * math.pi**2), 5 / math.pi, 1 / (8 * math.pi)
    return {"y": (y - b * x**2 + c * x - 6) ** 2 + 10 * (1 - t) * math.cos(x) + 10}


BRANIN = problem(continuous("a", "b"), {"y": {"goal": "minimize"}})


def value(proposal: Proposal) -> float:
    """Something to measure in any space, smooth enough to be learned."""
    return sum(len(v) if isinstance(v, str) else math.sin(float(v)) for v in proposal.point.values())


@settings(max_examples=15, deadline=None)
@given(problems(), st.integers(0, 2**62), st.integers(1, 3))
def test_proposals_are_always_allowed_and_never_repeated(which: Problem, seed: int, n: int) -> None:
    observed: list[Observed] = []
    pending: list[Point] = []
    seen = set()
    for turn in range(5):
        try:
            proposals = ask(which, observed, pending, n=n, seed=seed)
        except SpaceExhaustedError:
            return  # a few small spaces hold fewer settings
        for proposal in proposals:
            assert which.allows(proposal.point)
            assert which.key(proposal.point) not in seen
            seen.add(which.key(proposal.point))
        assert all(p.source != "stand-in" for p in proposals), [p.note for p in proposals]
        # Some experiments stay under way, one fails.
        pending += [p.point for p in proposals[1:]]
        observed += [Observed(point=p.point, values={"y": value(p)}) for p in proposals[:1]]
        if turn == 2:
            observed += [Observed(point=p, values=None) for p in pending]
            pending = []


@pytest.mark.parametrize("which", [BRANIN, pool_problem(80, 3)], ids=["space", "pool"])
def test_proposals_are_the_same_bit_for_bit_and_leave_the_global_random_state_alone(which: Problem) -> None:
    observed, _ = loop(which, lambda p: {"y": float(sum(float(v) for v in p.values()))}, 8)
    asked = request(which, observed, [], n=3)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    state = np.random.get_state()[1].copy()  # type: ignore[index]
    first = propose(asked)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], state)  # type: ignore[index]
    thinking_ground._grounds.clear()
    torch.manual_seed(6)
    second = propose(Request.model_validate_json(asked.model_dump_json()))
    assert all(p.source == "model" for p in first)
    assert [without_times(p) for p in first] == [without_times(p) for p in second]


def without_times(proposal: Proposal) -> dict[str, object]:
    content = proposal.model_dump(mode="json", exclude={"seconds"})
    for report in content["surrogate"].values():
        del report["seconds"]
    return content


def test_proposals_do_not_depend_on_the_number_of_threads() -> None:
    observed, _ = loop(BRANIN, branin, 9)
    threads = torch.get_num_threads()
    points = []
    try:
        for n in (1, 3):
            torch.set_num_threads(n)
            points.append(ask(BRANIN, observed)[0].point)
            assert torch.get_num_threads() == n
    finally:
        torch.set_num_threads(threads)
    assert points[0] == points[1]


def test_every_point_of_the_model_tells_how_far_it_lies_from_the_data() -> None:
    rows = [(round(0.05 * i, 2), round(0.1 * (i % 3), 2)) for i in range(9)] + [(1.0, 1.0), (0.22, 0.11)]
    which = problem(continuous("a", "b"), pool=Pool(columns={"a": tuple(r[0] for r in rows), "b": tuple(r[1] for r in rows)}))
    observed = [Observed(point={"a": a, "b": b}, values={"y": a * b}) for a, b in rows[:9]]
    (first,) = ask(which, observed)
    (second,) = ask(which, observed, [first.point])
    near, far = sorted((first, second), key=lambda p: float(p.point["a"]))
    assert far.out_of_distribution
    assert not near.out_of_distribution
    assert near.novelty["y"].spread < far.novelty["y"].spread
    assert ask(which)[0].novelty == {}


@pytest.mark.parametrize("size", [1e-7, 1e7])
def test_unit_of_a_value_to_match_changes_no_proposal(size: float) -> None:
    def last(scale: float) -> Point:
        which = problem(continuous("a", "b"), {"y": {"goal": "match", "target": 0.5 * scale}})
        points = [(0.1, 0.2), (0.9, 0.7), (0.4, 0.9), (0.6, 0.1), (0.2, 0.6), (0.8, 0.4)]
        observed = [Observed(point={"a": a, "b": b}, values={"y": scale * (a * a + 0.3 * b)}) for a, b in points]
        return ask(which, observed)[0].point

    assert last(size) == pytest.approx(last(1.0), abs=0.02)


def test_other_seeds_begin_elsewhere_after_the_middle() -> None:
    begun = [[proposal.point for proposal in ask(BRANIN, seed=s, n=2)] for s in range(5)]
    assert {json.dumps(points[0]) for points in begun} == {json.dumps({"a": 0.5, "b": 0.5})}
    assert len({json.dumps(points[1]) for points in begun}) == 5


def test_model_beats_chance_on_branin() -> None:
    reached = []
    for seed in range(3):
        observed, proposals = loop(BRANIN, branin, 18, seed=seed)
        reached.append(min(o.values["y"] for o in observed if o.values))
        assert [p.source for p in proposals] == ["space-filling"] * 5 + ["model"] * 13
    # The minimum is 0.398; the best of 18 random points has a median of about 3.
    assert float(np.mean(reached)) < 0.8


def test_pool_minimum_is_found_sooner_than_by_chance() -> None:
    which = pool_problem(400, 3, {"y": {"goal": "minimize"}})
    assert which.pool is not None

    def measure(point: Point) -> dict[str, float]:
        return {"y": sum((float(v) - 0.3) ** 2 for v in point.values())}

    values = sorted(measure(which.pool.row(i))["y"] for i in range(400))
    observed, proposals = loop(which, measure, 15)
    assert min(o.values["y"] for o in observed if o.values) <= values[2]
    assert [p.source for p in proposals] == ["space-filling"] + ["model"] * 14
    last = proposals[-1]
    # Minimised objectives are reported on their own scale.
    assert last.predictions["y"].mean == pytest.approx(measure(last.point)["y"], abs=0.05)


def test_two_objectives_approach_the_known_front() -> None:
    which = problem(continuous("a", "b", "c"), {"f": {"goal": "minimize"}, "g": {"goal": "minimize"}})

    def measure(point: Point) -> dict[str, float]:
        # ZDT1: the front is g = 1 - sqrt(f) at b = c = 0.
        f, h = float(point["a"]), 1 + 4.5 * (float(point["b"]) + float(point["c"]))
        return {"f": f, "g": h * (1 - math.sqrt(f / h))}

    observed, proposals = loop(which, measure, 22)
    rows = [o.values for o in observed if o.values]
    front = [rows[i] for i in best_of(which.objectives, rows)]
    close = [r for r in front if r["g"] - (1 - math.sqrt(r["f"])) < 0.15]
    assert len(close) >= 6
    assert max(r["f"] for r in close) - min(r["f"] for r in close) > 0.2
    assert proposals[-1].acquisition_name == "log expected hypervolume improvement"
    assert set(proposals[-1].predictions) == set(proposals[-1].surrogate) == {"f", "g"}


def test_two_objectives_are_screened_in_a_pool_with_a_target() -> None:
    goals = {"f": {"goal": "maximize"}, "g": {"goal": "match", "target": 0.9}}
    which = pool_problem(300, 3, goals)
    observed, proposals = loop(
        which, lambda p: {"f": -abs(float(p["x0"]) - 0.5), "g": float(p["x1"]) + float(p["x2"])}, 14, n=2
    )
    assert all(p.source == "model" for p in proposals[2:])
    best = max(-abs(o.values["g"] - 0.9) + o.values["f"] for o in observed if o.values)
    assert best > -0.1


@pytest.mark.parametrize("which", ["space", "pool"])
def test_target_is_matched(which: str) -> None:
    goal = {"y": {"goal": "match", "target": 0.9}}
    searched = problem(continuous("x0", "x1"), goal) if which == "space" else pool_problem(500, 2, goal)
    observed, proposals = loop(searched, lambda p: {"y": math.sin(3 * float(p["x0"])) + float(p["x1"]) ** 2}, 14)
    assert min(abs(o.values["y"] - 0.9) for o in observed if o.values) < 0.01
    assert proposals[-1].acquisition_name == "log expected improvement towards the target"


def test_failing_region_is_avoided() -> None:
    which = problem(continuous("a", "b"))

    def measure(point: Point) -> dict[str, float] | None:
        a, b = float(point["a"]), float(point["b"])
        return None if a > 0.5 else {"y": -((a - 0.2) ** 2) - (b - 0.7) ** 2 + 0.3 * a}

    observed, proposals = loop(which, measure, 22)
    failed = [o.values is None for o in observed]
    assert any(failed[:6])
    assert sum(failed[-8:]) <= 2
    assert str(proposals[-1].acquisition_name).endswith("times the probability of success")
    assert max(o.values["y"] for o in observed if o.values) > 0.07


def test_nothing_but_failures_keeps_filling_the_space() -> None:
    _, proposals = loop(problem(continuous("a", "b")), lambda p: None, 8)
    assert {p.source for p in proposals} == {"space-filling"}
    assert "nothing was measured yet" in proposals[-1].note


@pytest.mark.parametrize("which", [pool_problem(50, 2), problem(continuous("x0", "x1"))], ids=["pool", "space"])
def test_one_observation_is_enough_for_the_model(which: Problem) -> None:
    observed = [Observed(point={"x0": 0.2, "x1": 0.7} if which.pool is None else which.pool.row(0), values={"y": 3.0})]
    (proposal,) = ask(which, observed, policy=ProposalPolicy(first_points=1))
    assert proposal.source == "model"
    assert len(proposal.runners_up) >= 3


@pytest.mark.parametrize("which", [pool_problem(50, 2), problem(continuous("x0", "x1"))], ids=["pool", "space"])
def test_equal_observations_keep_the_model_exploring(which: Problem) -> None:
    _, proposals = loop(which, lambda p: {"y": 4.2}, 10)
    assert [p.source for p in proposals[5:]] == ["model"] * 5
    xs = np.array([[float(p.point["x0"]), float(p.point["x1"])] for p in proposals])
    assert np.linalg.norm(xs[:, None] - xs[None, :], axis=-1)[np.triu_indices(10, 1)].min() > 0.03


def test_small_categorical_space_is_searched_completely_and_then_exhausted() -> None:
    which = problem({n: {"type": "categorical", "choices": ["u", "v", "w"]} for n in ("a", "b")})
    observed, proposals = loop(which, lambda p: {"y": ord(str(p["a"])) * 2.0 + ord(str(p["b"]))}, 9)
    assert len({which.key(p.point) for p in proposals}) == 9
    with pytest.raises(SpaceExhaustedError, match="all 9 allowed settings"):
        ask(which, observed)
    again = which.model_copy(update={"allow_replicates": True})
    assert ask(again, observed)[0].point == {"a": "w", "b": "w"}


def test_batch_larger_than_what_is_left_gives_what_is_left() -> None:
    which = pool_problem(5, 2)
    assert which.pool is not None
    observed = [Observed(point=which.pool.row(i), values={"y": float(i)}) for i in range(2)]
    assert len(ask(which, observed, [which.pool.row(2)], n=4)) == 2


def test_pending_points_push_the_next_one_away() -> None:
    observed, _ = loop(BRANIN, branin, 7)
    (first,) = ask(BRANIN, observed)
    (second,) = ask(BRANIN, observed, [first.point])
    gap = math.dist([float(v) for v in first.point.values()], [float(v) for v in second.point.values()])
    assert gap > 0.03
    # A batch is the same as asking one by one.
    batch = ask(BRANIN, observed, n=2)
    assert batch[0].point == first.point
    assert batch[1].data_fingerprint == second.data_fingerprint


def test_structures_tell_the_model_which_choices_are_alike() -> None:
    pytest.importorskip("rdkit")
    smiles = ("C", "CC", "CCC", "CCCC", "c1ccccc1", "Cc1ccccc1", "CCc1ccccc1", "CCCc1ccccc1")
    choices = [f"S{i}" for i in range(8)]
    which = problem(
        {"s": {"type": "categorical", "choices": choices}},
        pool=Pool(columns={"s": tuple(choices)}),
        descriptors={"s": DescriptorTable(smiles=smiles)},
    )
    observed = [Observed(point={"s": s}, values={"y": y}) for s, y in (("S0", 0.0), ("S3", 0.5), ("S5", 9.0))]
    (proposal,) = ask(which, observed)
    assert proposal.point["s"] in ("S4", "S6", "S7")
    expected = predict(which, ProposalPolicy(), observed, [{"s": "S6"}, {"s": "S1"}], 0, "cpu")
    assert expected[0]["y"].mean > expected[1]["y"].mean + 1.0


def test_proposal_is_filled_and_serialises() -> None:
    observed, _ = loop(BRANIN, branin, 9)
    (proposal,) = ask(BRANIN, observed, seed=3)
    assert Proposal.model_validate_json(proposal.model_dump_json()) == proposal
    assert proposal.source == "model"
    assert proposal.acquisition is not None
    assert all(r.acquisition <= proposal.acquisition for r in proposal.runners_up)
    assert len(proposal.runners_up) >= 3
    assert proposal.predictions["y"].sd > 0
    assert len(proposal.data_fingerprint) == 64
    assert proposal.surrogate["y"]["observations"] == 9  # type: ignore[index]
    assert proposal.seed == 3
    assert proposal.seconds > 0


def test_numerical_failure_falls_back_to_space_filling_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    observed, _ = loop(BRANIN, branin, 6)

    def broken(*_: object, **__: object) -> None:
        raise np.linalg.LinAlgError("not positive definite")

    monkeypatch.setattr(thinking, "fit_informed", broken)
    proposals = ask(BRANIN, observed, n=2)
    assert [p.source for p in proposals] == ["stand-in", "stand-in"]
    assert "not positive definite" in proposals[0].note
    assert proposals[0].point != proposals[1].point


def test_extreme_values_do_not_stop_the_model() -> None:
    observed = [
        Observed(point={"a": 0.1 * i, "b": (0.37 * i) % 1}, values={"y": y})
        for i, y in enumerate([1e300, -1e300, 0.0, 1e-300, 5.0, 1e12])
    ]
    (proposal,) = ask(BRANIN, observed)
    assert BRANIN.allows(proposal.point)


def test_duplicated_settings_are_learned_from() -> None:
    which = BRANIN.model_copy(update={"allow_replicates": True})
    observed = [Observed(point={"a": 0.3, "b": 0.3}, values={"y": 1.0 + 0.1 * i}) for i in range(6)]
    assert ask(which, observed)[0].source == "model"


@pytest.mark.parametrize(
    "spec", [DeepEnsembleSpec(members=3, hidden=(16,), epochs=40), RandomForestSpec(trees=9)], ids=lambda spec: spec.kind
)
def test_other_surrogates_can_be_asked_for(spec: DeepEnsembleSpec | RandomForestSpec) -> None:
    observed, _ = loop(BRANIN, branin, 7)
    first, again = (ask(BRANIN, observed, policy=ProposalPolicy(surrogate=spec))[0] for _ in range(2))
    assert first.source == "model", first.note
    assert first.surrogate["y"]["kind"] == spec.kind  # type: ignore[index]
    assert first.point == again.point


def test_predictions_are_near_what_was_measured_and_on_its_scale() -> None:
    observed, _ = loop(BRANIN, branin, 14)
    expected = predict(BRANIN, ProposalPolicy(), observed, [o.point for o in observed], 0, "cpu")
    for row, o in zip(expected, observed, strict=True):
        assert o.values is not None
        assert row["y"].mean == pytest.approx(o.values["y"], abs=max(5.0, 5 * row["y"].sd))
    assert predict(BRANIN, ProposalPolicy(), [], [{"a": 0.1, "b": 0.2}], 0, "cpu") == [{}]
    assert calibrations(BRANIN, ProposalPolicy(), observed, 0, "cpu")["y"].observations == 14


def test_objective_without_a_value_yet_waits_for_the_first() -> None:
    which = problem(continuous("a", "b"), {"f": {"goal": "maximize"}, "g": {"goal": "maximize"}})
    observed = [Observed(point={"a": 0.1 * i, "b": 0.5}, values={"f": float(i)}) for i in range(6)]
    assert ask(which, observed)[0].source == "space-filling"


def test_proposals_are_quick() -> None:
    which = pool_problem(1728, 5)
    assert which.pool is not None
    observed = [Observed(point=which.pool.row(i), values={"y": float(which.pool.row(i)["x0"])}) for i in range(40)]
    six = problem(continuous(*(f"x{j}" for j in range(6))))
    rows = np.random.default_rng(0).random((40, 6))
    measured = [
        Observed(point={f"x{j}": float(v) for j, v in enumerate(row)}, values={"y": float(np.sin(row * 3).sum())})
        for row in rows
    ]
    for problem_, seen, limit in ((which, observed, 0.5), (six, measured, 1.5)):
        ask(problem_, seen)
        begin = time.process_time()
        assert ask(problem_, seen)[0].source == "model"
        assert time.process_time() - begin < limit


def test_stand_in_is_offered_beside_propose() -> None:
    assert thinking.stand_in is initial.stand_in
