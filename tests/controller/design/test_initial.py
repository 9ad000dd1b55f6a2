from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings

from controller.design.initial import first_points, space_filling, stand_in
from controller.domain.campaign import ProposalPolicy
from controller.domain.request import Observed
from controller.domain.space import DescriptorTable, Pool, Problem
from controller.errors import SpaceExhaustedError
from tests.controller.spaces import continuous, pool_problem, problem, problems, request

LIGANDS = {"ligand": {"type": "categorical", "choices": [f"L{i}" for i in range(8)]}}


@settings(max_examples=40, deadline=None)
@given(problems())
def test_space_filling_points_are_allowed_and_differ(which: Problem) -> None:
    try:
        points = space_filling(which, ProposalPolicy(), [], 6, seed=1)
    except SpaceExhaustedError:
        return  # a few small spaces hold fewer settings
    assert all(which.allows(p) for p in points)
    assert len({which.key(p) for p in points}) == 6


def test_module_loads_without_torch() -> None:
    code = "import sys, controller.design.initial; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        pytest.param(problem(continuous("a")), 5, id="space"),
        pytest.param(pool_problem(20, 2), 1, id="pool"),
        pytest.param(
            problem(LIGANDS, pool=Pool(columns={"ligand": ("L0", "L1")})), 5, id="pool with a bare large category"
        ),
        pytest.param(
            problem(
                LIGANDS,
                pool=Pool(columns={"ligand": ("L0", "L1")}),
                descriptors={"ligand": DescriptorTable(columns={"size": tuple(float(i) for i in range(8))})},
            ),
            1,
            id="pool with a described category",
        ),
    ],
)
def test_first_points_are_as_few_as_the_space_needs(which: Problem, expected: int) -> None:
    assert first_points(which, ProposalPolicy()) == expected
    assert first_points(which, ProposalPolicy(first_points=3)) == 3


def test_points_of_a_batch_fill_a_pool() -> None:
    which = pool_problem(200, 2)
    points = space_filling(which, ProposalPolicy(), [], 4, seed=0)
    xy = np.array([[float(p["x0"]), float(p["x1"])] for p in points])
    gaps = [np.linalg.norm(a - b) for i, a in enumerate(xy) for b in xy[:i]]
    # Random rows are closer than this in nine of ten draws.
    assert min(gaps) > 0.4


def test_pool_rows_are_returned_as_the_pool_has_them() -> None:
    exact = (1 / 3, 2 / 3, 0.12345678901234)
    which = problem(continuous("a"), pool=Pool(columns={"a": exact}))
    points = space_filling(which, ProposalPolicy(), [], 3, seed=0)
    assert {p["a"] for p in points} == set(exact)


def test_stand_in_is_quick_on_a_large_pool() -> None:
    which = pool_problem(1728, 5)
    asked = request(which, [Observed(point=which.pool.row(i), values=None) for i in range(20)], [])  # type: ignore[union-attr]
    stand_in(asked)
    begin = time.process_time()
    (proposal,) = stand_in(asked, "it was late")
    assert time.process_time() - begin < 0.05
    assert (proposal.source, proposal.note) == ("stand-in", "it was late")


def test_exhausted_pool_is_reported_unless_replicates_are_allowed() -> None:
    which = pool_problem(3, 1)
    assert which.pool is not None
    done = [which.pool.row(i) for i in range(3)]
    with pytest.raises(SpaceExhaustedError, match="all 3 allowed settings"):
        stand_in(request(which, [], done))
    again = which.model_copy(update={"allow_replicates": True})
    assert stand_in(request(again, [], done))[0].point in done


def test_pool_rows_outside_the_constraints_are_never_proposed() -> None:
    which = pool_problem(60, 2, constraints=("x0 + x1 <= 0.6",))
    points = space_filling(which, ProposalPolicy(), [], 5, seed=0)
    assert all(float(p["x0"]) + float(p["x1"]) <= 0.6 for p in points)


def test_first_point_of_a_box_is_its_middle_and_the_choice_is_drawn() -> None:
    which = problem(
        {
            "a": {"type": "continuous", "bounds": [2.0, 4.0]},
            "rate": {"type": "continuous", "bounds": [0.01, 100.0], "scale": "log"},
            "n": {"type": "integer", "bounds": [1, 9]},
            "c": {"type": "categorical", "choices": ["x", "y", "z"]},
        }
    )
    found = [space_filling(which, ProposalPolicy(), [], 2, seed=seed) for seed in range(8)]
    for middle, other in found:
        assert middle["a"] == pytest.approx(3.0)
        assert middle["rate"] == pytest.approx(1.0)
        assert middle["n"] == 5
        assert other["a"] != middle["a"]
    assert len({points[0]["c"] for points in found}) > 1
    taken = found[0][0]
    assert space_filling(which, ProposalPolicy(), [taken], 1, seed=0, place=0)[0] != taken
