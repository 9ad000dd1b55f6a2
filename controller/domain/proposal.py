"""A proposal: a suggested point and the reasons for it (kept for ever, so that it can be explained and derived again)."""

from __future__ import annotations

from typing import Annotated, Literal

from controller.domain.base import LATER, Model, Point, Value
from controller.domain.limits import Limits


class Prediction(Model):
    """What the model expects of one objective at one point, on the objective's own scale."""

    mean: float
    """Never beyond the physical limits of the objective."""
    sd: float
    """Standard deviation of what holds there, without the noise of measuring it; what the search works with."""
    scale: float | None = None
    """Of the Student-t distribution around `mean` of what would be measured: noise included, calibrated, and pending experiments
    counted as unknown. Intervals come from it; None where an earlier version kept none."""
    freedom: float | None = None
    """Its degrees of freedom."""
    limits: Annotated[Limits | None, LATER] = None
    """Of the objective: what the distribution holds beyond one of them lies at it."""
    centre: Annotated[float | None, LATER] = None
    """The middle of the distribution, where it lies beyond a limit and `mean` therefore at it."""
    correction: Annotated[float | None, LATER] = None
    """The part of `scale` that the campaign learned from how its own earlier predictions fared; None before there were any."""

    @property
    def middle(self) -> float:
        """Of the distribution of what would be measured."""
        return self.mean if self.centre is None else self.centre


class Basis(Model):
    """When a proposal was asked for: enough to ask again."""

    events: int
    """How many events of the campaign's log were known."""
    number: int
    """Of the experiment that the first proposal of the same answer was to become."""
    position: int = 0
    """How many proposals came before it in that answer."""
    refused: tuple[Point, ...] = ()
    """Settings that the proposer had been told of because they had come up again."""
    device: str = "auto"
    """On which the model was to be computed."""
    software: dict[str, str] = {}
    """What computed it: versions, threads, the instructions of the processor."""


class Novelty(Model):
    """How far a point lies from what was measured of one objective, in the model's own metric."""

    spread: float
    """The predicted spread as a share of the spread without any data: near 0 beside the data, near 1 where they say nothing."""
    rank: float
    """Share of the measured points, this one counted among them, that lie at least as far from the others."""
    flagged: bool
    """Out of distribution: farther away than leaving out the measured points has put the model to the test."""


class TrustRegion(Model):
    """The part of the space in which the model looked for a point: the whole space, shrunk around a result."""

    around: dict[str, Value]
    """The setting of that result."""
    side: float
    """Of the region, as a share of each parameter's range."""


class Alternative(Model):
    """A point that came close."""

    point: dict[str, Value]
    acquisition: float


class Proposal(Model):
    """A suggested point with its reasons."""

    point: Point
    source: Literal["space-filling", "model", "stand-in", "user", "reference", "imported"]
    """`stand-in`: the model was not ready in time, or failed; `note` says why. `reference`: shows how measurements drift.
    `imported`: measured elsewhere before; `note` says in which file and row."""
    cost: Annotated[float | None, LATER] = None
    """What it is expected to cost, in the campaign's unit, after the experiment before it."""
    acquisition: float | None = None
    """Value of the acquisition function (log expected improvement for one objective)."""
    acquisition_name: str | None = None
    predictions: dict[str, Prediction] = {}
    novelty: dict[str, Novelty] = {}
    """Per objective how far the point lies from the data; empty for points without a model."""
    surrogate: dict[str, object] = {}
    """Per objective: model specification, member weights, fitted state's fingerprint, warnings."""
    runners_up: tuple[Alternative, ...] = ()
    region: Annotated[TrustRegion | None, LATER] = None
    """In which it was looked for; None where that was the whole space."""
    basis: Basis | None = None
    """When it was asked for, and what computed it; None for points without a question, and for those of earlier versions."""
    data_fingerprint: str = ""
    """SHA-256 of the observations and pending points that it rested on."""
    seed: int = 0
    seconds: float = 0.0
    """Real seconds it took."""
    note: str = ""
    context: Annotated[dict[str, Value], LATER] = {}
    """Context variable -> what it was when the point was proposed."""

    @property
    def out_of_distribution(self) -> bool:
        """Whether the model extrapolates there: the point is flagged for some objective."""
        return any(found.flagged for found in self.novelty.values())

    def without_reasons(self) -> Proposal:
        """Return the point, its source and what is expected there alone."""
        return Proposal(point=self.point, source=self.source, predictions=self.predictions, cost=self.cost)
