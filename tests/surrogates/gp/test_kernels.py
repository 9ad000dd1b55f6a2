"""Kernels equal gpytorch's, and their slopes equal autograd's."""

from __future__ import annotations

import gpytorch
import pytest
import torch

from surrogates.gp.kernels import Kernels, squared_distances
from tests.surrogates.examples import uniform


def test_values_equal_gpytorch_in_a_mixed_batch() -> None:
    X = 3.0 * uniform(8, 2)
    value = Kernels(torch.tensor([False, True])).value(squared_distances(X, X).repeat(2, 1, 1))
    for row, kernel in enumerate([gpytorch.kernels.MaternKernel(nu=2.5), gpytorch.kernels.RBFKernel()]):
        kernel.lengthscale = 1.0
        expected = kernel.double()(X).to_dense().detach()
        torch.testing.assert_close(value[row], expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("rbf", [[False], [True], [False, True]])
def test_slopes_equal_autograd(rbf: list[bool]) -> None:
    r2 = torch.tensor([1e-3, 0.5, 7.0], dtype=torch.float64).repeat(len(rbf), 1).requires_grad_()
    kernels = Kernels(torch.tensor(rbf))
    (expected,) = torch.autograd.grad(kernels.value(r2).sum(), r2)
    torch.testing.assert_close(kernels.value_and_slope(r2)[1], expected)


def test_gradient_is_finite_and_zero_when_points_coincide() -> None:
    x = torch.full((1, 2), 0.3, dtype=torch.float64, requires_grad=True)
    k = Kernels(torch.tensor([False])).value(squared_distances(x, x.detach())[None])
    (gradient,) = torch.autograd.grad(k.sum(), x)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-6)
