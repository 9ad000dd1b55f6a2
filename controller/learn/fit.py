"""Fits the surrogate of one objective, choosing what the campaign's policy leaves open."""

from __future__ import annotations

from controller.domain.objective import Objective
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
    if objective.goal in ("match", "constrain") and not listed and _is_open(spec, data):
        spec = _UNBENT.model_copy(update={"noise": getattr(spec, "noise", "normal")})
    return build(spec, data, pool=listed, seed=seed, device=device)


def _is_open(spec: AnySpec, data: TrainingData) -> bool:
    """Whether the members of a Gaussian process are left to us."""
    if isinstance(spec, GPSpec):
        return spec.members is None and spec.recipe == "auto"
    return isinstance(spec, AutoSpec) and takes_gp(data.n, pool=False)
