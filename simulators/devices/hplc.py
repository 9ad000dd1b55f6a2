"""The driver `simulated-hplc`: finds the five species of a crude, each peak with its own error."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from instruments.errors import DeviceFaultError
from instruments.sdk.action import Action
from instruments.sdk.quantity import Quantity
from simulators.devices.base import SimulatedDriver, Values, spare_time
from simulators.devices.memory import Scalar
from simulators.devices.reactor import SPECIES
from simulators.faults import FaultPlan
from simulators.physics.snar import Composition, e_factor, space_time_yield

DETECTION_LIMIT = 1e-4
"""Smallest concentration that gives a peak [mol/L]."""

_METHOD_S = 360.0
"""One chromatogram [lab s]."""


class HplcDriver(SimulatedDriver):
    """Separates a crude and reports space-time yield and E-factor of the ortho product.

    Args:
        noise: Relative standard deviation of each peak.
        duration_scale: 1 for the minutes that a bench would take; smaller to hurry.
        seed: See `SimulatedDriver`.
        faults: See `SimulatedDriver`.
        log: See `SimulatedDriver`.
    """

    def __init__(
        self,
        *,
        noise: Annotated[float, Field(ge=0.0, le=0.5)] = 0.01,
        duration_scale: Annotated[float, Field(ge=0.0, le=1000.0)] = 1.0,
        seed: int = 0,
        faults: FaultPlan | None = None,
        log: str | None = None,
    ) -> None:
        super().__init__(seed=seed, faults=faults, log=log)
        self._noise, self._scale = noise, duration_scale

    def actions(self) -> Mapping[str, Action]:
        """Return the one action `measure`: a vial holds enough for several injections, so it is repeatable."""
        typical = self._scale * _METHOD_S
        measure = self.simulated_action(
            "measure",
            self._measure,
            arguments={
                "residence_time": Quantity("min", 0.01, 1000.0, description="at which the crude was made"),
                **{name: Quantity("mol/L", -1e-6, 20.0, description="in the crude") for name in SPECIES},
            },
            returns={
                "space_time_yield": Quantity("kg/m**3/h", description="ortho product per reactor volume and time"),
                "e_factor": Quantity(None, description="waste per ortho product, solvent included [kg/kg]"),
            },
            duration=(typical, typical + spare_time(typical)),
            consequence="repeatable",
            description="Inject a crude and integrate the peaks.",
        )
        return {"measure": measure}

    def _measure(self, sample: Mapping[str, Scalar], rng: random.Random) -> Values:
        peaks = {name: self._peak(float(sample[name]), rng) for name in SPECIES}
        found = Composition(**peaks)
        if found.ortho == 0.0:
            raise DeviceFaultError(
                f"no peak of the ortho product above {DETECTION_LIMIT:g} mol/L: yield and E-factor are not defined",
                retryable=False,
            )
        return {
            "space_time_yield": space_time_yield(found, float(sample["residence_time"])),
            "e_factor": e_factor(found),
        }

    def _peak(self, concentration: float, rng: random.Random) -> float:
        measured = concentration * (1.0 + rng.gauss(0.0, self._noise)) + rng.gauss(0.0, 0.1 * DETECTION_LIMIT)
        return measured if measured >= DETECTION_LIMIT else 0.0
