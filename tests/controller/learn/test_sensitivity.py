"""Indices of functions whose indices are known: Ishigami and Homma (1990), with a = 7 and b = 0.1."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from controller.design.pairs import pairs
from controller.domain.space import Problem
from controller.encoding.columns import Encoder
from controller.learn.sensitivity import Indices, first_order, indices, total_effect
from surrogates.build import build
from surrogates.data import TrainingData
from surrogates.specs import DeepEnsembleSpec, GPMember, GPSpec
from tests.controller.spaces import continuous, pool_problem, problem

CUBE = problem(continuous("a", "b", "c", "idle", low=-math.pi, high=math.pi))

# Total variance a²/8 + b π⁴/5 + b² π⁸/18 + 1/2, and its parts (Sobol' and Levitan, 1999).
A, B = 7.0, 0.1
V = A**2 / 8 + B * math.pi**4 / 5 + B**2 * math.pi**8 / 18 + 0.5
FIRST = torch.tensor([(1 + B * math.pi**4 / 5) ** 2 / 2, A**2 / 8, 0.0, 0.0], dtype=torch.float64) / V
BOTH = B**2 * math.pi**8 * (1 / 18 - 1 / 50) / V
TOTAL = FIRST + BOTH * torch.tensor([1.0, 0.0, 1.0, 0.0], dtype=torch.float64)


def ishigami(X: Tensor) -> Tensor:
    x = math.pi * (2 * X - 1)
    return torch.sin(x[:, 0]) + A * torch.sin(x[:, 1]) ** 2 + B * x[:, 2] ** 4 * torch.sin(x[:, 0])


def drawn(which: Problem, seed: int = 0) -> tuple[Encoder, Tensor, list[Tensor], Tensor | None]:
    encoder = Encoder.of(which)
    found = pairs(encoder.space, seed)
    base, *moved = (encoder.columns(torch.from_numpy(z)) for z in (found.base, *found.moved))
    return encoder, base, moved, None if found.other is None else encoder.columns(torch.from_numpy(found.other))


def test_published_indices_are_met() -> None:
    _, base, moved, other = drawn(CUBE)
    assert other is not None
    changed = torch.stack([ishigami(X) for X in moved])
    torch.testing.assert_close(total_effect(ishigami(base), changed), TOTAL, rtol=0, atol=0.03)
    torch.testing.assert_close(first_order(ishigami(base), ishigami(other), changed), FIRST, rtol=0, atol=0.03)


def learned(spec: GPSpec | DeepEnsembleSpec, n: int, which: Problem = CUBE) -> Indices:
    encoder, base, moved, other = drawn(which)
    X = torch.quasirandom.SobolEngine(4, scramble=True, seed=1).draw(n, dtype=torch.float64)
    surrogate = build(spec, TrainingData(X, ishigami(X)[:, None], encoder.layout), pool=False, seed=0)
    return indices(surrogate, base, moved, other, 3)


def test_model_finds_them_and_an_idle_parameter_gets_nothing() -> None:
    smooth = GPSpec(members=(GPMember(kernel="rbf", transform="standard", prior="gamma"),))
    few, many = (learned(smooth, n) for n in (48, 200))
    assert many.first is not None
    torch.testing.assert_close(many.total, TOTAL, rtol=0, atol=0.08)
    torch.testing.assert_close(many.first, FIRST, rtol=0, atol=0.08)
    assert float(many.total[3]) < 0.02
    assert many.spread == pytest.approx(math.sqrt(V), rel=0.1)
    for found in (few, many):
        assert bool(((found.low <= found.total) & (found.total <= found.high)).all())
    # What few observations leave open shows in the intervals.
    assert float((few.high - few.low).sum()) > 2 * float((many.high - many.low).sum())


def test_ensemble_of_networks_tells_them_too() -> None:
    found = learned(DeepEnsembleSpec(members=6, hidden=(32, 32), epochs=60), 96)
    assert bool(torch.isfinite(torch.stack([found.total, found.low, found.high])).all())


def test_same_seed_same_numbers_and_functions_that_do_not_vary() -> None:
    encoder, base, moved, other = drawn(CUBE)
    X = base[:12]
    flat = build(GPSpec(recipe="table"), TrainingData(X, torch.full((12, 1), 3.0).double(), encoder.layout), pool=True, seed=0)
    assert float(indices(flat, base, moved, other, 0).total.max()) == pytest.approx(0.0, abs=1e-6)
    steep = build(GPSpec(recipe="table"), TrainingData(X, X[:, :1], encoder.layout), pool=True, seed=0)
    first, second = (indices(steep, base, moved, other, 5) for _ in range(2))
    assert torch.equal(first.high, second.high)
    assert torch.equal(first.low, second.low)


def test_pool_is_told_by_permutation() -> None:
    encoder, base, moved, other = drawn(pool_problem(3000, 3))
    assert other is None
    values, changed = (2 * base[:, 0] + base[:, 1]), torch.stack([2 * X[:, 0] + X[:, 1] for X in moved])
    # Rows drawn evenly and independently: the indices of the box.
    torch.testing.assert_close(total_effect(values, changed), torch.tensor([0.8, 0.2, 0.0]).double(), rtol=0, atol=0.05)
    assert encoder.space.p == 3


def test_within_a_constraint_a_parameter_counts_for_what_the_others_leave_it() -> None:
    # On the triangle a + b <= 1 the variance of a is 1/18, and on average (1 - b)²/12 = 1/24 of it is left once b is known.
    _, base, moved, other = drawn(problem(continuous("a", "b"), constraints=("a + b <= 1",)))
    assert other is None
    found = total_effect(base[:, 0], torch.stack([X[:, 0] for X in moved]))
    torch.testing.assert_close(found, torch.tensor([18 / 24, 0.0]).double(), rtol=0, atol=0.05)
