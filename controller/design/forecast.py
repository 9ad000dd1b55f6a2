"""What further experiments will probably bring: the campaign's own loop, played on functions drawn from its models.

Each path is one function that the data allow, drawn jointly over candidate settings, with a spread as wide as left-out
observations ask for. On it the loop is played: the setting that promises most is measured, with noise, the models are conditioned
on what it showed (in closed form, hyperparameters held), and so on. The quantiles over paths are the forecast. Candidates are a
bounded choice of settings; that the real loop also climbs between them is left out here, and so is that its models are fitted anew.
Of one value in a space that cannot be listed, `design.wandering` plays the loop on functions that have a value everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from botorch.utils.sampling import draw_sobol_samples
from torch import Tensor

from controller.design.acquisition import log_improvement, log_window, reference_point
from controller.design.desirable import wishes_of
from controller.domain.objective import Objective, wanted
from controller.domain.space import Problem
from surrogates.base import Surrogate

# Draws per candidate and path, where what is promised has no closed form.
_DRAWS = 12
_JITTER = 1e-8
# Points of the quasi-random sequence by which hypervolumes are measured; half a per cent is what that is exact to.
_MEASURED_BY = 8192
_UNIT = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
_CHEBYSHEV_SUM = 0.05


@dataclass(frozen=True)
class Belief:
    """What is believed of one objective at C candidates, on the model's scale.

    Attributes:
        mean: C.
        covariance: C x C, of what holds there.
        noise: Variance of measuring it.
        factor: On spreads, as left-out observations and earlier predictions ask for.
        objective: What is wanted of it.
    """

    mean: Tensor
    covariance: Tensor
    noise: float
    factor: float
    objective: Objective

    @classmethod
    def of(cls, surrogate: Surrogate, X: Tensor, factor: float, objective: Objective) -> Belief:
        """Return what `surrogate` believes at `X` (C x d)."""
        with torch.no_grad():
            X = X.to(surrogate.device)
            posterior = surrogate.posterior(X)
            exact, noisy = (float(surrogate.posterior(X[:1], observation_noise=n).variance) for n in (False, True))
            mean, covariance = posterior.mean.reshape(-1).cpu(), posterior.distribution.covariance_matrix.cpu()
        return cls(mean, covariance, max(noisy - exact, 0.0), factor, objective)


@dataclass(frozen=True)
class Worth:
    """What values of all objectives are worth: scores of which more is better, and whether they are acceptable."""

    problem: Problem

    @property
    def several(self) -> bool:
        """Whether there is more than one score."""
        return self.problem.several

    def scores(self, values: Tensor) -> Tensor:
        """Return scores (... x s) of values (... x m, on the models' scale)."""
        columns = dict(zip(self.problem.objectives, values.unbind(-1), strict=True))
        objectives = self.problem.objectives
        if self.problem.desirability:
            wishes = wishes_of(objectives, self.problem.desirability)
            logs = [w.log_of(columns[name]) for name, w in zip(self.problem.desirability, wishes, strict=True)]
            return torch.stack(logs).sum(0).exp().unsqueeze(-1)
        return torch.stack(
            [
                columns[name] if o.target is None else -(columns[name] - o.target).abs()
                for name, o in objectives.items() if o.goal != "constrain"
            ],
            -1,
        )  # fmt: skip

    def acceptable(self, values: Tensor) -> Tensor:
        """Say which values (... x m) keep every bound."""
        fine = torch.ones(values.shape[:-1], dtype=torch.bool)
        for (low, high), column in zip(map(_limits, self.problem.objectives.values()), values.unbind(-1), strict=True):
            fine &= (column >= low) & (column <= high)
        return fine


def _limits(objective: Objective) -> tuple[float, float]:
    """Return the bounds of an objective on the model's scale."""
    return _on_scale(objective, objective.at_least, objective.at_most)


def possible(objective: Objective) -> tuple[float, float]:
    """Return the physical limits of an objective on the model's scale, infinite where a side is open."""
    return _on_scale(objective, *(objective.limits or (None, None)))


def _on_scale(objective: Objective, low: float | None, high: float | None) -> tuple[float, float]:
    low, high = -math.inf if low is None else low, math.inf if high is None else high
    return (low, high) if objective.sign > 0 else (-high, -low)


def play(
    problem: Problem, beliefs: Mapping[str, Belief], measured: Tensor, chance: Tensor, forced: Sequence[int], k: int, *,
    paths: int, seed: int,
) -> Tensor:  # fmt: skip
    """Play `k` further experiments on `paths` drawn functions.

    Args:
        problem: What is wanted.
        beliefs: By objective, at C candidates each of which may be measured once.
        measured: n x m, what was measured, on the models' scale.
        chance: C, probability that an experiment succeeds.
        forced: Positions of the candidates that are under way: measured first.
        k: How many, at most C.
        paths: How many functions are drawn.
        seed: Of everything drawn.

    Returns:
        paths x k x m, what they showed, not a number where an experiment failed.
    """
    generator = torch.Generator().manual_seed(seed)
    C, m = len(chance), len(beliefs)
    believed = list(beliefs.values())
    functions = [_drawn(belief, paths, generator) for belief in believed]
    means = [b.mean.expand(paths, C).clone() for b in believed]
    variances = [b.covariance.diagonal().expand(paths, C).clone() for b in believed]
    learned: list[list[Tensor]] = [[] for _ in believed]  # per objective, what each experiment took from the covariance
    shown = torch.full((paths, k, m), torch.nan, dtype=torch.float64)
    open_ = torch.ones(paths, C, dtype=torch.bool)
    rows = torch.arange(paths)
    for step in range(k):
        if step < len(forced):
            chosen = torch.full((paths,), forced[step])
        else:
            promise = _promise(problem, believed, means, variances, measured, shown[:, :step], generator)
            promise = promise + chance.log()
            # What is under way must not be chosen a second time; neither must what has been measured.
            chosen = promise.masked_fill(~open_, -torch.inf).argmax(1)
        open_[rows, chosen] = False
        success = torch.rand(paths, generator=generator, dtype=torch.float64) < chance[chosen]
        for j, belief in enumerate(believed):
            noise = torch.randn(paths, generator=generator, dtype=torch.float64) * belief.factor * math.sqrt(belief.noise)
            value = (functions[j][rows, chosen] + noise).clamp(*possible(belief.objective))
            shown[:, step, j] = torch.where(success, value, torch.nan)
            column = belief.covariance[chosen].clone()
            for taken in learned[j]:
                column -= taken * taken[rows, chosen].unsqueeze(1)
            root = (column[rows, chosen] + belief.noise).clamp_min(1e-300).sqrt().unsqueeze(1)
            share = torch.where(success.unsqueeze(1), column / root, torch.zeros_like(column))
            means[j] += share * (value - means[j][rows, chosen]).unsqueeze(1) / root
            variances[j] = (variances[j] - share.square()).clamp_min(_JITTER * float(belief.covariance.diagonal().max()))
            learned[j].append(share)
    return shown


def _drawn(belief: Belief, paths: int, generator: torch.Generator) -> Tensor:
    """Return functions (paths x C).

    The heavy tails of a single prediction are left out: the best of many values asks for the tail of each, and in lists
    forecasts with it were too wide and too hopeful.
    """
    jitter = _JITTER * float(belief.covariance.diagonal().max()) + 1e-300
    values, vectors = torch.linalg.eigh(belief.covariance)
    root = vectors * values.clamp_min(jitter).sqrt()
    normal = torch.randn(paths, len(belief.mean), generator=generator, dtype=torch.float64)
    functions: Tensor = belief.mean + belief.factor * (normal @ root.T)
    return functions


def _promise(
    problem: Problem, beliefs: Sequence[Belief], means: Sequence[Tensor], variances: Sequence[Tensor], measured: Tensor,
    shown: Tensor, generator: torch.Generator,
) -> Tensor:  # fmt: skip
    """Return what each candidate promises on each path (paths x C), on a logarithmic scale: the loop's own rule, or close to it."""
    worth, paths = Worth(problem), len(means[0])
    known = torch.cat([measured.expand(paths, *measured.shape), shown], 1)
    counted = worth.acceptable(known)  # not where an experiment failed: comparisons with what is no number are false
    held = torch.zeros_like(means[0])
    for belief, mean, variance in zip(beliefs, means, variances, strict=True):
        low, high = _limits(belief.objective)
        if low > -math.inf or high < math.inf:
            sd = variance.sqrt()
            inside = torch.special.ndtr((high - mean) / sd) - torch.special.ndtr((low - mean) / sd)
            held = held + inside.clamp_min(1e-9).log()
    wanted = [j for j, b in enumerate(beliefs) if b.objective.goal != "constrain"]
    if len(wanted) == 1 and not problem.desirability:
        gain = _closed_form(beliefs[wanted[0]], means[wanted[0]], variances[wanted[0]].sqrt(), known[..., wanted[0]], counted)
    else:
        gain = _sampled(worth, means, variances, known, counted, generator)
    return gain + held


def _closed_form(belief: Belief, mean: Tensor, sd: Tensor, known: Tensor, counted: Tensor) -> Tensor:
    """Log expected improvement over the best known on each path; nothing where nothing acceptable is known."""
    target = belief.objective.target
    scores = known if target is None else -(known - target).abs()
    best = scores.masked_fill(~counted, -torch.inf).amax(1, keepdim=True)
    any_known = torch.isfinite(best)
    best = torch.where(any_known, best, torch.zeros_like(best))
    if target is None:
        gain = sd.log() + log_improvement((mean - best) / sd)
    else:
        gain = sd.log() + log_window((mean - target) / sd, -best / sd)
    return torch.where(any_known, gain, torch.zeros_like(gain))


def _sampled(
    worth: Worth, means: Sequence[Tensor], variances: Sequence[Tensor], known: Tensor, counted: Tensor, generator: torch.Generator
) -> Tensor:
    """The same by a few draws; several scores are made one by weights drawn anew for each path (Knowles, ParEGO, 2006)."""
    paths = len(means[0])
    noise = torch.randn(len(means), _DRAWS, 1, 1, generator=generator, dtype=torch.float64)
    values = torch.stack(
        [mean + variance.sqrt() * noise[j] for j, (mean, variance) in enumerate(zip(means, variances, strict=True))], -1
    )
    drawn, had = worth.scores(values), worth.scores(known)
    if worth.several:
        seen = had.masked_fill(~counted.unsqueeze(-1), torch.nan)
        low = torch.nan_to_num(seen, nan=torch.inf).amin(1)
        high = torch.nan_to_num(seen, nan=-torch.inf).amax(1)
        span = torch.where(high > low, high - low, torch.ones_like(high))
        low = torch.where(torch.isfinite(low), low, torch.zeros_like(low))
        weights = -torch.rand(paths, had.shape[-1], generator=generator, dtype=torch.float64).clamp_min(1e-12).log()
        weights = weights / weights.sum(-1, keepdim=True)

        def one(scores: Tensor) -> Tensor:  # (draws x) paths x rows x s
            share = weights.unsqueeze(1) * (scores - low.unsqueeze(1)) / span.unsqueeze(1)
            return share.amin(-1) + _CHEBYSHEV_SUM * share.sum(-1)
    else:

        def one(scores: Tensor) -> Tensor:
            return scores.squeeze(-1)

    best = one(had).masked_fill(~counted, -torch.inf).amax(1, keepdim=True)
    single = one(drawn)
    best = torch.where(torch.isfinite(best), best, single.amin(0).amin(1, keepdim=True))
    spread = single.std(0)
    # Where no draw improves, what lies closest in terms of its own spread goes first.
    hope = 1e-6 * torch.exp((single.mean(0) - best) / spread.clamp_min(1e-300)).clamp_max(1.0) * spread
    return ((single - best).clamp_min(0.0).mean(0) + hope).clamp_min(1e-300).log()


def reached(problem: Problem, measured: Tensor, shown: Tensor) -> Tensor:
    """Return how good the best is after 0, 1 … k experiments: paths x (k + 1).

    The best score, or the hypervolume that the front dominates, as `hypervolumes` measures it; minus infinity, or 0, while nothing
    acceptable is known.

    Args:
        problem: What is wanted.
        measured: n x m, on the models' scale.
        shown: paths x k x m, as `play` returns it.
    """
    worth = Worth(problem)
    if worth.several:
        return hypervolumes(worth, measured, shown)
    before = worth.scores(measured).squeeze(-1).masked_fill(~worth.acceptable(measured), -torch.inf)
    start = before.max() if len(before) else torch.tensor(-torch.inf, dtype=torch.float64)
    after = worth.scores(shown).squeeze(-1).masked_fill(~worth.acceptable(shown), -torch.inf)
    return torch.cat([start.expand(len(shown), 1), after], 1).cummax(1).values


def hypervolumes(worth: Worth, measured: Tensor, shown: Tensor) -> Tensor:
    """Return hypervolumes as shares of that of the best scores on all paths together, as if one point had them all.

    The reference is that of the acquisition function, `reference_point`. Measured by counting points of a Sobol sequence.
    """
    before, after = worth.scores(measured), worth.scores(shown)
    fine, good = worth.acceptable(measured), worth.acceptable(shown)
    low, high = before.amin(0), before.amax(0)
    span = torch.where(high > low, high - low, torch.ones_like(high))
    reference = reference_point(list(wanted(worth.problem.objectives).values()), low, high)
    # The far tail of what was drawn would leave no points for the rest.
    reach = torch.nan_to_num(after, nan=-torch.inf).flatten(0, 1)
    top = torch.maximum(high, torch.quantile(reach.where(torch.isfinite(reach), low), 0.999, dim=0)).maximum(reference + 0.1 * span)
    points = draw_sobol_samples(_UNIT.expand(2, before.shape[-1]), _MEASURED_BY, 1, seed=0).squeeze(1)
    points = reference + points * (top - reference)

    def below(scores: Tensor, counted: Tensor) -> Tensor:
        return (points <= scores.unsqueeze(-2)).all(-1) & counted.unsqueeze(-1)

    dominated = below(before, fine).any(0).expand(len(shown), -1)
    shares = [dominated.double().mean(1)]
    for step in range(shown.shape[1]):
        dominated = dominated | below(after[:, step], good[:, step])
        shares.append(dominated.double().mean(1))
    return torch.stack(shares, 1)
