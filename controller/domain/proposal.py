"""A proposal: a suggested point and the reasons for it (kept for ever, so that it can be explained and derived again)."""

from __future__ import annotations

from typing import Literal

from controller.domain.base import Model, Point, Value


class Prediction(Model):
    """What the model expects of one objective at one point, on the objective's own scale."""

    mean: float
    sd: float


class Novelty(Model):
    """How far a point lies from what was measured of one objective, in the model's own metric."""

    spread: float
    """The predicted spread as a share of the spread without any data: near 0 beside the data, near 1 where they say nothing."""
    rank: float
    """Share of the measured points, this one counted among them, that lie at least as far from the others."""
    flagged: bool
    """Out of distribution: farther away than leaving out the measured points has put the model to the test."""


class Alternative(Model):
    """A point that came close."""

    point: dict[str, Value]
    acquisition: float


class Proposal(Model):
    """A suggested point with its reasons."""

    point: Point
    source: Literal["space-filling", "model", "stand-in", "user"]
    """`stand-in`: the model was not ready in time, or failed; `note` says why."""
    acquisition: float | None = None
    """Value of the acquisition function (log expected improvement for one objective)."""
    acquisition_name: str | None = None
    predictions: dict[str, Prediction] = {}
    novelty: dict[str, Novelty] = {}
    """Per objective how far the point lies from the data; empty for points without a model."""
    surrogate: dict[str, object] = {}
    """Per objective: model specification, member weights, fitted state's fingerprint, warnings."""
    runners_up: tuple[Alternative, ...] = ()
    data_fingerprint: str = ""
    """SHA-256 of the observations and pending points that it rested on."""
    seed: int = 0
    seconds: float = 0.0
    """Real seconds it took."""
    note: str = ""

    @property
    def out_of_distribution(self) -> bool:
        """Whether the model extrapolates there: the point is flagged for some objective."""
        return any(found.flagged for found in self.novelty.values())

    def without_reasons(self) -> Proposal:
        """Return the point and its source alone."""
        return Proposal(point=self.point, source=self.source)
