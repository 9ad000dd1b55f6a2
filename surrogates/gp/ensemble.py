"""The surrogate made of Gaussian processes: fits its members as one batch, weights them and mixes their predictions."""

from __future__ import annotations

import copy
import time
import warnings
from dataclasses import replace

import torch
from torch import Tensor

from surrogates.base import LooResult, MemberPosterior, Pull, Surrogate, fingerprint, gaussian_log_density, mix
from surrogates.data import Layout, TrainingData
from surrogates.errors import NumericsWarning
from surrogates.gp.fitting import fit
from surrogates.gp.kernels import Kernels
from surrogates.gp.likelihood import Problem
from surrogates.gp.priors import Priors
from surrogates.gp.state import GPState
from surrogates.report import FitReport, MemberReport
from surrogates.specs import GPMember
from surrogates.transforms import TRANSFORMS, OutputTransform

_FARTHEST = 2.0  # drawn hyperparameters lie no farther from the most probable ones [log units]
_CHUNK_ELEMENTS = 1 << 18  # covariances per chunk of `member_posteriors`: 2 MiB of doubles stay in the cache


class GPEnsemble(Surrogate):
    """A mixture of Gaussian processes, each at its most probable hyperparameters.

    Members are weighted by the density they give to left-out observations: sharply for the acquisition, where a member
    that fits badly would otherwise win by its large variance, and halfway to uniform for reporting, where sharp weights
    make intervals too narrow.
    """

    def __init__(self, members: tuple[GPMember, ...], data: TrainingData) -> None:
        """Fit the members.

        Args:
            members: At least one.
            data: On the device that the model shall live on.
        """
        super().__init__()
        began = time.perf_counter()
        self._layout = data.layout
        with torch.no_grad():
            self._fit(members, data)
        self.report = self._make_report(time.perf_counter() - began)

    def _fit(self, members: tuple[GPMember, ...], data: TrainingData) -> None:
        y = data.Y.squeeze(-1)
        transforms = tuple(TRANSFORMS[member.transform].of(y) for member in members)
        problem = problem_of(members, transforms, data)
        t, nlp = fit(problem)
        state, usable, jitter = GPState.of(problem, t)
        self._warnings = _complaints(members, usable, jitter)
        if not bool(usable.any()):
            # Noise as large as the signal keeps every covariance of finite inputs positive definite.
            members, transforms, problem = members[:1], transforms[:1], problem.take(torch.zeros(1, dtype=torch.long))
            t, nlp = problem.priors.start.clone(), torch.full_like(nlp[:1], torch.inf)
            t[:, -2:] = 0.0
            state, usable, _ = GPState.of(problem, t)
        if self._warnings:
            warnings.warn("; ".join(self._warnings), NumericsWarning, stacklevel=4)
        kept = usable.nonzero().squeeze(-1).tolist()
        self._members = tuple(members[k] for k in kept)
        self._transforms: tuple[OutputTransform, ...] = tuple(transforms[k] for k in kept)
        self._t, self._nlp, self._state = t[usable], nlp[usable], state
        self._pending = 0
        self._outliers: tuple[int, ...] = ()
        self._known_noise = problem.known_noise[usable]
        self._loo_moments = state.leave_one_out(problem.U[usable])
        self._loo_density = self._left_out_density(y, problem.U[usable])
        scores = self._loo_density.sum(-1)
        self._log_weights = torch.log_softmax(scores, 0)
        self._reporting_weights = 0.5 * self._log_weights.exp() + 0.5 / len(kept)

    def _left_out_density(self, y: Tensor, U: Tensor) -> Tensor:
        """Log density per unit of Y that each member gives to each left-out observation: M x n."""
        mean, variance = self._loo_moments
        jacobian = torch.stack([transform.slope(y).log() for transform in self._transforms])
        return gaussian_log_density(U, mean, variance) + jacobian

    @property
    def d(self) -> int:
        """Number of input columns."""
        return self._layout.d

    @property
    def device(self) -> torch.device:
        """Where the model lives."""
        return self._state.X.device

    def condition_on_pending(self, X: Tensor) -> GPEnsemble:
        """Believe that pending points (k x d) will show what is predicted there."""
        X = self._checked(X)
        if X.shape[0] == 0:
            return self
        other = copy.copy(self)
        with torch.no_grad():
            other._state = self._state.with_pending(X)
        other._pending = self._pending + X.shape[0]
        other.report = other._make_report(self.report.seconds)
        return other

    def with_outliers(self, outliers: tuple[int, ...]) -> GPEnsemble:
        """Name observations whose known variance is not that of a typical one: none of what is predicted takes it for such."""
        if not outliers:
            return self
        other = copy.copy(self)
        typical = torch.ones(self._known_noise.shape[1], dtype=torch.bool, device=self.device)
        typical[list(outliers)] = False
        other._state = replace(self._state, known_noise=self._known_noise[:, typical].mean(-1))
        other._outliers = outliers
        other.report = other._make_report(self.report.seconds)
        return other

    def member_posteriors(self, X: Tensor) -> MemberPosterior:
        """Marginal moments per member (M x n), computed in chunks."""
        X = self._checked(X)
        rows = max(1, _CHUNK_ELEMENTS // (len(self._members) * self._state.X.shape[0]))
        parts = [self._state.marginal(chunk) for chunk in torch.split(X, rows)]
        mean = torch.cat([part[0] for part in parts], -1)
        sd = torch.cat([part[1] for part in parts], -1).sqrt()
        return MemberPosterior(mean, sd, self._log_weights, self._transforms, self._state.observation_noise)

    def member_posteriors_and_pull(self, X: Tensor) -> tuple[MemberPosterior, Pull]:
        """The same, in closed form."""
        with torch.no_grad():
            mean, variance, pull = self._state.marginal_and_pull(self._checked(X))
            sd = variance.sqrt()
        moments = MemberPosterior(mean, sd, self._log_weights, self._transforms, self._state.observation_noise)
        return moments, lambda by_mean, by_sd: pull(by_mean, 0.5 * by_sd / sd)

    def member_means(self, X: Tensor) -> Tensor:
        """Means per member (M x n)."""
        with torch.no_grad():
            return self._state.means(self._checked(X))

    def predict(self, X: Tensor, *, observation_noise: bool = False) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (n each) to report, in units of Y."""
        with torch.no_grad():
            members = self.member_posteriors(X)
            variance = members.sd.square()
            if observation_noise:
                variance = variance + self._state.observation_noise[:, None]
            return self._reported(members.mean, variance)

    def leave_one_out(self) -> LooResult:
        """Each observation predicted from the others, hyperparameters held."""
        mean, sd = self._reported(*self._loo_moments)
        density = torch.logsumexp(self._loo_density + self._reporting_weights.log()[:, None], 0)
        return LooResult(mean, sd, density)

    @property
    def fitted(self) -> tuple[Kernels, tuple[OutputTransform, ...], Tensor]:
        """Of M members: their kernels, their transforms, and the variances of the n observations known beforehand (M x n)."""
        return self._state.kernels, self._transforms, self._known_noise

    def draw_hyperparameters(self, data: TrainingData, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw members by their reporting weights, and hyperparameters from the Laplace approximation around each.

        Args:
            data: What the model was fitted to.
            n: How many draws.
            generator: Of the random numbers.

        Returns:
            Positions of members (n), as even as their weights allow, and logarithms of hyperparameters (n x p) within their bounds.
        """
        problem = replace(problem_of(self._members, self._transforms, data), known_noise=self._known_noise)
        _, _, curvature = problem.evaluate(self._t)
        spread = torch.linalg.inv(torch.linalg.cholesky(curvature)).mT  # of N(0, curvature⁻¹)
        edges = self._reporting_weights.cumsum(0) / self._reporting_weights.sum()
        places = (torch.arange(n, dtype=torch.float64) + float(torch.rand(1, generator=generator, dtype=torch.float64))) / n
        member = torch.searchsorted(edges, places.to(edges)).clamp_max(len(edges) - 1)
        z = torch.randn(n, curvature.shape[-1], 1, generator=generator, dtype=torch.float64).to(self._t)
        step = (spread[member] @ z).squeeze(-1).clamp(-_FARTHEST, _FARTHEST)
        t = self._t[member] + step
        return member, torch.maximum(torch.minimum(t, problem.priors.upper[member]), problem.priors.lower[member])

    def inverse_lengthscales(self, t: Tensor) -> Tensor:
        """Of each column (n x d), from logarithms of hyperparameters (n x p)."""
        return torch.exp(-t[:, : self._layout.n_lengthscales]) @ _column_map(self._layout).to(t).T

    def similarity(self, A: Tensor, B: Tensor) -> Tensor:
        """Correlation of the function at the rows of A (n x d) and B (m x d) before any data, averaged over the members."""
        with torch.no_grad():
            return torch.einsum("m,mij->ij", self._reporting_weights, self._state.correlation(self._checked(A), self._checked(B)))

    def novelty(self, X: Tensor) -> Tensor:
        """Share of the function's spread (n) that the data have left at X (n x d), averaged over the members."""
        with torch.no_grad():
            return self._left(self.member_posteriors(X).sd.square())

    def left_out_novelty(self) -> Tensor:
        """The same at each observation (n), given the others."""
        return self._left((self._loo_moments[1] - self._state.observation_noise[:, None]).clamp_min(0.0))

    def _left(self, variance: Tensor) -> Tensor:
        """Square root of the share that variances of the function (M x n) are of those before any data: n, at most one."""
        return (self._reporting_weights @ (variance / self._state.output_scale[:, None])).clamp_max(1.0).sqrt()

    def _reported(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """Mix members (M x n, on their own scales) by the reporting weights, in units of Y."""
        moments = [
            transform.moments(m, v.sqrt()) for transform, m, v in zip(self._transforms, mean, variance, strict=True)
        ]
        means, sds = (torch.stack(parts) for parts in zip(*moments, strict=True))
        mixed = self._reporting_weights @ means
        return mixed, (self._reporting_weights @ (sds.square() + (means - mixed).square())).sqrt()

    def _joint(self, X: Tensor, observation_noise: bool) -> tuple[Tensor, Tensor]:
        mean, covariance = self._state.joint(X)
        if observation_noise:
            noise = self._state.observation_noise.view(-1, *(1,) * (mean.ndim - 1)).expand_as(mean)
            covariance = covariance + torch.diag_embed(noise)
        gain = torch.stack([transform.gain(m) for transform, m in zip(self._transforms, mean, strict=True)])
        mean = torch.stack([transform.inverse(m) for transform, m in zip(self._transforms, mean, strict=True)])
        covariance = gain.unsqueeze(-1) * covariance * gain.unsqueeze(-2)
        return mix(mean, covariance, self._log_weights.exp())

    def _make_report(self, seconds: float) -> FitReport:
        state = self._state
        # The root follows from these, and is by far the largest.
        parts = [state.X, self._t, state.mean, state.weights, self._log_weights]
        texts = [repr(self._layout), repr(self._members), repr(self._transforms), f"pending {self._pending}"]
        return FitReport(
            kind="gp",
            observations=state.X.shape[0] - self._pending,
            pending=self._pending,
            members=tuple(self._member_report(k) for k in range(len(self._members))),
            warnings=self._warnings,
            outliers=self._outliers,
            seconds=seconds,
            fingerprint=fingerprint([*texts, *parts]),
        )

    def _member_report(self, k: int) -> MemberReport:
        member = self._members[k]
        values = self._t[k].exp().tolist()
        hyperparameters: dict[str, float | tuple[float, ...]] = {}
        position = 0
        for group in self._layout.groups:
            lengthscales = tuple(values[position : position + group.n_lengthscales])
            hyperparameters[f"lengthscale.{group.name}"] = lengthscales
            position += group.n_lengthscales
        mean = self._transforms[k].inverse(self._state.mean[k])
        hyperparameters |= {"noise_variance": values[-2], "output_scale": values[-1], "mean": float(mean)}
        hyperparameters["leave_one_out_log_density"] = float(self._loo_density[k].sum())
        nlp = float(self._nlp[k])
        return MemberReport(
            name=f"{member.kernel}/{member.transform}/{member.prior}",
            weight=float(self._log_weights[k].exp()),
            reporting_weight=float(self._reporting_weights[k]),
            negative_log_posterior=nlp if nlp < float("inf") else None,
            hyperparameters=hyperparameters,
        )


def problem_of(members: tuple[GPMember, ...], transforms: tuple[OutputTransform, ...], data: TrainingData) -> Problem:
    """What the hyperparameters of the members are fitted to, each member on the scale of its own transform."""
    layout, y, device = data.layout, data.Y.squeeze(-1), data.X.device
    known = torch.zeros_like(y) if data.noise_var is None else data.noise_var.squeeze(-1)
    return Problem(
        X=data.X,
        U=torch.stack([transform.forward(y) for transform in transforms]),
        known_noise=torch.stack([known * transform.slope(y).square() for transform in transforms]),
        kernels=Kernels(torch.tensor([member.kernel == "rbf" for member in members], device=device)),
        priors=Priors.of(members, layout).to(device),
        column_map=_column_map(layout).to(device),
    )


def _column_map(layout: Layout) -> Tensor:
    index = torch.tensor(layout.lengthscale_of_column)
    return torch.nn.functional.one_hot(index, layout.n_lengthscales).double()


def _complaints(members: tuple[GPMember, ...], usable: Tensor, jitter: Tensor) -> tuple[str, ...]:
    """What a person should know about members that were hard to factor."""
    found = []
    for member, fine, share in zip(members, usable.tolist(), jitter.tolist(), strict=True):
        name = f"{member.kernel}/{member.transform}/{member.prior}"
        if not fine:
            found.append(f"member {name} was dropped: its covariance could not be factored")
        elif share > 0:
            found.append(f"member {name} needed jitter of {share:.0e} of its variance")
    if not bool(usable.any()):
        found.append(f"no member could be factored: fell back to {members[0].kernel} with noise as large as the signal")
    return tuple(found)
