from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from controller.design.acquisition import (
    LogExpectedImprovement,
    LogHypervolumeImprovement,
    log_improvement,
    log_window,
    reference_point,
)
from controller.domain.objective import Objective
from surrogates.build import build
from surrogates.data import Layout, TrainingData
from surrogates.specs import GPMember, GPSpec


def test_log_improvement_agrees_with_the_formula_where_that_is_accurate() -> None:
    z = torch.linspace(-6.0, 6.0, 49, dtype=torch.float64)
    expected = [math.log(norm.pdf(v) + v * norm.cdf(v)) for v in z.tolist()]
    assert log_improvement(z).tolist() == pytest.approx(expected, rel=1e-7)


def test_log_improvement_and_its_gradient_stay_finite_and_monotone_far_below() -> None:
    z = -torch.logspace(-1, 7, 200, dtype=torch.float64)
    z.requires_grad_()
    value = log_improvement(z)
    (gradient,) = torch.autograd.grad(value.sum(), z)
    assert bool(torch.isfinite(value).all())
    assert bool((value.diff() < 0).all())
    # d/dz log h(z) tends to -z.
    assert gradient[-1].item() == pytest.approx(-z[-1].item(), rel=1e-6)
    assert bool((gradient > 0).all())


@pytest.mark.parametrize("a", [0.0, 0.7, -2.0, 5.0, -9.0])
@pytest.mark.parametrize("b", [1e-5, 0.01, 0.5, 3.0])
def test_log_window_agrees_with_quadrature(a: float, b: float) -> None:
    expected, _ = quad(lambda v: (b - abs(v)) * norm.pdf(v - a), -b, b, points=[0.0], epsabs=0, epsrel=1e-11)
    found = log_window(torch.tensor([a], dtype=torch.float64), torch.tensor([b], dtype=torch.float64))
    assert found.item() == pytest.approx(math.log(expected), rel=1e-3, abs=1e-3)


def surrogate(members: tuple[GPMember, ...], seed: int = 0):  # type: ignore[no-untyped-def]
    generator = torch.Generator().manual_seed(seed)
    X = torch.rand(12, 2, generator=generator, dtype=torch.float64)
    Y = -(X - 0.4).square().sum(1, keepdim=True) * 10
    data = TrainingData(X, Y, Layout.numeric(2))
    return build(GPSpec(members=members), data, pool=False, seed=0), data


def test_expected_improvement_agrees_with_botorch_for_one_member() -> None:
    from botorch.acquisition.analytic import LogExpectedImprovement as Reference

    model, data = surrogate((GPMember(),))
    X = torch.rand(40, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    ours = LogExpectedImprovement.of(model, data.Y, None)(X)
    theirs = Reference(model, best_f=data.Y.max())(X.unsqueeze(1))
    assert np.allclose(ours.detach(), theirs.detach(), rtol=1e-5, atol=1e-5)


def test_expected_improvement_of_a_bent_member_is_in_units_of_the_objective() -> None:
    model, data = surrogate((GPMember(prior="gamma", transform="log_tail"),))
    X = data.X[data.Y.argmax()] + torch.tensor([[0.02], [0.05], [-0.02]], dtype=torch.float64)
    moments = model.member_posteriors(X)
    draws = torch.randn(200_000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values = moments.transforms[0].inverse(moments.mean[0] + moments.sd[0] * draws)
    expected = (values - data.Y.max()).clamp_min(0.0).mean(0).log()
    assert torch.allclose(LogExpectedImprovement.of(model, data.Y, None)(X), expected, atol=0.05)


@pytest.mark.parametrize("doubt", [1.0, 2.0])
def test_the_gradient_of_expected_improvement_is_that_of_automatic_differentiation(doubt: float) -> None:
    members = (GPMember(kernel="matern52", prior="gamma"), GPMember(kernel="rbf", transform="log_tail", prior="gamma"))
    model, _ = surrogate(members)
    seen, X = torch.rand(2, 5, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    found = replace(LogExpectedImprovement.of(model, torch.zeros(5, 1).double(), seen), doubt=doubt)
    X.requires_grad_()
    expected = found(X)
    (slope,) = torch.autograd.grad(expected.sum(), X)
    scores, gradient = found.with_gradient(X.detach())
    torch.testing.assert_close(scores, expected.detach())
    torch.testing.assert_close(gradient, slope)


def test_where_predictions_count_the_improvement_is_that_of_the_mean_once_it_has_been_measured() -> None:
    model, data = surrogate((GPMember(prior="gamma"),))
    X = torch.tensor([[0.41, 0.39], [0.5, 0.3], [0.9, 0.9]], dtype=torch.float64)
    function = LogExpectedImprovement.of(model, data.Y, data.X)
    with torch.no_grad():
        moments, best = model.member_posteriors(X), model.member_means(data.X).max()
        mean, variance, noise = moments.mean[0], moments.sd[0].square(), moments.noise[0]
        draws = torch.randn(2, 400_000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        surprise = variance.sqrt() * draws[0] + noise.sqrt() * draws[1]  # what is measured, less what was predicted
        rise = (mean + variance / (variance + noise) * surprise - best).clamp_min(0.0).mean(0)
        found = function(X).exp() * moments.transforms[0].slope(data.Y.max())
        told_the_truth = replace(function, learned=False)(X).exp() * moments.transforms[0].slope(data.Y.max())
    assert torch.allclose(found, rise, rtol=0.05)
    assert bool((found < told_the_truth).all())


def test_widened_only_where_nothing_is_expected_and_several_members_can_be_asked() -> None:
    model, data = surrogate((GPMember(prior="gamma"), GPMember(kernel="rbf", prior="gamma")))
    function = LogExpectedImprovement.of(model, data.Y, data.X)
    assert function.widened(0.0) is None
    wider = function.widened(-30.0)
    assert wider is not None
    assert wider.widened(-30.0) is None
    single, _ = surrogate((GPMember(),))
    assert LogExpectedImprovement.of(single, data.Y, data.X).widened(-30.0) is None


def test_hypervolume_improvement_agrees_with_a_random_estimate() -> None:
    first, data = surrogate((GPMember(),))
    second = build(
        GPSpec(members=(GPMember(),)),
        TrainingData(data.X, data.X[:, :1] * 2.0, data.layout),
        pool=False,
        seed=0,
    )
    objectives = [Objective(goal="maximize"), Objective(goal="maximize")]
    baseline = torch.cat([data.Y, data.X[:, :1] * 2.0], 1)
    function = LogHypervolumeImprovement([first, second], objectives, baseline, seed=0)
    X = torch.tensor([[0.42, 0.38], [0.95, 0.4]], dtype=torch.float64)
    found = function(X).exp()
    low, span = baseline.min(0).values, baseline.max(0).values - baseline.min(0).values
    from botorch.utils.multi_objective.hypervolume import Hypervolume
    from botorch.utils.multi_objective.pareto import is_non_dominated

    unit = (baseline - low) / span
    front = unit[is_non_dominated(unit)]
    volume = Hypervolume(torch.full_like(front[0], -0.1))
    before = volume.compute(front)
    generator = torch.Generator().manual_seed(0)
    for x, value in zip(X, found, strict=True):
        moments = [m.posterior(x[None]) for m in (first, second)]
        mean = torch.cat([m.mean.detach() for m in moments], 1)
        sd = torch.cat([m.variance.detach().sqrt() for m in moments], 1)
        samples = (mean + sd * torch.randn(600, 2, generator=generator, dtype=torch.float64) - low) / span
        gains = []
        for s in samples:
            candidate = torch.cat([front, s[None]])
            gains.append(volume.compute(candidate[is_non_dominated(candidate)]) - before)
        # Smoothing in the logarithmic form and 128 samples leave a few per cent.
        assert float(value) == pytest.approx(float(np.mean(gains)), rel=0.25, abs=1e-4)


def test_hypervolume_begins_at_thresholds() -> None:
    first, data = surrogate((GPMember(),))
    second = build(GPSpec(members=(GPMember(),)), TrainingData(data.X, -data.X[:, :1], data.layout), pool=False, seed=0)
    baseline = torch.cat([data.Y, -data.X[:, :1]], 1)
    free, far = Objective(goal="minimize"), Objective(goal="minimize", at_most=0.2)
    assert (free.threshold, far.threshold) == (None, -0.2)
    low, high = torch.tensor([0.0, -1.0]).double(), torch.tensor([2.0, 0.0]).double()
    wished = [Objective(goal="maximize"), far]
    assert reference_point(wished, low, high).tolist() == pytest.approx([-0.2, -0.2])
    # What does not meet the threshold gains hardly anything, however good the other objective is there; what meets it does.
    X = torch.tensor([[0.42, 0.38], [0.1, 0.38]], dtype=torch.float64)
    without = LogHypervolumeImprovement([first, second], [wished[0], free], baseline, seed=0)(X)
    found = LogHypervolumeImprovement([first, second], wished, baseline, seed=0)(X)
    assert float(found[0]) < float(without[0]) - 3.0
    assert float(found[1]) == pytest.approx(float(without[1]), abs=0.1)
    # Where none of what is known surpasses it, the space beyond is all to be gained.
    nothing = LogHypervolumeImprovement([first, second], [wished[0], Objective(goal="minimize", at_most=-1.0)], baseline, seed=0)(X)
    assert bool(torch.isfinite(nothing).all())


def test_hypervolume_improvement_compiles_nothing() -> None:
    from botorch.acquisition.multi_objective import logei

    first, data = surrogate((GPMember(),))
    LogHypervolumeImprovement([first, first], [Objective(goal="maximize")] * 2, torch.cat([data.Y, -data.Y], 1), seed=0)
    assert logei._C is None, "a lock left by a killed compiler would make every later proposal wait for ever"


def test_results_in_vain_make_a_listed_search_doubt_its_model() -> None:
    model, data = surrogate((GPMember(),))
    rising = torch.linspace(0, 1, len(data.Y), dtype=torch.float64).unsqueeze(1)
    assert LogExpectedImprovement.of(model, rising, None).doubt == 1.0
    long_ago = torch.cat([rising[-1:], rising[:-1]])
    in_vain = len(long_ago) - 1
    assert in_vain > 4
    doubting = LogExpectedImprovement.of(model, long_ago, None)
    assert doubting.doubt == pytest.approx(min(3.0, 1.0 + 0.2 * (in_vain - 4)))
    assert "in vain" in doubting.name
    # Far from everything measured the spread is widest, so doubt raises its score most.
    near, far = data.X[:1], data.X[:1] * 0 + 5.0
    sure = LogExpectedImprovement.of(model, rising, None)
    gain = doubting(torch.cat([near, far])) - sure(torch.cat([near, far]))
    assert gain[1] > 0
    assert LogExpectedImprovement.of(model, long_ago, data.X).doubt == 1.0
