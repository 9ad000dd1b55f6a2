"""A proposal: a suggested point and the reasons for it (kept for ever, so that it can be explained and derived again)."""

from __future__ import annotations

from typing import Literal

from controller.domain.base import Model, Point, Value


class Prediction(Model):
    """What the model expects of one objective at one point, on the objective's own scale."""

    mean: float
    sd: float


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
    surrogate: dict[str, object] = {}
    """Per objective: model specification, member weights, fitted state's fingerprint, warnings."""
    runners_up: tuple[Alternative, ...] = ()
    data_fingerprint: str = ""
    """SHA-256 of the observations and pending points that it rested on."""
    seed: int = 0
    seconds: float = 0.0
    """Real seconds it took."""
    note: str = ""

    def without_reasons(self) -> Proposal:
        """Return the point and its source alone."""
        return Proposal(point=self.point, source=self.source)
