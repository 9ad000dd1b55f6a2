"""From a specification and data to a fitted surrogate: the only registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from surrogates.base import Surrogate
from surrogates.data import TrainingData
from surrogates.device import resolve
from surrogates.ensembles.deep import DeepEnsemble
from surrogates.ensembles.forest import RandomForest
from surrogates.errors import FitError
from surrogates.gp.embedding import embedded
from surrogates.gp.ensemble import GPEnsemble
from surrogates.gp.noise import heteroscedastic, robust
from surrogates.gp.recipes import members_of
from surrogates.specs import AnySpec, AutoSpec, DeepEnsembleSpec, GPMember, GPSpec, NoiseName, RandomForestSpec

# Of a list: below, Gaussian processes predict better; above, every row costs them the square of the observations.
MANY_OBSERVATIONS = 400
# Elsewhere, and of lists of molecules: below, Gaussian processes predict better, and fit faster too, within a few seconds.
MANY_ON_FUNCTIONS = 1500


@dataclass(frozen=True)
class _Request:
    data: TrainingData
    pool: bool
    seed: int


def _gp(spec: GPSpec, request: _Request) -> Surrogate:
    members, fit = members_of(spec, pool=request.pool), _GP_NOISE[spec.noise]
    if spec.choices == "embedded":
        return embedded(fit, members, request.data)
    return fit(members, request.data)


def _deep_ensemble(spec: DeepEnsembleSpec, request: _Request) -> Surrogate:
    return DeepEnsemble(spec, request.data, request.seed)


def _random_forest(spec: RandomForestSpec, request: _Request) -> Surrogate:
    return RandomForest(spec, request.data, request.seed)


def _auto(_: AutoSpec, request: _Request) -> Surrogate:
    data = request.data
    if takes_gp(data.n, pool=request.pool and not data.layout.many_structures):
        return _gp(GPSpec(), request)
    return _deep_ensemble(DeepEnsembleSpec(), request)


def takes_gp(n: int, *, pool: bool) -> bool:
    """Whether `kind: auto` fits a Gaussian process to `n` observations; of a list of molecules as if there were no list."""
    return n <= (MANY_OBSERVATIONS if pool else MANY_ON_FUNCTIONS)


_GP_NOISE: dict[NoiseName, Callable[[tuple[GPMember, ...], TrainingData], GPEnsemble]] = {
    "normal": GPEnsemble,
    "robust": robust,
    "heteroscedastic": heteroscedastic,
}

_BUILDERS: dict[type, Callable[[Any, _Request], Surrogate]] = {
    GPSpec: _gp,
    DeepEnsembleSpec: _deep_ensemble,
    RandomForestSpec: _random_forest,
    AutoSpec: _auto,
}


def build(spec: AnySpec, data: TrainingData, *, pool: bool, seed: int, device: str = "cpu") -> Surrogate:
    """Build and fit a surrogate.

    The result depends on the specification, the data, `pool` and `seed` alone: on one machine, with one number of
    threads, it is the same bit for bit. The global random state is neither read nor changed.

    Args:
        spec: Which surrogate.
        data: At least one observation.
        pool: Whether points are chosen from a finite pool; `recipe: auto` depends on it.
        seed: Of the random numbers of deep ensembles and forests; Gaussian processes use none.
        device: As for `surrogates.device.resolve`.

    Returns:
        The fitted surrogate.

    Raises:
        FitError: No builder is registered for the specification.
        SurrogateError: The device is not there.
    """
    builder = _BUILDERS.get(type(spec))
    if builder is None:
        known = ", ".join(kind.__name__ for kind in _BUILDERS)
        raise FitError(f"spec: no surrogate is registered for {type(spec).__name__}; known are {known}")
    return builder(spec, _Request(data.to(resolve(device)), pool, seed))
