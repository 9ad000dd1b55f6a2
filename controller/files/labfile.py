"""The lab file as its user writes it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from controller.domain.base import Label, Model
from controller.domain.lab import Endpoint, InstrumentSpec, InterlockSpec, StepSpec


class LabFile(Model):
    """The instruments of a lab and the steps that one experiment takes on them."""

    lab: Label
    """The lab's name; driver journals are kept under it."""
    instruments: Annotated[dict[Label, InstrumentSpec], Field(min_length=1, max_length=1000)]
    """The instruments by name."""
    protocol: Annotated[tuple[StepSpec, ...], Field(min_length=1, max_length=1000)]
    """The steps that one experiment takes; a step begins when those that it follows, or takes values of, have succeeded."""
    speed: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    """Lab seconds per real second; anything but 1 only where every instrument is simulated."""
    interlocks: Annotated[tuple[InterlockSpec, ...], Field(max_length=1000)] = ()
    """Readings that must be as required before anything is dispatched to some of the instruments."""
    endpoint: Endpoint | None = None
    """Where drivers of other machines connect, `tcp://0.0.0.0:PORT`; needs keys. This machine only, when left out."""
