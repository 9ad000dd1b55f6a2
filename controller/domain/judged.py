"""What a model predicted of an experiment and what this showed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from controller.domain.event import Observation
from controller.domain.proposal import Proposal


@dataclass(frozen=True, slots=True)
class Judged:
    """One objective of one experiment: the Student-t predicted, and the value measured [the objective's unit]."""

    mean: float
    scale: float
    freedom: float
    value: float


def judge(proposal: Proposal, observations: Mapping[str, Observation]) -> dict[str, Judged]:
    """Return objective -> prediction and result, of those that a model predicted with a spread that can be put to the test."""
    return {
        name: Judged(p.mean, p.scale, p.freedom, observations[name].value)
        for name, p in proposal.predictions.items()
        if p.scale and p.freedom and name in observations and proposal.source == "model"
    }
