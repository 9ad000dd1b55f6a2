"""Priors sit where the recipes say, and equal the distributions that they are named after."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import gamma

from surrogates.data import Group, Layout
from surrogates.gp.kernels import Kernels
from surrogates.gp.priors import Priors
from surrogates.specs import GPMember

TIGHT, GAMMA, HIERARCHICAL = (GPMember(prior=name) for name in ("tight", "gamma", "hierarchical"))


def test_tight_prior_depends_on_the_kind_of_group() -> None:
    layout = Layout((Group("n", (0,)), Group("c", (1, 2), "category"), Group("s", (3, 4, 5), "structure", tied=True)))
    priors = Priors.of((TIGHT,), layout)
    medians = (priors.mu[0, :4].exp() / math.sqrt(4)).tolist()
    assert medians == pytest.approx([0.6, 1.2, 1.2, 2.16])
    assert priors.precision[0, :4].rsqrt().tolist() == pytest.approx([0.6, 0.4, 0.4, 0.4])


@pytest.mark.parametrize(("d", "stretch"), [(2, 1.0), (6, 1.0), (24, 2.0)])
def test_gamma_prior_is_gamma_of_the_stretched_lengthscale(d: int, stretch: float) -> None:
    priors = Priors.of((GAMMA,), Layout.numeric(d))
    lengthscales = torch.tensor([0.1, 0.4, 1.7], dtype=torch.float64)
    values = []
    for lengthscale in lengthscales:
        t = priors.start.clone()
        t[0, 0] = lengthscale.log()
        values.append(priors.log_density(t)[0])
    found = torch.cat(values)
    shrunk = lengthscales / stretch
    # Gamma(3, 6) of the stretched lengthscale, times the Jacobian of the logarithm.
    expected = torch.from_numpy(gamma.logpdf(shrunk.numpy(), 3.0, scale=1.0 / 6.0)) + shrunk.log()
    torch.testing.assert_close(found - found[0], expected - expected[0])


def test_hierarchical_prior_is_a_normal_of_logarithms_that_share_a_part() -> None:
    # Two numbers, and a category that has no part in it.
    layout = Layout((Group("n", (0, 1)), Group("c", (2, 3), "category", tied=True)))
    priors = Priors.of((HIERARCHICAL,), layout)
    middle = math.log(0.25 * math.sqrt(3))
    normal = torch.distributions.MultivariateNormal(
        torch.full((2,), middle, dtype=torch.float64), 0.7**2 + 0.5**2 * torch.eye(2, dtype=torch.float64)
    )
    steps = torch.tensor([[0.0, 0.0], [0.5, 0.5], [0.5, -0.5], [-2.0, 0.3]], dtype=torch.float64)
    t = priors.start.repeat(len(steps), 1)
    t[:, :2] = middle + steps
    found = torch.stack([priors.log_density(row[None])[0][0] for row in t])
    expected = normal.log_prob(t[:, :2])
    torch.testing.assert_close(found - found[0], expected - expected[0])
    # To be short together costs less than to differ.
    assert found[1] > found[2] + 0.5


def test_gradient_and_curvature_equal_autograd() -> None:
    priors = Priors.of((TIGHT, GAMMA, HIERARCHICAL), Layout.numeric(3))
    t = (priors.start + 0.3).requires_grad_()
    value, gradient, curvature = priors.log_density(t)
    (expected,) = torch.autograd.grad(value.sum(), t, retain_graph=True)
    torch.testing.assert_close(gradient.detach(), expected)
    for column in range(t.shape[1]):
        (bend,) = torch.autograd.grad(gradient[:, column].sum(), t, retain_graph=True)
        torch.testing.assert_close(curvature[:, column].detach(), -bend)


def test_start_is_the_mode_of_the_lengthscales() -> None:
    priors = Priors.of((TIGHT, GAMMA, HIERARCHICAL), Layout.numeric(9))
    _, gradient, _ = priors.log_density(priors.start)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient))


def test_two_choices_are_held_to_share_about_half_of_what_they_show() -> None:
    layout = Layout((Group("n", (0,)), Group("c", (1, 2, 3), "category")))
    priors = Priors.of((GAMMA,), layout)
    middle, sd = priors.mu[0, 1:4], priors.precision[0, 1:4].rsqrt()
    alike = []
    for t in (middle - 2 * sd, middle, middle + 2 * sd):
        apart = (torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], dtype=torch.float64) / t.exp()).diff(dim=0).square().sum()
        alike.append(float(Kernels(torch.tensor([False])).value(apart.view(1, 1, 1))))
    assert alike == pytest.approx([0.02, 0.56, 0.95], abs=0.02)
