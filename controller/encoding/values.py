"""From the columns of a model back to settings, differentiable in the numbers: for what is computed of settings themselves."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from controller.encoding.columns import Encoder
from controller.encoding.space import Axis


def values_of(encoder: Encoder, X: Tensor) -> dict[str, Tensor]:
    """Return the settings that columns stand for.

    Args:
        encoder: Of the problem.
        X: n x d columns.

    Returns:
        Parameter -> n values [its unit]; of a categorical parameter the positions of its choices. Of a parameter that is not active
        the value is that of nothing, the middle of its range.
    """
    found: dict[str, Tensor] = {}
    start = 0
    conditional = encoder.space.problem.conditional
    for axis, table in zip(encoder.space.axes, encoder.tables[: encoder.space.p], strict=True):
        width = 1 if table is None else table.shape[1]
        part = X[:, start : start + width]
        start += width + (axis.name in conditional)
        found[axis.name] = _number(axis, part[:, 0]) if table is None else torch.cdist(part.detach(), table.to(part)).argmin(-1)
    return found


def _number(axis: Axis, column: Tensor) -> Tensor:
    # A logarithmic scale is even in the model's column, whatever the coordinate is.
    if axis.logarithmic or getattr(axis.parameter, "scale", "linear") == "log":
        return axis.lower * torch.exp(column * math.log(axis.upper / axis.lower))
    return axis.lower + column * (axis.upper - axis.lower)
