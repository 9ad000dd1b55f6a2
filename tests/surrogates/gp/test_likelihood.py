"""The likelihood equals gpytorch's, and its gradient equals finite differences."""

from __future__ import annotations

import gpytorch
import numpy as np
import pytest
import torch
from torch import Tensor

from surrogates.data import Group, Layout
from surrogates.gp import processor
from surrogates.gp.kernels import Kernels
from surrogates.gp.likelihood import Problem
from surrogates.gp.priors import Priors
from surrogates.gp.state import GPState
from surrogates.specs import GPMember, KernelName
from tests.surrogates.examples import smooth, uniform

MEMBERS = (
    GPMember(kernel="matern52", prior="tight"),
    GPMember(kernel="rbf", prior="gamma"),
    GPMember(kernel="matern52", prior="gamma"),
    GPMember(kernel="rbf", prior="hierarchical"),
)
LAYOUT = Layout((Group("a", (0,)), Group("s", (1, 2), "structure", tied=True), Group("c", (3, 4), "category")))


def _problem(members: tuple[GPMember, ...] = MEMBERS, n: int = 12) -> Problem:
    X = uniform(n, 5)
    y = smooth(X).squeeze(-1)
    column_map = torch.nn.functional.one_hot(torch.tensor(LAYOUT.lengthscale_of_column), 4).double()
    return Problem(
        X=X,
        U=((y - y.mean()) / y.std()).repeat(len(members), 1),
        known_noise=torch.linspace(0.0, 0.1, n, dtype=torch.float64).repeat(len(members), 1),
        kernels=Kernels(torch.tensor([member.kernel == "rbf" for member in members])),
        priors=Priors.of(members, LAYOUT),
        column_map=column_map,
    )


def _hyperparameters(problem: Problem) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    start = problem.priors.start
    return start + 0.3 * torch.randn(start.shape, dtype=torch.float64, generator=generator)


def test_gradient_equals_finite_differences() -> None:
    problem = _problem()
    t = _hyperparameters(problem)
    _, gradient, _ = problem.evaluate(t)
    step = 1e-6
    for column in range(t.shape[1]):
        shift = torch.zeros_like(t)
        shift[:, column] = step
        slope = (problem.evaluate(t + shift)[0] - problem.evaluate(t - shift)[0]) / (2 * step)
        torch.testing.assert_close(gradient[:, column], slope, rtol=1e-5, atol=1e-6)


def test_curvature_is_the_average_information() -> None:
    problem = _problem()
    t = _hyperparameters(problem)
    curvature = problem.evaluate(t)[2]
    prior = problem.priors.log_density(t)[2]
    by = torch.autograd.functional.jacobian(lambda at: problem.covariance(at).sum(0), t)  # n x n x B x p: rows do not mix
    assert isinstance(by, Tensor)
    for row, K in enumerate(problem.covariance(t)):
        Kinv = torch.linalg.inv(K)
        P = Kinv - torch.outer(Kinv.sum(1), Kinv.sum(1)) / Kinv.sum()
        Py = P @ problem.U[row]
        moved = by[:, :, row].permute(2, 0, 1) @ Py
        torch.testing.assert_close(curvature[row], 0.5 * moved @ P @ moved.T + prior[row], rtol=1e-7, atol=1e-9)
    assert bool((torch.linalg.eigvalsh(curvature) > 0).all())


def test_arrays_give_what_tensors_give(monkeypatch: pytest.MonkeyPatch) -> None:
    for n in (12, 100):  # triangles inverted at once and by halves
        problem = _problem(n=n)
        t = _hyperparameters(problem)
        whole = problem.evaluate(t)
        for together in (3, 2):
            monkeypatch.setattr(processor, "_IN_CACHE", together * n**2)
            for found, expected in zip(problem.evaluate_rows(t.numpy(), np.arange(len(t))), whole, strict=True):
                np.testing.assert_allclose(found, expected.numpy(), rtol=1e-8, atol=1e-8)
        some = np.array([2, 0])
        for found, expected in zip(problem.evaluate_rows(t[some].numpy(), some), whole, strict=True):
            np.testing.assert_allclose(found, expected[some].numpy(), rtol=1e-8, atol=1e-8)


def test_arrays_of_a_row_that_cannot_be_factored() -> None:
    problem = _problem()
    t = _hyperparameters(problem)
    fine = problem.evaluate(t)[0]
    t[1, -1] = torch.nan
    value, gradient, curvature = problem.evaluate_rows(t.numpy(), np.arange(len(t)))
    assert value[1] == np.inf
    assert (gradient[1] == 0).all()
    assert (curvature[1] == np.eye(t.shape[1])).all()
    np.testing.assert_allclose(value[[0, 2]], fine[[0, 2]])


@pytest.mark.parametrize("points", [3, 200])
def test_marginals_in_arrays_are_those_in_tensors(points: int) -> None:
    problem = _problem(n=70)
    state, _, _ = GPState.of(problem, _hyperparameters(problem))
    X = uniform(points, 5, seed=8)
    mean, variance, pull = state.marginal_and_pull(X)
    *expected, pull_expected = state._marginal_and_pull(X)
    torch.testing.assert_close(mean, expected[0])
    torch.testing.assert_close(variance, expected[1], rtol=1e-6, atol=1e-12)
    torch.testing.assert_close(pull(mean, variance), pull_expected(mean, variance), rtol=1e-6, atol=1e-9)
    for found, same in zip(state.marginal(X), (mean, variance), strict=True):
        torch.testing.assert_close(found, same)


def test_value_alone_is_that_of_the_whole_evaluation() -> None:
    problem = _problem()
    t = _hyperparameters(problem)
    torch.testing.assert_close(problem.value(t), problem.evaluate(t)[0])
    some = torch.tensor([0, 3, 4, 9])
    fewer = problem.observed(some)
    assert fewer.X.shape == (4, 5)
    torch.testing.assert_close(fewer.value(t), fewer.evaluate(t)[0])


def _exact_gp(
    kernel: KernelName, problem: Problem, t: Tensor, mean: Tensor
) -> tuple[gpytorch.models.ExactGP, gpytorch.likelihoods.FixedNoiseGaussianLikelihood]:
    """The same model as gpytorch writes it, one lengthscale per column."""
    base = (
        gpytorch.kernels.MaternKernel(nu=2.5, ard_num_dims=5)
        if kernel == "matern52"
        else gpytorch.kernels.RBFKernel(ard_num_dims=5)
    )
    noise = t[-2].exp() + problem.known_noise[0]
    likelihood = gpytorch.likelihoods.FixedNoiseGaussianLikelihood(noise)

    class ExactGP(gpytorch.models.ExactGP):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(problem.X, problem.U[0], likelihood)
            self.mean_module = gpytorch.means.ConstantMean()
            self.covar_module = gpytorch.kernels.ScaleKernel(base)

        def forward(self, X: Tensor) -> gpytorch.distributions.MultivariateNormal:
            return gpytorch.distributions.MultivariateNormal(self.mean_module(X), self.covar_module(X))

    model = ExactGP().double()
    model.covar_module.outputscale = t[-1].exp()
    base.lengthscale = t[:-2].exp()[list(LAYOUT.lengthscale_of_column)]
    model.mean_module.constant = mean
    return model, likelihood


@pytest.mark.parametrize("kernel", ["matern52", "rbf"])
def test_posterior_and_likelihood_equal_gpytorch(kernel: KernelName) -> None:
    problem = _problem((GPMember(kernel=kernel, prior="gamma"),))
    t = _hyperparameters(problem)
    state, _, _ = GPState.of(problem, t)
    model, likelihood = _exact_gp(kernel, problem, t[0], state.mean[0])

    marginal = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, model)
    model.train()
    expected = -marginal(model(problem.X), problem.U[0]).item() * problem.X.shape[0]
    value = problem.evaluate(t)[0] + problem.priors.log_density(t)[0]
    assert value.item() == pytest.approx(expected, rel=1e-9)

    model.eval()
    X = uniform(7, 5, seed=8)
    with torch.no_grad(), gpytorch.settings.fast_pred_var(False):
        posterior = model(X)
    mean, covariance = state.joint(X)
    torch.testing.assert_close(mean[0], posterior.mean, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(covariance[0], posterior.covariance_matrix, rtol=1e-6, atol=1e-8)


def test_profiled_mean_is_the_best_constant() -> None:
    problem = _problem(MEMBERS[:1])
    t = _hyperparameters(problem)
    state, _, _ = GPState.of(problem, t)
    Kinv = torch.linalg.inv(problem.covariance(t))[0]

    def misfit(constant: float) -> float:
        residual = problem.U[0] - constant
        return float(residual @ Kinv @ residual)

    best = float(state.mean[0])
    assert misfit(best) < min(misfit(best + 1e-3), misfit(best - 1e-3))


def test_tied_columns_share_a_lengthscale() -> None:
    problem = _problem(MEMBERS[:1])
    t = _hyperparameters(problem)
    scaled = problem.scaled(problem.X, t)[0] / problem.X
    torch.testing.assert_close(scaled[:, 1], scaled[:, 2])
    assert not torch.allclose(scaled[:, 3], scaled[:, 4])


def test_unfactorable_row_gets_infinite_value_and_leaves_the_others() -> None:
    problem = _problem()
    t = _hyperparameters(problem)
    fine, _, _ = problem.evaluate(t)
    t[1, -1] = torch.nan
    value, gradient, curvature = problem.evaluate(t)
    assert value[1] == torch.inf
    assert bool((gradient[1] == 0).all())
    assert torch.equal(curvature[1], torch.eye(t.shape[1], dtype=torch.float64))
    torch.testing.assert_close(value[[0, 2]], fine[[0, 2]])
