"""How much room the rules leave around a setting, with gradients, for optimisers that move inside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from controller.domain.expression import functions_of
from controller.domain.rule import Rule
from controller.encoding.space import Array, SearchSpace

# Kept from the edge, as a share of the usual size of what a rule compares: values are rounded to nine digits in the end.
_MARGIN = 1e-7
_TORCH = functions_of(torch)


def margins(space: SearchSpace, row: Array, free: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Return the rules around a setting as constraints for `scipy.optimize.minimize`, each not below zero inside.

    Args:
        space: The space.
        row: Coordinates of a setting that satisfies the rules (p); the levelled ones stay as they are.
        free: Positions of the coordinates that move.
    """
    active = space.active(row[None, :])[0]
    there = {axis.name for axis, on in zip(space.axes, active, strict=True) if on}
    moving = {space.axes[j].name for j in free}
    fixed = {
        axis.name: str(axis.value(row[j])) if axis.categorical else torch.tensor(float(axis.value(row[j])), dtype=torch.float64)
        for j, axis in enumerate(space.axes)
    }
    rules = [r for r in space.problem.rules if r.cardinality is None and r.names <= there and r.numbers & moving]

    def margin(rule: Rule, x: Tensor, size: float) -> Tensor:
        values = dict(fixed)
        for place, j in enumerate(free):
            axis = space.axes[j]
            if axis.name in rule.names:
                values[axis.name] = axis.values(x[place], torch.exp)
        excess = rule.excess(values, _TORCH)
        return -torch.as_tensor(excess, dtype=torch.float64) / size - _MARGIN

    def constraint(rule: Rule) -> dict[str, Any]:
        with torch.no_grad():
            here = abs(float(margin(rule, torch.from_numpy(row[free]), 1.0)))
        size = max(here, 1e-3) if np.isfinite(here) else 1.0

        def value(x: Array) -> float:
            with torch.no_grad():
                found = float(margin(rule, torch.from_numpy(np.ascontiguousarray(x)), size))
            return found if np.isfinite(found) else -1e6

        def gradient(x: Array) -> Array:
            moved = torch.from_numpy(np.ascontiguousarray(x)).clone().requires_grad_()
            found = margin(rule, moved, size)
            if not found.requires_grad:
                return np.zeros(len(x))
            (slope,) = torch.autograd.grad(found, moved)
            return np.asarray(torch.nan_to_num(slope, nan=0.0, posinf=1e6, neginf=-1e6).numpy(), dtype=np.float64)

        return {"type": "ineq", "fun": value, "jac": gradient}

    return [constraint(rule) for rule in rules]
