"""What every surrogate offers: a BoTorch model of one objective, fitted, with what proposals and people ask of it."""

from __future__ import annotations

import hashlib
import math
from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self, TypeAlias, overload

import torch
from botorch.models.model import Model
from botorch.posteriors.gpytorch import GPyTorchPosterior
from botorch.posteriors.posterior import Posterior
from gpytorch.distributions import MultivariateNormal
from torch import Tensor

from surrogates.errors import ShapeError
from surrogates.report import FitReport
from surrogates.transforms import OutputTransform

if TYPE_CHECKING:
    from botorch.acquisition.objective import PosteriorTransform

# Added to the diagonal of joint covariances, as a share of the largest variance, so that equal points stay factorable.
_RELATIVE_JITTER = 1e-8
_LOG_2PI = math.log(2.0 * math.pi)


Pull: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""From derivatives by mean and standard deviation (M x n each) to those by the points (n x d)."""


@dataclass(frozen=True)
class MemberPosterior:
    """Marginal moments of each member on its own scale, for screening many points.

    Member k is Gaussian in `transforms[k].forward(y)`. Expected improvement over a value y in units of y is the member's
    own, over `transforms[k].forward(y)`, divided by `transforms[k].slope(y)`; weight it by `exp(log_weights[k])`.

    Attributes:
        mean: M x n.
        sd: M x n, of the noiseless function, positive.
        log_weights: M, sharp; their exponentials sum to one.
        transforms: M output transforms.
        noise: M, variance of a typical observation around the function.
    """

    mean: Tensor
    sd: Tensor
    log_weights: Tensor
    transforms: tuple[OutputTransform, ...]
    noise: Tensor


@dataclass(frozen=True)
class LooResult:
    """Each observation predicted by models that have not seen it, in the order of the training data.

    Attributes:
        mean: n, in units of Y.
        sd: n, of the observation (noise included), in units of Y.
        log_density: n, natural logarithm of the predictive density at the observed value, per unit of Y.
    """

    mean: Tensor
    sd: Tensor
    log_density: Tensor


class JointNormal(MultivariateNormal):  # type: ignore[misc]  # GPyTorch has no types
    """Joint Gaussian whose variances are as they are: GPyTorch would raise them to 1e-10, which in small units is everything."""

    @property
    def variance(self) -> Tensor:
        """Marginal variances (... x q); a surrogate's are positive."""
        found: Tensor = torch.distributions.MultivariateNormal.variance.__get__(self)
        return found


class Surrogate(Model):
    """A fitted model of one objective, in its own units, larger being better.

    Instances come from `surrogates.build.build` and never change: conditioning returns a new one.
    """

    report: FitReport

    @property
    def num_outputs(self) -> int:
        """One: several objectives are several surrogates in a BoTorch `ModelList`."""
        return 1

    @property
    def batch_shape(self) -> torch.Size:
        """Empty: one model, not a batch of models."""
        return torch.Size()

    @property
    @abstractmethod
    def d(self) -> int:
        """Number of input columns."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where the model lives; inputs to `posterior` must live there too."""

    @abstractmethod
    def condition_on_pending(self, X: Tensor) -> Surrogate:
        """Believe that pending points will show what is predicted there: the mean stays, the variance shrinks.

        Args:
            X: k x d points that are being measured.

        Returns:
            A new surrogate. Closed form, nothing is fitted again.

        Raises:
            ShapeError: X is not k x d.
        """

    @abstractmethod
    def member_posteriors(self, X: Tensor) -> MemberPosterior:
        """Marginal moments per member, computed in chunks; differentiable where X asks for it.

        Args:
            X: n x d.

        Raises:
            ShapeError: X is not n x d.
        """

    def member_posteriors_and_pull(self, X: Tensor) -> tuple[MemberPosterior, Pull]:
        """`member_posteriors` with their gradient, for a few points; quicker than automatic differentiation where a model can.

        Args:
            X: n x d.

        Returns:
            The moments, and the function from derivatives by mean and standard deviation (M x n each) to those by X (n x d).

        Raises:
            ShapeError: X is not n x d.
        """
        X = self._checked(X).detach().requires_grad_()
        with torch.enable_grad():
            found = self.member_posteriors(X)
        moments = replace(found, mean=found.mean.detach(), sd=found.sd.detach())

        def pull(by_mean: Tensor, by_sd: Tensor) -> Tensor:
            (gradient,) = torch.autograd.grad((by_mean * found.mean + by_sd * found.sd).sum(), X)
            return gradient

        return moments, pull

    def member_means(self, X: Tensor) -> Tensor:
        """The means of `member_posteriors` (M x n) alone, without a gradient; cheaper where a variance costs much.

        Args:
            X: n x d.

        Raises:
            ShapeError: X is not n x d.
        """
        with torch.no_grad():
            return self.member_posteriors(X).mean

    @abstractmethod
    def predict(self, X: Tensor, *, observation_noise: bool = False) -> tuple[Tensor, Tensor]:
        """What to report: members weighted more evenly than for the acquisition, hence better covering intervals.

        Args:
            X: n x d.
            observation_noise: Predict a new observation, not the noiseless function.

        Returns:
            Mean and standard deviation (n each), in units of Y.

        Raises:
            ShapeError: X is not n x d.
        """

    @abstractmethod
    def leave_one_out(self) -> LooResult:
        """Predict each observation from the others; pending points play no part."""

    def similarity(self, A: Tensor, B: Tensor) -> Tensor:
        """How much the model holds two settings to be alike before it has seen any data: the metric that it measures with.

        Here the squared exponential of the distance of the columns; models with a covariance function of their own give its
        correlation.

        Args:
            A: n x d.
            B: m x d.

        Returns:
            n x m, from 1 where the model cannot tell two settings apart to 0 where one says nothing of the other.

        Raises:
            ShapeError: A or B has another number of columns.
        """
        return torch.exp(-0.5 * torch.cdist(self._checked(A), self._checked(B)).square())

    def novelty(self, X: Tensor) -> Tensor:
        """How far points lie from the data: the predicted spread as a share of the spread without any data.

        Here the spread of a new observation over that of the observed values, whose variance is that of the left-out
        predictions and what these leave open; models that know the spread of the function before any data give its share.

        Args:
            X: n x d.

        Returns:
            n, near 0 beside the data and about 1 where the data say nothing.

        Raises:
            ShapeError: X is not n x d.
        """
        return self.predict(X, observation_noise=True)[1] / self._observed_spread()

    def left_out_novelty(self) -> Tensor:
        """The same for each observation (n), as seen from the others: what `novelty` is to be compared with."""
        return self.leave_one_out().sd / self._observed_spread()

    def _observed_spread(self) -> Tensor:
        left_out = self.leave_one_out()
        return (left_out.sd.square().mean() + left_out.mean.var(correction=0)).sqrt()

    @abstractmethod
    def _joint(self, X: Tensor, observation_noise: bool) -> tuple[Tensor, Tensor]:
        """Mean (... x q) and covariance (... x q x q) at X (... x q x d), in units of Y."""

    @overload
    def posterior(
        self,
        X: Tensor,
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: None = None,
        **_: Any,
    ) -> GPyTorchPosterior: ...

    @overload
    def posterior(
        self,
        X: Tensor,
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: PosteriorTransform | None = None,
        **_: Any,
    ) -> Posterior: ...

    def posterior(
        self,
        X: Tensor,
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: PosteriorTransform | None = None,
        **_: Any,
    ) -> Posterior:
        """Joint Gaussian posterior over q points, differentiable in X.

        Args:
            X: ... x q x d, double, on the model's device.
            output_indices: None or `[0]`.
            observation_noise: Whether to add the fitted noise; a tensor gives the variances to add, in squared units of
                Y, and must broadcast to ... x q x 1.
            posterior_transform: Applied to the result.

        Returns:
            A `GPyTorchPosterior` with batch shape `...`, or what `posterior_transform` makes of it.

        Raises:
            ShapeError: X has too few dimensions or another number of columns, or other outputs than the first are asked.
        """
        if X.ndim < 2 or X.shape[-1] != self.d:
            raise ShapeError(f"X: expected shape (..., q, {self.d}), got {tuple(X.shape)}")
        if output_indices is not None and list(output_indices) != [0]:
            raise ShapeError(f"output_indices: this model has the one output 0, got {output_indices}")
        X = X.to(torch.float64)
        mean, covariance = self._joint(X, observation_noise is True)
        if isinstance(observation_noise, Tensor):
            added = observation_noise.to(mean).expand(*mean.shape, 1).squeeze(-1)
            covariance = covariance + torch.diag_embed(added)
        if X.shape[-2] > 1:
            largest = covariance.detach().diagonal(dim1=-2, dim2=-1).amax(-1, keepdim=True)
            covariance = covariance + torch.diag_embed((_RELATIVE_JITTER * largest).expand(mean.shape))
        posterior = GPyTorchPosterior(JointNormal(mean, covariance))
        return posterior if posterior_transform is None else posterior_transform(posterior)

    def subset_output(self, idcs: list[int]) -> Self:
        """The model itself, which has the one output 0.

        Raises:
            ShapeError: Another output is asked for.
        """
        if list(idcs) != [0]:
            raise ShapeError(f"idcs: this model has the one output 0, got {idcs}")
        return self

    def _checked(self, X: Tensor) -> Tensor:
        if X.ndim != 2 or X.shape[1] != self.d:
            raise ShapeError(f"X: expected shape (n, {self.d}), got {tuple(X.shape)}")
        return X.to(device=self.device, dtype=torch.float64)


def mix(means: Tensor, covariances: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Moments of a mixture of joint Gaussians.

    Args:
        means: M x ... x q.
        covariances: M x ... x q x q.
        weights: M, summing to one.

    Returns:
        Mean (... x q) and covariance (... x q x q), the disagreement of the members included.
    """
    if weights.numel() == 1:
        return means[0], covariances[0]
    mean = torch.einsum("m,m...->...", weights, means)
    gap = means - mean
    spread = torch.einsum("m,m...i,m...j->...ij", weights, gap, gap)
    return mean, torch.einsum("m,m...->...", weights, covariances) + spread


def gaussian_log_density(value: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """Natural logarithm of the Gaussian density, elementwise."""
    return -0.5 * ((value - mean).square() / variance + variance.log() + _LOG_2PI)


def fingerprint(parts: Iterable[Tensor | str]) -> str:
    """SHA-256, in hexadecimal, over texts and the shapes and bytes of tensors."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            payload = part.encode()
            head = f"text {len(payload)};"
        else:
            payload = part.detach().cpu().contiguous().numpy().tobytes()
            head = f"tensor {tuple(part.shape)} {part.dtype};"
        digest.update(head.encode())
        digest.update(payload)
    return digest.hexdigest()
