"""What a model predicted of an experiment and what this showed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from controller.domain.limits import Limits, within

if TYPE_CHECKING:
    from controller.domain.event import Observation
    from controller.domain.proposal import Proposal


@dataclass(frozen=True, slots=True)
class Judged:
    """One objective of one experiment: the Student-t predicted, and the value measured [the objective's unit]."""

    mean: float
    """The middle of the distribution, which may lie beyond the limits."""
    scale: float
    freedom: float
    value: float
    limits: Limits | None = None
    """Physical limits: what the distribution holds beyond one of them lies at it."""
    correction: float = 1.0
    """The part of `scale` that came from how earlier predictions had fared."""

    @property
    def expected(self) -> float:
        """The value that was expected."""
        return within(self.mean, self.limits)

    @property
    def off(self) -> float:
        """How far the value lies from the middle, in scales; one beyond a limit counts as being there."""
        return (within(self.value, self.limits) - self.mean) / self.scale


def judge(proposal: Proposal, observations: Mapping[str, Observation]) -> dict[str, Judged]:
    """Return objective -> prediction and result, of those that a model predicted with a spread that can be put to the test."""
    if proposal.source != "model":
        return {}
    judged = {
        name: judge_one(p.model_dump(include=_NEEDED), observations[name].value)
        for name, p in proposal.predictions.items() if name in observations
    }  # fmt: skip
    return {name: one for name, one in judged.items() if one is not None}


_NEEDED = {"mean", "scale", "freedom", "centre", "limits", "correction"}


def judge_one(prediction: Mapping[str, Any], value: float) -> Judged | None:
    """Return a prediction (as JSON data) beside its result; None where no spread was predicted that can be put to the test."""
    if not prediction.get("scale") or not prediction.get("freedom"):
        return None
    centre = prediction.get("centre")
    return Judged(
        prediction["mean"] if centre is None else centre, prediction["scale"], prediction["freedom"], value,
        prediction.get("limits"), prediction.get("correction") or 1.0,
    )  # fmt: skip


def surprises(judged: Iterable[Mapping[str, Judged]]) -> dict[str, list[float]]:
    """Return by objective how far results lay from the middle of what was predicted, oldest first.

    In scales without the correction that earlier results had brought: evidence that does not contain itself.
    """
    found: dict[str, list[float]] = {}
    for row in judged:
        for name, one in row.items():
            found.setdefault(name, []).append(one.off * one.correction)
    return found
