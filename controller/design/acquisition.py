"""How much is expected of a point: acquisition functions over surrogates, all on a logarithmic scale, larger being better.

Each takes columns (n x d) and returns one value per row, differentiable in the columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from botorch.acquisition.multi_objective import logei
from botorch.acquisition.multi_objective.objective import MCMultiOutputObjective
from botorch.models import ModelList
from botorch.sampling.list_sampler import ListSampler
from botorch.sampling.normal import SobolQMCNormalSampler
from botorch.utils.multi_objective.box_decompositions.non_dominated import (
    FastNondominatedPartitioning,
    NondominatedPartitioning,
)
from botorch.utils.multi_objective.pareto import is_non_dominated
from torch import Tensor
from torch.autograd.function import once_differentiable

from controller.design.improvement import log_improvement_and_slope
from controller.domain.objective import Objective
from controller.encoding.space import Array
from surrogates.base import MemberPosterior, Surrogate

# BoTorch would compile a kernel in C++ at its first use: half a minute on a machine with a compiler, and for ever where an
# earlier process was killed in the middle and left its lock behind. Marked as tried, it takes its Python path.
logei._load_attempted = True

_LOG_2_PI = math.log(2.0 * math.pi)
# In a list, every result in vain after the fourth in a row widens the spread by a fifth, up to threefold.
_IN_VAIN, _DOUBT, _MOST_DOUBT = 4, 0.2, 3.0
_SAMPLES = 128
_CHUNK = 2048
_MOST_NUMBERS = 2_000_000
# An improvement of less than this share of the spread of what was measured is not worth an experiment.
_NEGLIGIBLE = 1e-3
# From here on an approximate partition of the dominated space is much faster than the exact one.
_MANY_OBJECTIVES = 5


class Acquisition(Protocol):
    """Scores points."""

    @property
    def name(self) -> str:
        """What is computed, for people."""
        ...

    def __call__(self, X: Tensor) -> Tensor:
        """Return the score of each row of `X` (n x d)."""
        ...

    def widened(self, score: float) -> Acquisition | None:
        """Return what to search instead if no point scores more than `score` and that is next to nothing, else None."""
        ...


@runtime_checkable
class WithGradient(Protocol):
    """An acquisition function that knows its gradient; others are differentiated automatically."""

    def with_gradient(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Return the score of each row of `X` (n x d), and its gradient (n x d)."""
        ...


def log_improvement(z: Tensor) -> Tensor:
    """Logarithm of the expected improvement of a standard normal over -z: `log(phi(z) + z Phi(z))`, accurate far below 0.

    Ament and others, Unexpected improvements to expected improvement (2023). Differentiable once.
    """
    result: Tensor = _LogImprovement.apply(z)  # type: ignore[no-untyped-call]
    return result


class _LogImprovement(torch.autograd.Function):
    """`log_improvement` with its derivative in closed form."""

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        value = _log_improvement(z)
        ctx.save_for_backward(z, value)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_value: Tensor) -> Tensor:
        return by_value * _slope(*ctx.saved_tensors)


def _log_improvement(z: Tensor) -> Tensor:
    high = z.clamp_min(-1.0)
    direct = torch.log(torch.exp(-0.5 * high.square()) / math.sqrt(2.0 * math.pi) + high * torch.special.ndtr(high))
    low = z.clamp(-1e4, -1.0)
    ratio = math.sqrt(math.pi / 2.0) * torch.special.erfcx(-low / math.sqrt(2.0))
    tail = torch.log1p(low * ratio)
    # Beyond, the difference is lost in rounding and the leading term of the asymptotic series, 1 / z², is exact enough.
    far = -2.0 * torch.log(-z.clamp_max(-1e3))
    bottom = z.clamp_max(-1.0)
    below = -0.5 * bottom.square() - 0.5 * _LOG_2_PI + torch.where(z > -1e3, tail, far)
    return torch.where(z > -1.0, direct, below)


def _slope(z: Tensor, value: Tensor) -> Tensor:
    """Return the derivative of `log_improvement` at `z`, where it is `value`: `Phi(z) / (phi(z) + z Phi(z))`."""
    near = torch.exp(torch.special.log_ndtr(z) - value)
    return torch.where(z > -1e3, near, -z)


def _incumbents(surrogate: Surrogate, seen: Tensor | None, Y: Tensor) -> Tensor:
    """Return what each member holds for the best so far, on its own scale (M).

    Args:
        surrogate: The model.
        seen: Columns of the settings that count, whose best predicted mean is taken: with noise the best observed value is
            lucky. None takes the best observed value: measured on tables of real experiments, that needs fewer experiments.
        Y: Observed values (n x 1).
    """
    if seen is not None:
        return surrogate.member_means(seen).max(1).values
    moments = surrogate.member_posteriors(torch.zeros(1, surrogate.d, dtype=torch.float64))
    best = Y.max()
    return torch.stack([t.forward(best) for t in moments.transforms])


@dataclass(frozen=True)
class LogExpectedImprovement:
    """Log of the expected improvement, averaged over the members of an ensemble, in units of the objective.

    Where the best so far is a predicted mean, what is to be surpassed is a predicted mean too: that at the point, once it has
    been measured. With s the spread of the function there and t that of the noise, it will move by a normal with standard deviation
    s² / sqrt(s² + t²) (Picheny, Ginsbourger, Richet, Caplin, Quantile-based optimization of noisy computer experiments with tunable
    precision, Technometrics 55, 2013; here for the median). With s alone, as if a measurement told the truth, a search hovers
    around a peak that it knows: there s shrinks by the root of the number of measurements only, and t is where it does not shrink.
    """

    surrogate: Surrogate
    best: Tensor
    learned: bool = False
    """Whether what counts is what will be predicted, not what will be observed."""
    negligible: float = -math.inf
    even: bool = False
    doubt: float = 1.0
    """Factor on every predicted spread."""
    name: str = "log expected improvement"

    @classmethod
    def of(cls, surrogate: Surrogate, Y: Tensor, seen: Tensor | None) -> LogExpectedImprovement:
        """Return the acquisition function over the best so far; see `_incumbents`."""
        spread = float(Y.std()) if len(Y) > 1 else 0.0
        negligible = math.log(_NEGLIGIBLE * spread) if spread else -math.inf
        made = cls(surrogate, _incumbents(surrogate, seen, Y), seen is not None, negligible)
        return made if seen is not None else made._in_doubt(len(Y) - 1 - int(Y.argmax()))

    def _in_doubt(self, in_vain: int) -> LogExpectedImprovement:
        """Return the same with wider spreads, if the last `in_vain` results brought nothing better.

        Each was chosen because the model expected an improvement. When several in a row do not bring it, the model is too sure
        of itself, and the search is about to spend the rest of its budget around one peak of a list.
        """
        doubt = min(1.0 + _DOUBT * max(0, in_vain - _IN_VAIN), _MOST_DOUBT)
        if doubt == 1.0:
            return self
        return replace(self, doubt=doubt, name=f"{self.name}, spread × {doubt:.1f} after {in_vain} results in vain")

    def widened(self, score: float) -> LogExpectedImprovement | None:
        """Return the same with members weighted more evenly, if `score` is negligible and there are several members.

        Members are weighted by how they predict what was measured. Once most of that lies on one peak, the member that
        describes this peak best decides alone, and holds the rest of the space for empty. Where it expects nothing more,
        the others are asked.
        """
        if self.even or score >= self.negligible or len(self.best) == 1:
            return None
        return replace(self, even=True, name=f"{self.name}, members weighted evenly")

    def __call__(self, X: Tensor) -> Tensor:
        """Return n scores."""
        moments: MemberPosterior = self.surrogate.member_posteriors(X)
        if moments.mean.device.type == "cpu" and not moments.mean.requires_grad:
            return torch.from_numpy(self._terms(moments)[0])
        best, shares = self._constants
        sd = self.doubt * moments.sd
        if self.learned:
            sd = sd.square() / (sd.square() + moments.noise.unsqueeze(1)).sqrt()
        z = (moments.mean - best) / sd
        return torch.logsumexp(sd.log() + log_improvement(z) + shares, 0)

    def with_gradient(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Return n scores and their gradients (n x d), in closed form."""
        moments, pull = self.surrogate.member_posteriors_and_pull(X)
        total, terms, sd, by_sd, z, slope = self._terms(moments)
        by_mean = np.exp(terms - total) / sd
        by = (torch.from_numpy(part).to(moments.mean) for part in (by_mean * slope, by_sd * by_mean * (1.0 - slope * z)))
        return torch.from_numpy(total), pull(*by)

    def _terms(self, moments: MemberPosterior) -> tuple[Array, ...]:
        """Score (n); per member (M x n) its part, the spread of what counts and its slope by that predicted, z and slope by z."""
        mean, sd = moments.mean.cpu().numpy(), self.doubt * moments.sd.cpu().numpy()
        best, shares, noise = self._numbers
        by_sd = np.array(self.doubt)
        if self.learned:
            variance = sd * sd
            share = sd / np.sqrt(variance + noise)
            by_sd = self.doubt * share * (variance + 2.0 * noise) / (variance + noise)
            sd = sd * share
        z = (mean - best) / sd
        improvement, slope = log_improvement_and_slope(z)
        terms = np.log(sd) + improvement + shares
        highest = terms.max(0)
        return highest + np.log(np.exp(terms - highest).sum(0)), terms, sd, by_sd, z, slope

    @cached_property
    def _numbers(self) -> tuple[Array, Array, Array]:
        """`_constants` and the noise variances (M x 1 each)."""
        best, shares = self._constants
        noise = self.surrogate.member_posteriors(torch.zeros(1, self.surrogate.d, dtype=torch.float64)).noise
        return best.cpu().numpy(), shares.cpu().numpy(), noise.cpu().numpy()[:, None]

    @cached_property
    def _constants(self) -> tuple[Tensor, Tensor]:
        """Per member (M x 1 each) the best so far, and the logarithm of its weight in units of the objective."""
        moments = self.surrogate.member_posteriors(torch.zeros(1, self.surrogate.d, dtype=torch.float64))
        best = self.best.to(moments.mean)
        slopes = torch.stack([t.slope(t.inverse(b)) for t, b in zip(moments.transforms, best, strict=True)])
        log_weights = moments.log_weights
        if self.even:
            log_weights = torch.log(0.5 * log_weights.exp() + 0.5 / len(log_weights))
        return best.unsqueeze(1), (log_weights - slopes.log()).unsqueeze(1)


@dataclass(frozen=True)
class LogMatchImprovement:
    """Log of the expected reduction of the distance from a target value, in units of the objective."""

    surrogate: Surrogate
    target: float
    closest: float
    name: str = "log expected improvement towards the target"

    @classmethod
    def of(cls, surrogate: Surrogate, Y: Tensor, seen: Tensor | None, target: float) -> LogMatchImprovement:
        """Return the acquisition function over the closest so far: of observed values, or of predictions at `seen`."""
        values = Y if seen is None else surrogate.predict(seen)[0].detach()
        return cls(surrogate, target, float((values - target).abs().min()))

    def __call__(self, X: Tensor) -> Tensor:
        """Return n scores."""
        posterior = self.surrogate.posterior(X.to(self.surrogate.device).unsqueeze(-2))
        mean, sd = posterior.mean.reshape(-1), posterior.variance.clamp_min(1e-300).sqrt().reshape(-1)
        return sd.log() + log_window((mean - self.target) / sd, self.closest / sd)

    def widened(self, score: float) -> None:
        """Return None: the members already count together, by their common mean and spread."""
        return None


def log_window(a: Tensor, b: Tensor) -> Tensor:
    """Logarithm of `E[max(0, b - |v|)]` for v normal with mean `a` and unit variance.

    The triangle is a second difference of `max(0, v)`, so its expectation is one of the function whose logarithm
    `log_improvement` returns.
    """
    away = -a.abs()
    narrow = b < 1e-3
    wide = torch.where(narrow, torch.ones_like(b), b)
    outer, middle, inner = (
        log_improvement(away + wide),
        log_improvement(away) + math.log(2),
        log_improvement(away - wide),
    )
    difference = (1.0 - torch.exp(middle - outer) + torch.exp(inner - outer)).clamp_min(1e-14)
    # A window much narrower than the spread: the density at its middle times its area.
    thin = 2.0 * b.clamp_min(1e-150).log() - 0.5 * away.square() - 0.5 * _LOG_2_PI
    return torch.where(narrow, thin, outer + difference.log())


class _Scores(MCMultiOutputObjective):
    """Turns samples of measured values into scores of which more is better."""

    def __init__(self, objectives: Sequence[Objective]) -> None:
        super().__init__()
        self._targets = [o.target if o.goal == "match" else None for o in objectives]

    def forward(self, samples: Tensor, X: Tensor | None = None) -> Tensor:
        """Scores (... x m) of samples (... x m)."""
        columns = [
            samples[..., j] if target is None else -(samples[..., j] - target).abs()
            for j, target in enumerate(self._targets)
        ]
        return torch.stack(columns, -1)


def reference_point(objectives: Sequence[Objective], low: Tensor, high: Tensor) -> Tensor:
    """Return the scores (m) beyond which space that is dominated counts: thresholds, where there are such.

    Elsewhere a tenth of the range below the worst result. Below the front's own worst, the usual rule, a front of one point leaves
    hardly anything to gain, and the search creeps along beside it.

    Args:
        objectives: Those that are traded against each other.
        low: m, the worst score of each so far.
        high: m, the best.
    """
    thresholds = torch.tensor([math.nan if o.threshold is None else o.threshold for o in objectives], dtype=torch.float64).to(low)
    return torch.where(torch.isnan(thresholds), low - 0.1 * torch.where(high > low, high - low, torch.ones_like(high)), thresholds)


class LogHypervolumeImprovement:
    """Log of the expected growth of the hypervolume that the front of all objectives dominates."""

    name = "log expected hypervolume improvement"

    def __init__(
        self, surrogates: Sequence[Surrogate], objectives: Sequence[Objective], baseline: Tensor, seed: int
    ) -> None:
        """Prepare the front.

        Args:
            surrogates: One per objective.
            objectives: In the same order.
            baseline: n x m, values that hold already, on the scale of the models.
            seed: Of the quasi-random samples.
        """
        self._device = surrogates[0].device
        scores = _Scores(objectives)
        reached = scores(baseline.to(self._device))
        # Objectives of different size would make one of them decide everything: each is scaled by its range.
        low, high = reached.min(0).values, reached.max(0).values
        span = torch.where(high > low, high - low, torch.ones_like(high))
        self._scaled = _Rescaled(scores, low, span)
        unit = (reached - low) / span
        reference = (reference_point(objectives, low, high) - low) / span
        unit = unit[(unit > reference).all(1)]
        front = unit[is_non_dominated(unit)]
        partitioning: Any
        if len(objectives) < _MANY_OBJECTIVES:
            partitioning = FastNondominatedPartitioning(ref_point=reference, Y=front)
        else:
            partitioning = NondominatedPartitioning(ref_point=reference, Y=front, alpha=10.0 ** (len(objectives) - 8))
        # Every row meets every sample and every cell of the front: a long front takes shorter chunks, or memory runs out.
        self._cells = partitioning.get_hypercell_bounds()
        self._models, self._transform = surrogates, (low, span)
        self._exact = all(objective.goal != "match" for objective in objectives)
        cells = int(self._cells.shape[-2])
        self._chunk = max(16, min(_CHUNK, _MOST_NUMBERS // (_SAMPLES * cells)))
        self._function = logei.qLogExpectedHypervolumeImprovement(
            model=ModelList(*surrogates),
            ref_point=reference,
            partitioning=partitioning,
            # One sampler per objective: with the same points for all, independent objectives would look correlated.
            sampler=ListSampler(
                *(
                    SobolQMCNormalSampler(sample_shape=torch.Size([_SAMPLES]), seed=seed + j)
                    for j in range(len(objectives))
                )
            ),
            objective=self._scaled,
        )

    def __call__(self, X: Tensor) -> Tensor:
        """Return n scores."""
        parts = [self._function(rows.unsqueeze(-2)) for rows in torch.split(X.to(self._device), self._chunk)]
        return torch.cat(parts)

    @property
    def has_closed_form(self) -> bool:
        """Whether `in_closed_form` can be asked: not where a value is to be matched."""
        return self._exact

    def in_closed_form(self, X: Tensor) -> Tensor:
        """Return the same without sampling (n), to the rounding of double precision.

        The space that the front leaves is cut into boxes from l to u. Of one box, a result y gains the product over the objectives
        of min(y, u) - l where that is positive; the objectives are independent, so the expectation of the product is the product of
        the expectations, each a difference of two expected improvements (Yang, Emmerich, Deutz, Bäck, Efficient computation of
        expected hypervolume improvement using box decomposition algorithms, 2019). Minus infinity where hardly any is expected.
        """
        low, span = self._transform
        gain: Tensor | None = None
        for j, model in enumerate(self._models):
            posterior = model.posterior(X.to(self._device).unsqueeze(-2))
            mean = (posterior.mean.reshape(-1, 1) - low[j]) / span[j]
            sd = posterior.variance.clamp_min(1e-300).sqrt().reshape(-1, 1) / span[j]
            beyond, cell = self._cells[..., j].unique(return_inverse=True)
            z = (mean - beyond) / sd  # beyond infinity lies nothing: z is minus infinity, and so is the logarithm below
            improvement = sd * log_improvement(z.clamp_min(-1e3)).exp() * torch.isfinite(z)
            edge = improvement[:, cell[0]] - improvement[:, cell[1]]
            gain = edge if gain is None else gain * edge
        assert gain is not None  # noqa: S101 - there are several objectives
        total = gain.clamp_min(0.0).sum(-1)
        return torch.where(total > 1e-250, total, 0.0).log()

    def widened(self, score: float) -> None:
        """Return None: the members already count together, by their common mean and spread."""
        return None


class _Rescaled(MCMultiOutputObjective):
    def __init__(self, scores: _Scores, low: Tensor, span: Tensor) -> None:
        super().__init__()
        self._inner, self._low, self._span = scores, low, span

    def forward(self, samples: Tensor, X: Tensor | None = None) -> Tensor:
        return (self._inner(samples) - self._low) / self._span


@dataclass(frozen=True)
class WithSuccess:
    """An acquisition function times the probability of something without which it is worth nothing."""

    inner: Acquisition
    log_probability: Callable[[Tensor], Tensor]
    what: str = "success"

    @property
    def name(self) -> str:
        """What is computed."""
        return f"{self.inner.name}, times the probability of {self.what}"

    def __call__(self, X: Tensor) -> Tensor:
        """Return n scores."""
        scores = self.inner(X)
        return scores + self.log_probability(X).to(scores.device)

    def widened(self, score: float) -> WithSuccess | None:
        """Return the widened inner function, times the same probability."""
        inner = self.inner.widened(score)
        return None if inner is None else replace(self, inner=inner)


def acquisition(
    objectives: Mapping[str, Objective],
    surrogates: Mapping[str, Surrogate],
    measured: Mapping[str, Tensor],
    done: Tensor,
    pending: Tensor,
    *,
    best_observed: bool,
    seed: int,
) -> Acquisition:
    """Return the acquisition function for what a campaign wants.

    Args:
        objectives: By name, in order.
        surrogates: One per objective, already conditioned on pending points.
        measured: Per objective its values (n x 1) on the model's scale.
        done: n x d, settings measured for every objective.
        pending: k x d, settings under way.
        best_observed: Whether the best so far is the best observed value, not the best prediction.
        seed: Of quasi-random samples.
    """
    believed = torch.cat([done, pending])
    if len(objectives) > 1:
        models = list(surrogates.values())
        if best_observed:
            known = torch.cat([measured[name] for name in objectives], 1)
            hoped = _means(models, pending)
            baseline = torch.cat([known, hoped])
        else:
            baseline = _means(models, believed)
        return LogHypervolumeImprovement(models, list(objectives.values()), baseline, seed)
    ((name, objective),) = objectives.items()
    seen = None if best_observed else believed
    if objective.target is not None:
        return LogMatchImprovement.of(surrogates[name], measured[name], seen, objective.target)
    return LogExpectedImprovement.of(surrogates[name], measured[name], seen)


def _means(models: Sequence[Surrogate], X: Tensor) -> Tensor:
    if not len(X):
        return torch.zeros(0, len(models), dtype=torch.float64)
    return torch.stack([model.predict(X)[0].detach().cpu() for model in models], 1)
