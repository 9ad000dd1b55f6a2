"""What a lab reads of a campaign, and a small campaign for labs that are served by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field


class ParameterLike(Protocol):
    """A parameter. Numeric ones also have `bounds` or, when discrete, `values`; categorical ones have `choices`."""

    @property
    def type(self) -> str:
        """`continuous`, `integer`, `discrete` or `categorical`."""
        ...

    @property
    def unit(self) -> str | None:
        """Its unit."""
        ...


class ObjectiveLike(Protocol):
    """An objective."""

    @property
    def unit(self) -> str | None:
        """Its unit."""
        ...


class CampaignLike(Protocol):
    """A campaign file, as far as labs look at it."""

    @property
    def campaign(self) -> str:
        """Its name."""
        ...

    @property
    def parameters(self) -> Mapping[str, ParameterLike]:
        """By name."""
        ...

    @property
    def objectives(self) -> Mapping[str, ObjectiveLike]:
        """By name."""
        ...

    @property
    def seed(self) -> int:
        """Of everything random."""
        ...

    @property
    def batch(self) -> int:
        """Experiments in flight."""
        ...


class HandParameter(BaseModel):
    """A parameter of a campaign given by hand; keys that only the controller needs are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    type: Literal["continuous", "integer", "discrete", "categorical"] = "continuous"
    unit: str | None = None
    bounds: tuple[float, float] = (0.0, 1.0)
    values: tuple[float, ...] = Field(default=(0.0, 1.0), min_length=1)
    choices: tuple[str, ...] = ()


class HandObjective(BaseModel):
    """An objective of a campaign given by hand."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    unit: str | None = None


class HandCampaign(BaseModel):
    """What `python -m simulators serve --campaign` reads: the same keys as in a campaign file, as JSON."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    campaign: str = Field(default="by-hand", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+@-]*$", max_length=128)
    parameters: dict[str, HandParameter] = Field(min_length=1)
    objectives: dict[str, HandObjective] = Field(min_length=1)
    seed: int = Field(default=0, ge=0, lt=2**63)
    batch: int = Field(default=1, ge=1, le=1000)
