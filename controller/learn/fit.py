"""Fits the surrogate of one objective, choosing what the campaign's policy leaves open."""

from __future__ import annotations

from collections.abc import Sequence

from controller.domain.objective import Objective
from controller.learn.earlier import fit_with_earlier
from controller.learn.levels import fit_levels, level_columns
from controller.learn.physics import Law, fit_with_physics
from surrogates.base import Surrogate
from surrogates.build import MANY_OBSERVATIONS, build, takes_gp
from surrogates.data import TrainingData
from surrogates.specs import AnySpec, AutoSpec, GPMember, GPSpec

# The transform that bends bad values presumes that small is bad; for a value to be matched or bounded either end may be.
_UNBENT = GPSpec(members=(GPMember(kernel="matern52", prior="gamma"), GPMember(kernel="rbf", prior="gamma")))


def fit(
    spec: AnySpec,
    data: TrainingData,
    objective: Objective,
    *,
    listed: bool,
    seed: int,
    device: str,
) -> Surrogate:
    """Return a fitted surrogate.

    Args:
        spec: From the campaign's policy.
        data: Of this objective.
        objective: What is wanted of it.
        listed: Whether points are chosen from a list: a pool, or a space small enough to be listed.
        seed: Of random numbers, where the model needs any.
        device: `auto`, `cpu` or `cuda`; `auto` takes a GPU only where there is enough to do for one.
    """
    if device == "auto" and data.n < MANY_OBSERVATIONS:
        device = "cpu"
    if objective.goal not in ("maximize", "minimize") and not listed and _is_open(spec, data):
        asked = {"noise": getattr(spec, "noise", "normal"), "choices": getattr(spec, "choices", "apart")}
        spec = _UNBENT.model_copy(update=asked)
    return build(spec, data, pool=listed, seed=seed, device=device)


def fit_informed(
    spec: AnySpec,
    own: TrainingData | None,
    earlier: Sequence[tuple[str, TrainingData]],
    objective: Objective,
    *,
    listed: bool,
    seed: int,
    device: str,
    law: Law | None = None,
) -> Surrogate | None:
    """Return a surrogate of what was measured and of what is known beforehand; None where there is neither.

    Args:
        spec: From the campaign's policy.
        own: Results of this objective; None where there are none yet.
        earlier: Name and results of each earlier campaign.
        objective: As for `fit`.
        listed: As for `fit`.
        seed: As for `fit`.
        device: As for `fit`.
        law: A physical model of this objective, if there is one.
    """

    def fitted(data: TrainingData, spec: AnySpec = spec) -> Surrogate:
        return fit(spec, data, objective, listed=listed, seed=seed, device=device)

    def jointly(data: TrainingData) -> Surrogate:
        # One's own results are few; together with others they must not be taken for many.
        return fitted(data, GPSpec() if isinstance(spec, AutoSpec) else spec)

    if own is not None and law is not None:
        return fit_with_physics(own, law, fitted, lambda data: fitted(data, spec if listed and _is_open(spec, data) else _UNBENT))
    if own is not None and level_columns(own.layout):
        return fit_levels(own, fitted, jointly)
    if earlier:
        return fit_with_earlier(own, earlier, fitted, jointly, listed=listed)
    return None if own is None else fitted(own)


def _is_open(spec: AnySpec, data: TrainingData) -> bool:
    """Whether the members of a Gaussian process are left to us."""
    if isinstance(spec, GPSpec):
        return spec.members is None and spec.recipe == "auto"
    return isinstance(spec, AutoSpec) and takes_gp(data.n, pool=False)
