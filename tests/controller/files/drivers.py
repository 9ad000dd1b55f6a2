"""Drivers that the lab files of these tests name by their place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from instruments.sdk.action import action
from instruments.sdk.context import ActionContext
from instruments.sdk.driver import Driver
from instruments.sdk.quantity import Quantity


class Oven(Driver):
    """A real device without a twin."""

    def __init__(self, *, port: str) -> None:
        self.port = port

    @action(
        duration=(60, 120),
        consequence="consumes",
        returns={"mass": Quantity("g"), "colour": Quantity(kind="str"), "score": Quantity()},
    )
    def bake(
        self,
        ctx: ActionContext,
        temperature: Annotated[float, Quantity("degC", low=20, high=200)],
        atmosphere: Annotated[str, Quantity(choices=("air", "argon"))] = "air",
        cycles: int = 1,
        fan: bool = True,
        load: float = 1.0,
    ) -> Mapping[str, float | str]:
        """Bake one sample."""
        raise AssertionError("checking a file carries nothing out")


class TwinnedOven(Oven):
    """A real device whose class names what stands in for it."""

    twin = f"{__name__}:SimulatedOven"


class SimulatedOven(Oven):
    """The twin: takes fewer options than the device."""

    simulated = True

    def __init__(self, *, port: str = "none") -> None:
        super().__init__(port=port)


class NeverBuilt(Driver):
    """A driver that cannot be built."""

    def __init__(self) -> None:
        raise OSError("no such device")
