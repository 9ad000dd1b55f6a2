"""Drift: what measurements change by with time although the setting stays, and the reference experiments that show it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field, model_validator

from controller.domain.base import LATER, Model, Value


class Drift(Model):
    """Measurements drift: the same setting gives other values later, or on another plate.

    The drift is learned together with what the settings do, and settings are compared as if all had been measured now. Time is
    counted in experiments.
    """

    reference: Annotated[dict[str, Value], LATER] = {}
    """A setting that is measured again and again, so that a change can be told from what other settings do."""
    every: Annotated[int | None, Field(ge=2, le=1000), LATER] = None
    """The first of so many experiments is the reference; needed with `reference`."""
    block: Annotated[int | None, Field(ge=2, le=100_000), LATER] = None
    """So many experiments, one after the other, share a plate, a batch of reagent or a day, with an offset of its own."""

    @model_validator(mode="after")
    def _check_whole(self) -> Drift:
        if not self.reference and self.block is None:
            raise ValueError("drift needs a reference (with every), or a block, for example block: 24")
        if bool(self.reference) != (self.every is not None):
            raise ValueError(
                "reference needs every, for example every: 8" if self.reference else "every is only for a reference; add reference"
            )
        return self

    def blocks(self, numbers: Iterable[int]) -> list[int]:
        """Return the block of each experiment; all in one where there are none."""
        return [0 if self.block is None else (number - 1) // self.block for number in numbers]
