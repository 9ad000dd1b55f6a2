"""Learns from experiments at several fidelities, and stops where the cheap ones mislead."""

from __future__ import annotations

import torch
from torch import Tensor

from controller.domain.fidelity import FIDELITY
from controller.learn.earlier import Fit, aligned
from surrogates.base import Surrogate
from surrogates.blend import Blend
from surrogates.data import Group, Layout, TrainingData
from surrogates.sources import Seen

TARGET, WITH_LEVELS = "target level", "with cheaper levels"
PRIOR = 0.7
"""How far cheaper levels are believed before they were compared with the target: they were made to resemble it."""


def level_columns(layout: Layout) -> tuple[int, ...]:
    """Return the columns that say at which level, other than the target, an experiment was carried out; empty without levels."""
    return next((group.columns for group in layout.groups if group.name == FIDELITY and group.kind == "source"), ())


def at_target(X: Tensor, layout: Layout) -> Tensor:
    """Say for each row of `X` (n x d) whether it was carried out at the target level."""
    columns = list(level_columns(layout))
    return (X[:, columns] == 0.0).all(1) if columns else torch.ones(len(X), dtype=torch.bool)


def lifted(X: Tensor, layout: Layout) -> Tensor:
    """Return the same settings (n x d) at the target level."""
    columns = list(level_columns(layout))
    if not columns:
        return X
    X = X.clone()
    X[:, columns] = 0.0
    return X


def without_levels(data: TrainingData) -> TrainingData:
    """Return data of one level without the columns of levels."""
    gone = level_columns(data.layout)
    kept = [j for j in range(data.layout.d) if j not in gone]
    place = {j: i for i, j in enumerate(kept)}
    groups = tuple(
        Group(g.name, tuple(place[j] for j in g.columns), g.kind, g.tied) for g in data.layout.groups if g.columns[0] in place
    )
    return TrainingData(data.X[:, kept], data.Y, Layout(groups), data.noise_var)


def fit_levels(data: TrainingData, fit: Fit, fit_jointly: Fit) -> Surrogate:
    """Return a surrogate that rests on cheaper levels as far as they predict what was measured at the target.

    Args:
        data: Results at all levels.
        fit: Fits a surrogate to results of one level.
        fit_jointly: The same to results of several, with columns that tell them apart.
    """
    columns = level_columns(data.layout)
    target = at_target(data.X, data.layout)
    own = without_levels(data.rows(target)) if bool(target.any()) else None
    if own is not None and bool(target.all()):
        return Seen(fit(own), data.layout.d, _kept(data.layout))
    Y = data.Y.clone()
    for column in columns:
        there = data.X[:, column] == 1.0
        if bool(there.any()):
            Y[there] = aligned(without_levels(data.rows(there)), own, fit).Y
    joint = fit_jointly(TrainingData(data.X, Y, data.layout, data.noise_var))
    d = data.layout.d
    seen = Seen(joint, d, tuple(range(d)), 0, target.nonzero().squeeze(-1))
    if own is None:
        return seen
    return Blend((Seen(fit(own), d, _kept(data.layout)), seen), (TARGET, WITH_LEVELS), (1.0 - PRIOR, PRIOR))


def _kept(layout: Layout) -> tuple[int, ...]:
    gone = level_columns(layout)
    return tuple(j for j in range(layout.d) if j not in gone)


def with_levels(surrogate: Surrogate) -> tuple[Surrogate | None, float]:
    """Return the part of a surrogate that knows of levels, and its weight; None where no part does."""
    if isinstance(surrogate, Blend):
        return (surrogate.parts[1], surrogate.shares[WITH_LEVELS]) if WITH_LEVELS in surrogate.shares else (None, 0.0)
    return surrogate, 1.0
