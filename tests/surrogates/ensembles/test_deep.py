"""The deep ensemble learns where data are many, knows where it does not, and trains as one program."""

from __future__ import annotations

import pytest
import torch

from surrogates.build import build
from surrogates.data import Layout, TrainingData
from surrogates.ensembles.deep import DeepEnsemble, _train
from surrogates.ensembles.moments import folds
from surrogates.ensembles.networks import BatchedNetworks
from surrogates.specs import DeepEnsembleSpec
from tests.surrogates.examples import smooth, smooth_data, uniform

SMALL = DeepEnsembleSpec(members=6, hidden=(16,), epochs=60)


def test_thousand_rows_teach_a_smooth_function() -> None:
    generator = torch.Generator().manual_seed(3)
    X, test = uniform(1000, 6), uniform(300, 6, seed=9)
    Y = smooth(X) + 0.1 * torch.randn(1000, 1, dtype=torch.float64, generator=generator)
    surrogate = build(DeepEnsembleSpec(), TrainingData(X, Y, Layout.numeric(6)), pool=False, seed=0)
    truth = smooth(test).squeeze(-1)
    mean, sd = surrogate.predict(test)
    assert (mean - truth).square().mean().sqrt() < 0.15 * truth.std()
    observed = truth + 0.1 * torch.randn(300, dtype=torch.float64, generator=generator)
    _, wide = surrogate.predict(test, observation_noise=True)
    assert 0.8 < ((observed - mean).abs() < 1.645 * wide).double().mean() < 0.98
    assert bool((sd > 0).all())


def test_uncertainty_grows_away_from_the_data() -> None:
    X = 0.5 * uniform(200, 3)
    surrogate = build(DeepEnsembleSpec(epochs=100), TrainingData(X, smooth(X), Layout.numeric(3)), pool=False, seed=0)
    _, near = surrogate.predict(0.5 * uniform(50, 3, seed=1))
    _, far = surrogate.predict(0.5 + 0.5 * uniform(50, 3, seed=1))
    assert far.mean() > 3.0 * near.mean()


@pytest.mark.parametrize("value", [0.0, 5.0])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_few_constant_observations_work(n: int, value: float) -> None:
    Y = torch.full((n, 1), value, dtype=torch.float64)
    surrogate = DeepEnsemble(SMALL, TrainingData(uniform(n, 3), Y, Layout.numeric(3)), seed=0)
    mean, sd = surrogate.predict(uniform(5, 3, seed=1))
    assert bool(torch.isfinite(mean).all())
    assert bool((sd > 0).all())
    assert bool(torch.isfinite(surrogate.leave_one_out().log_density).all())


def test_chunks_change_speed_and_nothing_else() -> None:
    data = smooth_data(50, 3)
    whole = _train(SMALL.model_copy(update={"chunk": 50, "epochs": 10}), data, 0)[0]
    parts = _train(SMALL.model_copy(update={"chunk": 7, "epochs": 10}), data, 0)[0]
    torch.testing.assert_close(whole(data.X), parts(data.X), rtol=0, atol=1e-3)


def test_members_are_trained_as_if_alone() -> None:
    # Folds differ with the number of members, hence the comparison of forward passes, not of trained networks.
    generator = torch.Generator().manual_seed(0)
    networks = BatchedNetworks.draw(3, (2, 5, 4, 1), 0.7, generator, torch.device("cpu")).double()
    X = uniform(6, 2)
    h = torch.nn.functional.silu(X @ networks.weights[0][1] + networks.biases[0][1])
    h = torch.nn.functional.silu(h @ networks.weights[1][1] + networks.biases[1][1])
    expected = (h @ networks.weights[2][1] + networks.biases[2][1]).squeeze(-1)
    torch.testing.assert_close(networks.trained(X)[1], expected)
    torch.testing.assert_close(networks(X), networks.trained(X) + networks.prior(X))


@pytest.mark.parametrize("members", [2, 3, 5, 10, 12])
def test_every_observation_is_kept_from_some_members_and_shown_to_others(members: int) -> None:
    kept_out = folds(members, 40, torch.Generator().manual_seed(0)).sum(0)
    assert bool((kept_out >= 1).all())
    assert bool((kept_out <= (members + 1) // 2).all())


def test_uncertain_observations_weigh_less() -> None:
    X = torch.full((20, 2), 0.5, dtype=torch.float64)
    Y = torch.cat([torch.zeros(10, 1), torch.ones(10, 1)]).double()
    noise_var = torch.cat([torch.full((10, 1), 1e-4), torch.full((10, 1), 25.0)]).double()
    surrogate = DeepEnsemble(SMALL, TrainingData(X, Y, Layout.numeric(2), noise_var), seed=0)
    assert surrogate.predict(X[:1])[0].item() < 0.1


def test_joint_covariance_equals_that_of_the_members() -> None:
    surrogate = DeepEnsemble(SMALL, smooth_data(30, 3), seed=0)
    X = uniform(4, 3, seed=1)
    values = surrogate._networks(X) * surrogate._transform.scale
    covariance = surrogate.posterior(X).distribution.covariance_matrix
    expected = torch.cov(values.T) + 1e-6 * surrogate._transform.scale**2 * torch.eye(4)
    torch.testing.assert_close(covariance, expected, rtol=1e-6, atol=1e-7)


def test_left_out_predictions_do_not_know_the_noise() -> None:
    X = uniform(60, 3)
    Y = torch.randn(60, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    surrogate = DeepEnsemble(DeepEnsembleSpec(epochs=400), TrainingData(X, Y, Layout.numeric(3)), seed=0)
    left_out = (surrogate.leave_one_out().mean - Y.squeeze(-1)).square().mean().sqrt()
    fitted = (surrogate.predict(X)[0] - Y.squeeze(-1)).square().mean().sqrt()
    assert left_out > 0.9 * Y.std()
    assert fitted < 0.8 * left_out


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_equals_cpu() -> None:
    data, X = smooth_data(40, 4), uniform(20, 4, seed=1)
    on_gpu = DeepEnsemble(SMALL, data.to(torch.device("cuda")), seed=0).predict(X)
    for found, expected in zip(on_gpu, DeepEnsemble(SMALL, data, seed=0).predict(X), strict=True):
        torch.testing.assert_close(found.cpu(), expected, rtol=5e-2, atol=5e-2)
