from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from controller.domain.campaign import ProposalPolicy
from controller.domain.drift import Drift
from controller.domain.request import Observations, Observed, Request
from controller.domain.space import Problem
from controller.engine.thinking import predict, propose
from controller.learn.drift import corrected
from surrogates.data import Layout, TrainingData
from tests.controller.spaces import continuous, problem

REFERENCE = {"reference": {"x": 0.5, "y": 0.5}, "every": 5}


def response(point: dict[str, float]) -> float:
    return -4.0 * ((point["x"] - 0.7) ** 2 + (point["y"] - 0.3) ** 2)


def drifting_lab(which: Problem, n: int, seed: int) -> list[Observed]:
    """Carry out `n` experiments in a lab whose values sink by two while it works."""
    rng = np.random.default_rng(seed)
    observed: list[Observed] = []
    last = 0
    for number in range(1, n + 1):
        due = None if which.drift is None else 0 if last == 0 else max(0, 4 - (number - 1 - last))
        request = Request(
            problem=which, policy=ProposalPolicy(), observed=Observations.of(observed), pending=(), n=1, number=number, seed=seed,
            reference_in=due,
        )  # fmt: skip
        (proposal,) = propose(request)
        if proposal.source == "reference":
            assert proposal.point == REFERENCE["reference"]
            last = number
        value = response(proposal.point) - 2.0 * number / n + 0.05 * rng.standard_normal()  # type: ignore[arg-type]
        observed.append(Observed(point=proposal.point, values={"y": value}, number=number if which.drift else None))
    if which.drift:
        assert [o.number for o in observed if o.point == REFERENCE["reference"]] == [1, 6, 11, 16]
    return observed


def test_in_a_drifting_lab_the_best_is_found_with_references() -> None:
    distances = {False: 0.0, True: 0.0}
    for drift, seed in itertools.product((None, REFERENCE), (0, 1)):
        which = problem(continuous("x", "y"), {"y": {"goal": "maximize"}}, drift=drift)
        observed = drifting_lab(which, 18, seed=seed)
        grid = [{"x": float(x), "y": float(y)} for x in np.linspace(0, 1, 21) for y in np.linspace(0, 1, 21)]
        expected = predict(which, ProposalPolicy(), observed, grid, 1)
        best = grid[max(range(len(grid)), key=lambda i: expected[i]["y"].mean)]
        distances[drift is not None] -= response(best)
        if drift:
            # What is predicted is what would be measured now.
            assert expected[grid.index(best)]["y"].mean == pytest.approx(response(best) - 2.0, abs=0.3)
    assert distances[True] < 0.06
    assert distances[True] < distances[False]


def _data(shifts: list[float], noise: float = 0.02) -> TrainingData:
    generator = torch.Generator().manual_seed(0)
    n = len(shifts)
    X = torch.rand(n, 2, generator=generator, dtype=torch.float64)
    X[::4] = 0.5
    Y = torch.sin(3.0 * X.sum(-1, keepdim=True)) + noise * torch.randn(n, 1, generator=generator, dtype=torch.float64)
    return TrainingData(X, Y + torch.tensor(shifts, dtype=torch.float64).unsqueeze(1), Layout.numeric(2))


def test_offsets_of_blocks_are_taken_out() -> None:
    offsets = [0.0, 1.5, -0.7]
    data = _data([offsets[i // 8] for i in range(24)])
    found = corrected(data, range(1, 25), Drift(block=8))
    shift = found.shift.view(3, 8).mean(1)
    assert float(shift[0] - shift[1]) == pytest.approx(1.5, abs=0.15)
    assert float(shift[1] - shift[2]) == pytest.approx(-2.2, abs=0.15)
    assert float(shift.mean()) == pytest.approx(0.0, abs=0.05)
    assert float(found.sd.max()) < 0.2
    assert found.data.noise_var is not None


def test_without_drift_next_to_nothing_is_changed() -> None:
    found = corrected(_data([0.0] * 24), range(1, 25), Drift.model_validate(REFERENCE))
    assert float(found.shift.abs().max()) < 0.1
    assert float(found.sd.max()) < 0.1


def test_equal_or_few_values_show_no_drift() -> None:
    few = _data([0.0] * 3)
    assert corrected(few, [1, 2, 3], Drift.model_validate(REFERENCE)).data is few
    equal = TrainingData(few.X, torch.ones_like(few.Y), few.layout)
    assert corrected(equal, [1, 2, 3], Drift.model_validate(REFERENCE)).data is equal


@pytest.mark.parametrize(
    ("written", "message"),
    [({}, "needs a reference"), ({"every": 4, "block": 3}, "only for a reference"), ({"reference": {"x": 1}}, "needs every")],
)
def test_half_a_drift_is_refused(written: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Drift.model_validate(written)


def test_references_stand_between_the_proposals_of_a_batch() -> None:
    which = problem(continuous("x", "y"), {"y": {"goal": "maximize"}}, drift={**REFERENCE, "every": 3})
    request = Request(
        problem=which, policy=ProposalPolicy(), observed=Observations(), pending=(), n=7, number=1, seed=0, reference_in=1
    )
    assert [p.source == "reference" for p in propose(request)] == [False, True, False, False, True, False, False]
