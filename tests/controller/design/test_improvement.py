"""The improvement in numpy is that in torch, and its slope that of automatic differentiation."""

from __future__ import annotations

import numpy as np
import torch

from controller.design.acquisition import log_improvement
from controller.design.improvement import log_improvement_and_slope


def test_improvement_and_slope_are_those_of_torch_from_far_below_to_far_above() -> None:
    places = [-1e6, -1e4, -1001.0, -1000.0, -999.0, *np.linspace(-60.0, 60.0, 481), 1e3, 1e6]
    z = torch.tensor(places, dtype=torch.float64, requires_grad=True)
    expected = log_improvement(z)
    (by_z,) = torch.autograd.grad(expected.sum(), z)
    value, slope = log_improvement_and_slope(np.array(places))
    np.testing.assert_allclose(value, expected.detach().numpy(), rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(slope, by_z.numpy(), rtol=1e-5)


def test_places_of_one_kind_only() -> None:
    for places in ([0.0], [-2e3, -3e3], [40.0, 50.0]):
        value, slope = log_improvement_and_slope(np.array(places))
        assert np.isfinite(value).all()
        assert (slope > 0.0).all()
