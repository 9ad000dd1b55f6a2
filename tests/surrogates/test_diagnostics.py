"""Diagnostics tell a good model from a bad one, and point at the odd observation."""

from __future__ import annotations

import pytest
import torch

from surrogates.build import build
from surrogates.data import Layout, TrainingData
from surrogates.diagnostics import cross_validate, diagnose
from surrogates.errors import FitError, ShapeError
from surrogates.specs import GPSpec
from tests.surrogates.examples import smooth_data, uniform

SPEC = GPSpec(recipe="function")


def test_smooth_data_are_explained_and_noise_is_not() -> None:
    data = smooth_data(30, 3)
    good = diagnose(build(SPEC, data, pool=False, seed=0).leave_one_out(), data.Y)
    noise = torch.randn(30, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    scrambled = TrainingData(data.X, noise, data.layout)
    bad = diagnose(build(SPEC, scrambled, pool=False, seed=0).leave_one_out(), noise)
    assert good.r2 > 0.95
    assert bad.r2 < 0.3
    assert good.log_density > bad.log_density + 1.0


def test_wrong_observation_stands_out() -> None:
    data = smooth_data(30, 3)
    Y = data.Y.clone()
    Y[11] += 6.0
    spoilt = TrainingData(data.X, Y, data.layout)
    z = diagnose(build(GPSpec(recipe="table"), spoilt, pool=True, seed=0).leave_one_out(), Y).z
    assert max(range(30), key=lambda i: abs(z[i])) == 11
    assert abs(z[11]) > 3.0


def test_cross_validation_covers_noisy_observations() -> None:
    data = smooth_data(60, 3)
    noise = 0.3 * torch.randn(60, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    noisy = TrainingData(data.X, data.Y + noise, data.layout)
    result = diagnose(cross_validate(SPEC, noisy, pool=False, seed=0, folds=5), noisy.Y)
    assert 0.78 <= result.coverage_90 <= 1.0
    assert result.miscalibration_area < 0.15
    assert 0.2 < result.rmse < 0.5


def test_cross_validation_needs_two_observations() -> None:
    data = TrainingData(uniform(1, 2), uniform(1, 1), Layout.numeric(2))
    with pytest.raises(FitError, match="two observations"):
        cross_validate(SPEC, data, pool=False, seed=0)


def test_observations_of_another_length_are_refused() -> None:
    data = smooth_data(8, 3)
    loo = build(SPEC, data, pool=False, seed=0).leave_one_out()
    with pytest.raises(ShapeError, match=r"expected shape \(8, 1\)"):
        diagnose(loo, data.Y[:4])
