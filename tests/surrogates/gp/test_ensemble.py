"""The ensemble of Gaussian processes on awkward data, and what its numbers mean."""

from __future__ import annotations

import math
import time

import pytest
import torch
from botorch.acquisition.analytic import LogExpectedImprovement

from surrogates.data import Group, Layout, TrainingData
from surrogates.errors import NumericsWarning
from surrogates.gp import ensemble as module
from surrogates.gp.ensemble import GPEnsemble
from surrogates.gp.fitting import fit
from surrogates.gp.likelihood import Problem
from surrogates.gp.recipes import FUNCTION, TABLE
from surrogates.gp.state import GPState
from surrogates.specs import GPMember
from tests.surrogates.examples import smooth, smooth_data, uniform

ALIKE = tuple(member.model_copy(update={"prior": "hierarchical"}) for member in FUNCTION)
RECIPES = pytest.mark.parametrize("members", [TABLE, FUNCTION, ALIKE], ids=["table", "function", "alike"])


@RECIPES
def test_one_observation_is_the_prior_mean(members: tuple[GPMember, ...]) -> None:
    data = TrainingData(uniform(1, 4), torch.tensor([[37.0]]).double(), Layout.numeric(4))
    mean, sd = GPEnsemble(members, data).predict(uniform(50, 4, seed=1))
    torch.testing.assert_close(mean, torch.full_like(mean, 37.0))
    assert bool(((sd > 0.01) & (sd < 74.0)).all())


@RECIPES
def test_uncertainty_grows_with_distance_from_one_observation(members: tuple[GPMember, ...]) -> None:
    data = TrainingData(torch.zeros(1, 2).double(), torch.tensor([[5.0]]).double(), Layout.numeric(2))
    _, sd = GPEnsemble(members, data).predict(torch.tensor([[0.0, 0.0], [0.3, 0.0], [1.0, 1.0]]).double())
    assert sd[0] < sd[1] < sd[2]


@RECIPES
@pytest.mark.parametrize("value", [0.0, 5.0, -1e-30, 1e90])
def test_constant_observations_are_predicted(members: tuple[GPMember, ...], value: float) -> None:
    Y = torch.full((6, 1), value, dtype=torch.float64)
    surrogate = GPEnsemble(members, TrainingData(uniform(6, 3), Y, Layout.numeric(3)))
    mean, sd = surrogate.predict(uniform(9, 3, seed=1))
    torch.testing.assert_close(mean, torch.full_like(mean, value))
    assert bool((sd > 0).all())
    assert bool(torch.isfinite(sd).all())


@RECIPES
def test_duplicated_rows_are_averaged(members: tuple[GPMember, ...]) -> None:
    X = uniform(8, 3).repeat(3, 1)
    spread = torch.tensor([-0.3, 0.0, 0.3]).double().repeat_interleave(8)[:, None]
    surrogate = GPEnsemble(members, TrainingData(X, smooth(X) + spread, Layout.numeric(3)))
    mean, sd = surrogate.predict(X[:8], observation_noise=True)
    assert (mean - smooth(X[:8]).squeeze(-1)).abs().max() < 0.25
    assert bool((sd > 0.15).all())


@RECIPES
def test_more_columns_than_observations_work(members: tuple[GPMember, ...]) -> None:
    surrogate = GPEnsemble(members, smooth_data(3, 60))
    mean, sd = surrogate.predict(uniform(20, 60, seed=1))
    assert bool(torch.isfinite(mean).all())
    assert bool((sd > 0).all())
    assert len(surrogate.report.members[0].hyperparameters) == 60 + 4


@RECIPES
def test_leave_one_out_equals_brute_force(members: tuple[GPMember, ...]) -> None:
    data = smooth_data(9, 3)
    surrogate = GPEnsemble(members, data)
    state, mean, variance = surrogate._state, *surrogate._loo_moments
    for k in range(len(members)):
        u = surrogate._transforms[k].forward(data.Y.squeeze(-1))
        K = torch.linalg.inv(state.root[k] @ state.root[k].T)
        for i in range(data.n):
            rest = [j for j in range(data.n) if j != i]
            solved = torch.linalg.solve(K[rest][:, rest], torch.stack([u[rest] - state.mean[k], K[rest, i]], 1))
            assert mean[k, i].item() == pytest.approx(float(state.mean[k] + K[i, rest] @ solved[:, 0]), abs=1e-7)
            assert variance[k, i].item() == pytest.approx(float(K[i, i] - K[i, rest] @ solved[:, 1]), rel=1e-5)


def test_leave_one_out_density_is_a_density_in_units_of_y() -> None:
    data = smooth_data(12, 3)
    thousandfold = TrainingData(data.X, 1000.0 * data.Y, data.layout)
    plain = GPEnsemble(FUNCTION, data).leave_one_out()
    scaled = GPEnsemble(FUNCTION, thousandfold).leave_one_out()
    torch.testing.assert_close(scaled.log_density, plain.log_density - math.log(1000.0), rtol=0, atol=1e-3)


def test_weights_prefer_the_transform_that_fits() -> None:
    X = uniform(30, 2)
    bowl = -(100.0 * (X[:, 1:] - X[:, :1].square()).square() + (1.0 - X[:, :1]).square())
    Y = torch.where(bowl > bowl.median(), bowl, -torch.exp(-bowl))
    report = GPEnsemble(FUNCTION, TrainingData(X, Y, Layout.numeric(2))).report
    weight = {member.name: member.weight for member in report.members}
    assert sum(share for name, share in weight.items() if "log_tail" in name) > 0.99
    assert all(member.reporting_weight >= 0.125 for member in report.members)


def test_pending_equals_an_observation_of_the_mean() -> None:
    data, pending = smooth_data(10, 3), uniform(2, 3, seed=5)
    surrogate = GPEnsemble(TABLE, data)
    believed = surrogate.condition_on_pending(pending)._state
    state, u = surrogate._state, surrogate._transforms[0].forward(data.Y.squeeze(-1))
    rows = torch.cat([data.X, pending])
    K = state._kernel(state._scaled(rows), state._scaled(rows))[0] + state.noise * torch.eye(12)
    values = torch.cat([u, state.marginal(pending)[0][0]])
    torch.testing.assert_close(believed.root[0] @ believed.root[0].T, torch.linalg.inv(K), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(believed.weights[0], torch.linalg.solve(K, values - state.mean), rtol=0, atol=1e-8)


def test_known_noise_is_trusted() -> None:
    X = uniform(20, 3)
    Y = smooth(X)
    Y[3] -= 4.0
    noise_var = torch.full_like(Y, 1e-6)
    noise_var[3] = 16.0
    honest = GPEnsemble(TABLE, TrainingData(X, Y, Layout.numeric(3), noise_var))
    naive = GPEnsemble(TABLE, TrainingData(X, Y, Layout.numeric(3)))
    truth = smooth(X[3:4]).item()
    assert abs(honest.predict(X[3:4])[0].item() - truth) < 0.5 * abs(naive.predict(X[3:4])[0].item() - truth)


@RECIPES
def test_known_noise_is_in_squared_units_of_y(members: tuple[GPMember, ...]) -> None:
    data, noise_var, X = smooth_data(15, 3), 0.1 * uniform(15, 1, seed=4), uniform(5, 3, seed=1)
    mean, sd = GPEnsemble(members, TrainingData(data.X, data.Y, data.layout, noise_var)).predict(X)
    scaled = TrainingData(data.X, 1000.0 * data.Y, data.layout, 1e6 * noise_var)
    scaled_mean, scaled_sd = GPEnsemble(members, scaled).predict(X)
    torch.testing.assert_close(scaled_mean / 1000.0, mean, rtol=0, atol=1e-3)
    torch.testing.assert_close(scaled_sd / 1000.0, sd, rtol=0, atol=1e-3)


def test_irrelevant_columns_get_longer_lengthscales() -> None:
    data = smooth_data(60, 5)
    report = GPEnsemble(TABLE, data).report.members[0].hyperparameters
    lengthscales = [report[f"lengthscale.x{column}"][0] for column in range(5)]  # type: ignore[index]
    assert max(lengthscales[0], lengthscales[2]) < min(lengthscales[3:])


def test_members_reproduce_expected_improvement_in_units_of_y() -> None:
    data = smooth_data(12, 3)
    surrogate = GPEnsemble(TABLE, data)
    X, best = uniform(6, 3, seed=2), data.Y.max()
    members = surrogate.member_posteriors(X)
    transform = members.transforms[0]
    gap = (members.mean[0] - transform.forward(best)) / members.sd[0]
    density = torch.exp(-0.5 * gap.square()) / math.sqrt(2.0 * math.pi)
    improvement = members.sd[0] * (gap * torch.special.ndtr(gap) + density) / transform.slope(best)
    expected = LogExpectedImprovement(surrogate, best_f=best)(X.unsqueeze(1)).exp()
    torch.testing.assert_close(improvement, expected, rtol=1e-6, atol=1e-12)


def test_deep_tail_of_a_member_does_not_promise_improvement() -> None:
    X = uniform(25, 2)
    Y = -torch.exp(8.0 * X[:, :1])
    member = (GPMember(kernel="matern52", transform="log_tail", prior="gamma"),)
    surrogate = GPEnsemble(member, TrainingData(X, Y, Layout.numeric(2)))
    posterior = surrogate.posterior(torch.tensor([[[0.95, 0.5]]]).double())
    raw = (posterior.mean - Y.max()) / posterior.variance.sqrt()
    moments = surrogate.member_posteriors(torch.tensor([[0.95, 0.5]]).double())
    own = (moments.mean - moments.transforms[0].forward(Y.max())) / moments.sd
    assert own.item() < -3.0
    assert raw.item() == pytest.approx(own.item(), rel=1e-6)


def test_chunks_do_not_change_member_posteriors(monkeypatch: pytest.MonkeyPatch) -> None:
    surrogate, X = GPEnsemble(FUNCTION, smooth_data(10, 3)), uniform(50, 3, seed=3)
    whole = surrogate.member_posteriors(X)
    monkeypatch.setattr(module, "_CHUNK_ELEMENTS", 300)
    parts = surrogate.member_posteriors(X)
    torch.testing.assert_close(parts.mean, whole.mean)
    torch.testing.assert_close(parts.sd, whole.sd)


def _break_members(monkeypatch: pytest.MonkeyPatch, broken: list[int]) -> None:
    """Make fitting return hyperparameters that are no numbers for some members."""

    def breaking(problem: Problem) -> tuple[torch.Tensor, torch.Tensor]:
        t, nlp = fit(problem)
        t[broken] = torch.nan
        return t, nlp

    monkeypatch.setattr(module, "fit", breaking)


def test_member_that_cannot_be_factored_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    _break_members(monkeypatch, [1])
    with pytest.warns(NumericsWarning, match="rbf/standard/gamma was dropped"):
        surrogate = GPEnsemble(FUNCTION, smooth_data(10, 3))
    assert len(surrogate.report.members) == 3
    assert len(surrogate.report.warnings) == 1
    assert bool(torch.isfinite(surrogate.predict(uniform(5, 3))[0]).all())


def test_all_members_failing_falls_back_to_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    _break_members(monkeypatch, [0, 1, 2, 3])
    with pytest.warns(NumericsWarning, match="fell back"):
        surrogate = GPEnsemble(FUNCTION, smooth_data(10, 3))
    (member,) = surrogate.report.members
    assert member.negative_log_posterior is None
    assert member.hyperparameters["noise_variance"] == 1.0
    assert bool(torch.isfinite(surrogate.predict(uniform(5, 3))[0]).all())


def test_state_keeps_only_usable_members() -> None:
    data = smooth_data(6, 3)
    surrogate = GPEnsemble(FUNCTION, data)
    problem = module.problem_of(FUNCTION, surrogate._transforms, data)
    t = surrogate._t.clone()
    t[2, 0] = torch.nan
    state, usable, _ = GPState.of(problem, t)
    assert usable.tolist() == [True, True, False, True]
    assert state.mean.shape == (3,)


def test_fit_of_one_member_is_fast() -> None:
    data = smooth_data(30, 20)
    GPEnsemble(TABLE, data)
    times = []
    for _ in range(5):
        began = time.perf_counter()
        GPEnsemble(TABLE, data)
        times.append(time.perf_counter() - began)
    # 30 ms on a quiet core; the bound leaves room for a busy one and still catches a lost order of magnitude.
    assert min(times) < 0.5


def test_layout_names_appear_in_the_report() -> None:
    layout = Layout((Group("temperature", (0,)), Group("solvent", (1, 2), "category", tied=True)))
    X = uniform(5, 3)
    report = GPEnsemble(TABLE, TrainingData(X, smooth(X), layout)).report
    assert report.observations == 5
    hyperparameters = report.members[0].hyperparameters
    assert {"lengthscale.temperature", "lengthscale.solvent"} < hyperparameters.keys()
    assert len(hyperparameters["lengthscale.solvent"]) == 1  # type: ignore[arg-type]
    assert report.model_validate_json(report.model_dump_json()) == report


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_equals_cpu() -> None:
    data, X = smooth_data(40, 4), uniform(20, 4, seed=1)
    on_gpu = GPEnsemble(FUNCTION, data.to(torch.device("cuda"))).predict(X)
    for found, expected in zip(on_gpu, GPEnsemble(FUNCTION, data).predict(X), strict=True):
        torch.testing.assert_close(found.cpu(), expected, rtol=1e-2, atol=1e-3)


def test_gradients_of_the_moments_equal_finite_differences() -> None:
    model = GPEnsemble((*TABLE, *FUNCTION), smooth_data(12, 3))
    X = uniform(4, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: (lambda m: (m.mean, m.sd))(model.member_posteriors(x)), X, atol=1e-5)
