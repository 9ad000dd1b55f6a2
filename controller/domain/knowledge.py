"""What is known before a campaign's first experiment: results of earlier campaigns, and hints of people."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from controller.domain.base import LATER, Label, Model, Name, Point, Value


class EarlierSource(Model):
    """Results of an earlier campaign with the same parameters and objectives: one that the store holds, or a file."""

    campaign: Label | None = None
    """Name of a campaign in the store; its completed experiments are read once, when this campaign is made."""
    file: str | None = None
    """A CSV file with a column for each parameter and each objective, as `labwright campaign export` writes it."""

    @model_validator(mode="after")
    def _check_one(self) -> EarlierSource:
        if (self.campaign is None) == (self.file is None):
            raise ValueError("names either a campaign or a file, for example {campaign: suzuki-2024} or {file: suzuki.csv}")
        return self


class EarlierCampaign(Model):
    """The results of an earlier campaign, as columns of equal length."""

    name: str
    """What it is called: its name, or that of its file."""
    points: dict[str, tuple[Value, ...]]
    """Parameter name -> settings."""
    values: dict[str, tuple[float | None, ...]]
    """Objective name -> values [the objective's unit]; None where there is none."""
    left_out: int = 0
    """Rows that were not taken, because they hold choices that this campaign does not have."""

    def __len__(self) -> int:
        return len(next(iter(self.points.values()), ()))

    def measured(self, objective: str) -> tuple[list[Point], list[float]]:
        """Return the settings that have a value of `objective`, and the values."""
        column = self.values.get(objective, ())
        kept = [(i, value) for i, value in enumerate(column) if value is not None]
        return [self.row(i) for i, _ in kept], [value for _, value in kept]

    def row(self, index: int) -> Point:
        """Return the setting at `index`."""
        return {name: column[index] for name, column in self.points.items()}


class Hint(Model):
    """Somebody's guess of where the best lies. It counts less with every result, and is forgotten where it is wrong."""

    near: Annotated[dict[Name, Value], Field(min_length=1)]
    """Parameter -> the setting near which the best is expected; parameters that are not named may have any."""
    spread: dict[Name, Annotated[float, Field(gt=0)]] = {}
    """Parameter that is a number -> how far off the guess may be [unit], a standard deviation; by default a tenth of the range."""
    confidence: Annotated[float, Field(gt=0, le=0.99)] = 0.5
    """How sure one is, as a probability."""


class PhysicalParameter(Model):
    """A parameter of a physical model that is fitted to what was measured."""

    bounds: tuple[float, float]
    """Lowest and highest value [the model's unit]; the middle is held for the most probable beforehand."""
    scale: Literal["linear", "log"] = "linear"
    """`log` when ratios matter more than differences (both bounds must be positive)."""

    @model_validator(mode="after")
    def _check(self) -> PhysicalParameter:
        low, high = self.bounds
        if not low < high:
            raise ValueError(f"lower bound {low:g} must be below upper bound {high:g}")
        if self.scale == "log" and low <= 0:
            raise ValueError(f"a log scale needs positive bounds, got {low:g}; use scale: linear or raise the lower bound")
        return self

    def at(self, share: float) -> float:
        """Return the value at a share (0 to 1) of the way between the bounds."""
        low, high = self.bounds
        return float(low * (high / low) ** share) if self.scale == "log" else low + share * (high - low)


class PhysicsSource(Model):
    """A physical model of an objective, as a Python function in a file."""

    module: Annotated[str, Field(pattern=r"^[^:]+\.py:[A-Za-z_][A-Za-z0-9_]*$")]
    """`file.py:function`: `function(settings, parameters)` gets arrays of settings by parameter and numbers by name, and returns an
    array of values of the objective."""
    parameters: dict[Name, PhysicalParameter] = {}
    """Its parameters, which are fitted as well."""
    objective: Name | None = None
    """What it predicts; needed where there are several objectives."""


class Physics(Model):
    """A physical model with the text of its file: it is the same model whatever becomes of the file."""

    source: str
    function: str
    parameters: dict[Name, PhysicalParameter] = {}
    objective: Name


class Knowledge(Model):
    """What is known before the first experiment."""

    earlier: Annotated[tuple[EarlierCampaign, ...], LATER] = ()
    """Results of earlier campaigns, which may resemble this one."""
    hints: Annotated[tuple[Hint, ...], LATER] = ()
    """Guesses of where the best lies."""
    first: Annotated[tuple[Point, ...], LATER] = ()
    """Settings to be measured before all others."""
    physics: Annotated[Physics | None, LATER] = None
    """A physical model of one objective."""
