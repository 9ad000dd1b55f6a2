"""Fidelities of a campaign file: the levels as a parameter that steps of the protocol can take."""

from __future__ import annotations

from collections.abc import Sequence

from controller.domain.base import Value
from controller.domain.campaign import CampaignFile
from controller.domain.cost import Cost
from controller.domain.fidelity import FIDELITY
from controller.domain.pool import Column, Pool
from controller.files.faults import Faults
from controller.files.reading import Document


def with_levels(document: Document, campaign: CampaignFile, faults: Faults) -> CampaignFile:
    """Return the campaign with its levels of fidelity as its last parameter, and as a part of what experiments cost."""
    if campaign.fidelity is None:
        return campaign
    if FIDELITY in campaign.parameters:
        message = "is made of what stands under fidelity: remove this parameter, or rename it where it means something else"
        document.fault(faults, ("parameters", FIDELITY), message, value=False)
        return campaign
    cost = campaign.cost or Cost()
    prices = {name: level.cost for name, level in campaign.fidelity.levels.items()}
    return campaign.model_copy(
        update={
            "parameters": {**campaign.parameters, FIDELITY: campaign.fidelity.parameter},
            "cost": cost.model_copy(update={"choices": {**cost.choices, FIDELITY: prices}}),
        }
    )


def across_levels(candidates: Pool, campaign: CampaignFile) -> Pool:
    """Return each of the candidates once at each level of fidelity."""
    if campaign.fidelity is None or FIDELITY in candidates.columns:
        return candidates
    import numpy as np

    levels, n = tuple(campaign.fidelity.levels), len(candidates)
    columns: dict[str, Sequence[Value]] = {
        name: column.take(np.tile(np.arange(n), len(levels))) for name, column in candidates.columns.items()
    }
    return Pool(columns={**columns, FIDELITY: Column("text", np.repeat(np.arange(len(levels)), n), levels)})
