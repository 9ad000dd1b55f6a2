"""What a model predicted of an experiment and what this showed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    if proposal.source != "model":
        return {}
    judged = {
        name: judge_one(p.mean, p.scale, p.freedom, observations[name].value)
        for name, p in proposal.predictions.items() if name in observations
    }  # fmt: skip
    return {name: one for name, one in judged.items() if one is not None}


def judge_one(mean: float, scale: float | None, freedom: float | None, value: float) -> Judged | None:
    """Return a prediction beside its result; None where no spread was predicted that can be put to the test."""
    return Judged(mean, scale, freedom, value) if scale and freedom else None
