"""From ended experiments to the training data of one objective."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from controller.domain.objective import Objective
from controller.domain.request import Observed
from controller.encoding.columns import Encoder
from surrogates.data import TrainingData


def training_data(
    encoder: Encoder, observed: Sequence[Observed], name: str, objective: Objective
) -> TrainingData | None:
    """Return the training data of one objective, or None while it has no value.

    Args:
        encoder: Of the problem.
        observed: All ended experiments; failed ones are left out here.
        name: Of the objective.
        objective: What is wanted of it; minimised objectives change their sign.

    Returns:
        Columns of the settings and values on the scale where larger is better. Standard errors count as known noise only
        where every value has one.
    """
    rows = [(o, o.values[name]) for o in observed if o.values is not None and name in o.values]
    if not rows:
        return None
    Y = objective.sign * torch.tensor([[value] for _, value in rows], dtype=torch.float64)
    errors = [o.sem.get(name, 0.0) for o, _ in rows]
    noise = torch.tensor(errors, dtype=torch.float64).square().unsqueeze(-1) if min(errors) > 0 else None
    return TrainingData(encoder.encode([o.point for o, _ in rows]), Y, encoder.layout, noise)
