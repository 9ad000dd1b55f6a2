"""The contract of every surrogate: checks to be called from the tests of any implementation, ours or a guest's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from botorch.acquisition.logei import qLogExpectedImprovement
from botorch.acquisition.multi_objective import logei
from botorch.models.model import ModelList
from botorch.posteriors.gpytorch import GPyTorchPosterior
from botorch.sampling.list_sampler import ListSampler
from botorch.sampling.normal import SobolQMCNormalSampler
from botorch.utils.sampling import draw_sobol_samples
from torch import Tensor

from surrogates.base import Surrogate
from surrogates.data import Layout, TrainingData
from surrogates.errors import ShapeError

Factory = Callable[[TrainingData], Surrogate]


@dataclass(frozen=True)
class SurrogateContract:
    """What a surrogate must do on a smooth, noiseless function of three columns.

    Attributes:
        make: Builds and fits; must be a pure function of the data.
        interpolation: Largest root mean squared error at the observations, in standard deviations of Y.
        n: Number of observations.
    """

    make: Factory
    interpolation: float = 0.1
    n: int = 24

    def data(self, shift: float = 0.0) -> TrainingData:
        """Observations of the function, `shift` added to Y."""
        X = draw_sobol_samples(torch.tensor([[0.0] * 3, [1.0] * 3]).double(), n=self.n, q=1, seed=5).squeeze(1)
        return TrainingData(X, 10.0 * self.truth(X) + shift, Layout.numeric(3))

    @staticmethod
    def truth(X: Tensor) -> Tensor:
        """The function at n x 3 points: n x 1."""
        return torch.sin(3.0 * X[:, :1]) + (X[:, 1:2] - 0.4).square() - 0.5 * X[:, 2:3] * X[:, :1]

    @staticmethod
    def points(*shape: int) -> Tensor:
        """Reproducible points between the observations: shape x 3."""
        return torch.rand(*shape, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(17))

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of all checks, each a method without arguments that raises `AssertionError` with what was expected."""
        return tuple(name for name in dir(cls) if name.startswith("check_"))

    def check(self, name: str) -> None:
        """Carry out one check."""
        getattr(self, name)()

    def check_posterior_shapes(self) -> None:
        """Batches of any shape give posteriors of that shape."""
        surrogate = self.make(self.data())
        _expect(surrogate.num_outputs == 1 and surrogate.batch_shape == torch.Size(), "one output, no batch")
        for shape in ((1,), (4,), (2, 3), (2, 1, 5)):
            posterior = surrogate.posterior(self.points(*shape))
            _expect(isinstance(posterior, GPyTorchPosterior), "a GPyTorchPosterior")
            _expect(posterior.mean.shape == (*shape, 1), f"a mean of shape {(*shape, 1)}, got {posterior.mean.shape}")
            _expect(posterior.variance.shape == (*shape, 1), f"a variance of shape {(*shape, 1)}")
            sample = posterior.rsample(torch.Size([7]))
            _expect(sample.shape == (7, *shape, 1), f"samples of shape {(7, *shape, 1)}, got {sample.shape}")

    def check_posterior_is_a_distribution(self) -> None:
        """Variances are positive and joint covariances positive semi-definite, equal points included."""
        surrogate = self.make(self.data())
        X = torch.cat([self.points(6), self.data().X[:3], self.data().X[:3]])
        covariance = surrogate.posterior(X).distribution.covariance_matrix
        _expect(bool((covariance.diagonal() > 0).all()), "positive variances")
        least = float(torch.linalg.eigvalsh(covariance).min())
        _expect(least > -1e-9 * float(covariance.diagonal().max()), f"no negative eigenvalue, got {least}")

    def check_noise_widens_posterior(self) -> None:
        """Observation noise adds to the variance; given variances add exactly."""
        surrogate, X = self.make(self.data()), self.points(2, 3)
        plain = surrogate.posterior(X).variance
        _expect(bool((surrogate.posterior(X, observation_noise=True).variance > plain).all()), "a wider posterior")
        given = surrogate.posterior(X, observation_noise=torch.full_like(plain, 3.0)).variance
        torch.testing.assert_close(given, plain + 3.0, rtol=1e-6, atol=1e-6)

    def check_gradient(self) -> None:
        """Mean and variance can be differentiated in X, and finite differences agree."""
        surrogate = self.make(self.data())

        def value(X: Tensor) -> Tensor:
            posterior = surrogate.posterior(X)
            result: Tensor = posterior.mean.sum() + posterior.variance.sqrt().sum()
            return result

        X = self.points(2, 2).requires_grad_()
        (gradient,) = torch.autograd.grad(value(X), X)
        step = 1e-6
        for index in ((0, 0, 0), (1, 1, 2), (0, 1, 1)):
            ahead, behind = X.detach().clone(), X.detach().clone()
            ahead[index] += step
            behind[index] -= step
            slope = (value(ahead) - value(behind)) / (2 * step)
            torch.testing.assert_close(gradient[index], slope, rtol=1e-4, atol=1e-4)

    def check_gradient_of_members(self) -> None:
        """`member_posteriors_and_pull` says what `member_posteriors` does, with the gradient of automatic differentiation."""
        surrogate = self.make(self.data())
        X = self.points(4).requires_grad_()
        expected = surrogate.member_posteriors(X)
        moments, pull = surrogate.member_posteriors_and_pull(X.detach())
        torch.testing.assert_close(moments.mean, expected.mean.detach())
        torch.testing.assert_close(moments.sd, expected.sd.detach())
        _expect(torch.equal(moments.log_weights, expected.log_weights), "the same weights")
        by_mean, by_sd = torch.ones_like(moments.mean), torch.linspace(0.5, 1.0, 4).double().expand_as(moments.sd)
        (gradient,) = torch.autograd.grad((by_mean * expected.mean + by_sd * expected.sd).sum(), X)
        torch.testing.assert_close(pull(by_mean, by_sd), gradient)

    def check_same_data_same_surrogate(self) -> None:
        """Fitting twice gives the same surrogate, bit for bit."""
        first, second = self.make(self.data()), self.make(self.data())
        _expect(first.report.fingerprint == second.report.fingerprint, "equal fingerprints")
        same = first.report.model_dump(exclude={"seconds"}) == second.report.model_dump(exclude={"seconds"})
        _expect(same, "equal reports but for the time taken")
        X = self.points(4, 2)
        _expect(torch.equal(first.posterior(X).mean, second.posterior(X).mean), "equal means")

    def check_global_randomness_is_untouched(self) -> None:
        """Fitting neither reads nor advances the global random state."""
        before = torch.random.get_rng_state()
        self.make(self.data())
        _expect(torch.equal(before, torch.random.get_rng_state()), "an untouched global random state")

    def check_fingerprint_follows_data(self) -> None:
        """One changed value, or one pending point, changes the fingerprint."""
        data = self.data()
        Y = data.Y.clone()
        Y[0] += 1e-3
        surrogate = self.make(data)
        other = self.make(TrainingData(data.X, Y, data.layout))
        pending = surrogate.condition_on_pending(self.points(1))
        prints = {s.report.fingerprint for s in (surrogate, other, pending)}
        _expect(len(prints) == 3, "three different fingerprints")

    def check_interpolation(self) -> None:
        """Noiseless observations are nearly met."""
        data = self.data()
        mean, _ = self.make(data).predict(data.X)
        miss = float((mean - data.Y.squeeze(-1)).square().mean().sqrt() / data.Y.std())
        _expect(miss < self.interpolation, f"an error below {self.interpolation} at the observations, got {miss:.3f}")

    def check_shift_of_units(self) -> None:
        """Adding a constant to Y adds it to the predictions and leaves the spread."""
        X = self.points(5)
        mean, sd = self.make(self.data()).predict(X)
        shifted_mean, shifted_sd = self.make(self.data(shift=100.0)).predict(X)
        torch.testing.assert_close(shifted_mean - 100.0, mean, rtol=0, atol=2e-2)
        torch.testing.assert_close(shifted_sd, sd, rtol=2e-2, atol=2e-2)

    def check_pending(self) -> None:
        """Believing pending points keeps the mean, shrinks the variance there, and raises it nowhere."""
        surrogate, X, pending = self.make(self.data()), self.points(9), self.points(2)
        believed = surrogate.condition_on_pending(pending)
        for q in (X.unsqueeze(1), pending.unsqueeze(1)):
            before, after = surrogate.posterior(q), believed.posterior(q)
            torch.testing.assert_close(after.mean, before.mean, rtol=1e-6, atol=1e-6)
            _expect(bool((after.variance <= before.variance * (1 + 1e-6)).all()), "no larger variance")
        gap = surrogate.posterior(pending.unsqueeze(1)).variance - believed.posterior(pending.unsqueeze(1)).variance
        _expect(bool((gap > 0).all()), "smaller variances at the pending points")
        _expect(believed.report.pending == 2 and surrogate.report.pending == 0, "pending points counted")
        at_once = believed.condition_on_pending(self.points(5)[2:])
        stepwise = surrogate.condition_on_pending(torch.cat([pending, self.points(5)[2:]]))
        torch.testing.assert_close(at_once.predict(X), stepwise.predict(X), rtol=1e-6, atol=1e-6)

    def check_member_posteriors(self) -> None:
        """Members have matching shapes, positive spreads, weights that sum to one, and gradients."""
        surrogate, X = self.make(self.data()), self.points(11).requires_grad_()
        members = surrogate.member_posteriors(X)
        M = len(members.transforms)
        _expect(members.mean.shape == members.sd.shape == (M, 11), f"moments of shape {(M, 11)}")
        _expect(members.mean.dtype == torch.float64, "double precision")
        _expect(bool((members.sd > 0).all()), "positive spreads")
        _expect(members.noise.shape == (M,) and bool((members.noise >= 0).all()), f"{M} noise variances")
        torch.testing.assert_close(members.log_weights.exp().sum().item(), 1.0)
        (gradient,) = torch.autograd.grad(members.mean.sum() + members.sd.sum(), X)
        _expect(bool(torch.isfinite(gradient).all() and (gradient != 0).any()), "a gradient")
        raw = torch.stack([t.inverse(m) for t, m in zip(members.transforms, members.mean, strict=True)])
        mixed = (members.log_weights.exp()[:, None] * raw).sum(0)
        torch.testing.assert_close(mixed, surrogate.posterior(X.unsqueeze(1)).mean.flatten(), rtol=1e-6, atol=1e-6)

    def check_predict(self) -> None:
        """Predictions are finite, and those of observations wider than those of the function."""
        surrogate, X = self.make(self.data()), self.points(11)
        mean, sd = surrogate.predict(X)
        _expect(mean.shape == sd.shape == (11,), "vectors")
        _expect(bool(torch.isfinite(mean).all()) and bool((sd > 0).all()), "finite means, positive spreads")
        _expect(bool((surrogate.predict(X, observation_noise=True)[1] > sd).all()), "wider intervals for observations")

    def check_leave_one_out(self) -> None:
        """Left-out predictions beat the mean of Y on a smooth function, and survive pending points unchanged."""
        data = self.data()
        surrogate = self.make(data)
        loo = surrogate.leave_one_out()
        _expect(loo.mean.shape == loo.sd.shape == loo.log_density.shape == (data.n,), "one entry per observation")
        miss = float((loo.mean - data.Y.squeeze(-1)).square().mean().sqrt() / data.Y.std())
        _expect(miss < 0.7, f"left-out errors below 0.7 standard deviations, got {miss:.3f}")
        later = surrogate.condition_on_pending(self.points(1)).leave_one_out()
        _expect(torch.equal(later.mean, loo.mean), "left-out predictions that ignore pending points")

    def check_metric(self) -> None:
        """Points are alike to themselves, less so to others; far ones are newer than measured ones."""
        data = self.data()
        surrogate, X = self.make(data), self.points(5)
        alike = surrogate.similarity(X, X)
        torch.testing.assert_close(alike.diagonal(), torch.ones_like(alike.diagonal()), rtol=0, atol=1e-6)
        others = ~torch.eye(5, dtype=torch.bool)
        _expect(bool(((alike >= 0) & (alike <= 1 + 1e-9)).all() and (alike[others] < 1).all()), "correlations below one")
        _expect(surrogate.similarity(X[:2], X).shape == (2, 5), "n x m correlations")
        far = torch.full((1, 3), 30.0, dtype=torch.float64)
        new, old = surrogate.novelty(torch.cat([far, data.X[:2]])), surrogate.left_out_novelty()
        _expect(new.shape == (3,) and old.shape == (data.n,), "one number for each point and each observation")
        _expect(bool((new >= 0).all() and (old >= 0).all() and (new[0] > new[1:]).all()), "a far point to be the newest")

    def check_expected_improvement(self) -> None:
        """BoTorch's expected improvement is finite and differentiable for single points and batches."""
        surrogate = self.make(self.data())
        sampler = SobolQMCNormalSampler(torch.Size([32]), seed=1)
        acquisition = qLogExpectedImprovement(surrogate, best_f=float(self.data().Y.max()), sampler=sampler)
        for q in (1, 3):
            X = self.points(4, q).requires_grad_()
            value = acquisition(X)
            _expect(value.shape == (4,) and bool(torch.isfinite(value).all()), "finite values")
            (gradient,) = torch.autograd.grad(value.sum(), X)
            _expect(bool(torch.isfinite(gradient).all()), "finite gradients")

    def check_hypervolume_improvement(self) -> None:
        """Two surrogates in a `ModelList` serve BoTorch's noisy expected hypervolume improvement."""
        data = self.data()
        other = TrainingData(data.X, data.X[:, 2:3] - data.Y / 10.0, data.layout)
        models = ModelList(self.make(data), self.make(other))
        samplers = [SobolQMCNormalSampler(torch.Size([16]), seed=seed) for seed in (1, 2)]
        reference = [float(data.Y.min()), float(other.Y.min())]
        logei._load_attempted = True  # its Python path: a check must not wait for a compiler
        acquisition = logei.qLogNoisyExpectedHypervolumeImprovement(
            models, ref_point=reference, X_baseline=data.X, sampler=ListSampler(*samplers), cache_root=False
        )
        for q in (1, 2):
            X = self.points(3, q).requires_grad_()
            value = acquisition(X)
            _expect(value.shape == (3,) and bool(torch.isfinite(value).all()), "finite values")
            (gradient,) = torch.autograd.grad(value.sum(), X)
            _expect(bool(torch.isfinite(gradient).all()), "finite gradients")

    def check_wrong_shapes_are_refused(self) -> None:
        """Points with another number of columns are refused by every entrance."""
        surrogate = self.make(self.data())
        wrong = torch.rand(2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        for entrance in (
            surrogate.posterior,
            surrogate.predict,
            surrogate.member_posteriors,
            surrogate.condition_on_pending,
        ):
            try:
                entrance(wrong)
            except ShapeError:
                continue
            raise AssertionError(f"{entrance.__name__}: expected ShapeError for four columns instead of three")


def _expect(condition: bool, what: str) -> None:
    if not condition:
        raise AssertionError(f"expected {what}")
