"""The driver `simulated-reactor`: pumps and a heated tube in which the substitution of `physics/snar.py` goes on."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from instruments.sdk.action import Action
from instruments.sdk.quantity import Quantity
from simulators.devices.base import SimulatedDriver, Values, spare_time
from simulators.devices.memory import Scalar
from simulators.faults import FaultPlan
from simulators.physics.snar import react

SPECIES = ("substrate", "amine", "ortho", "para", "bis")
"""What the crude is made of, besides solvent and salt."""

_WARM_UP_S = 240.0
"""Heating and wetting before the first volume counts [lab s]."""
_VOLUMES = 3.0
"""Reactor volumes until the outlet is steady."""


class ReactorDriver(SimulatedDriver):
    """Brings a plug-flow reactor to steady state and collects the crude.

    Args:
        duration_scale: 1 for the minutes that a bench would take; smaller to hurry.
        seed: See `SimulatedDriver`.
        faults: See `SimulatedDriver`.
        log: See `SimulatedDriver`.
    """

    def __init__(
        self,
        *,
        duration_scale: Annotated[float, Field(ge=0.0, le=1000.0)] = 1.0,
        seed: int = 0,
        faults: FaultPlan | None = None,
        log: str | None = None,
    ) -> None:
        super().__init__(seed=seed, faults=faults, log=log)
        self._scale = duration_scale

    def actions(self) -> Mapping[str, Action]:
        """Return the one action `run`."""
        run = self.simulated_action(
            "run",
            self._run,
            arguments={
                "temperature": Quantity("degC", 20.0, 140.0, description="of the heated tube"),
                "residence_time": Quantity("min", 0.2, 10.0, description="reactor volume over total flow"),
                "equivalents": Quantity(None, 0.5, 10.0, description="pyrrolidine per 2,4-difluoronitrobenzene"),
                "concentration": Quantity("mol/L", 0.01, 1.0, description="2,4-difluoronitrobenzene after mixing"),
            },
            returns={name: Quantity("mol/L", description="in the crude at steady state") for name in SPECIES},
            duration=self._duration,
            consequence="consumes",
            description="Run at one setting until the outlet is steady and collect the crude.",
        )
        return {"run": run}

    def _duration(self, *, residence_time: float, **others: Scalar) -> tuple[float, float]:
        del others
        typical = self._scale * (_WARM_UP_S + _VOLUMES * 60.0 * residence_time)
        return typical, typical + spare_time(typical)

    def _run(self, setting: Mapping[str, Scalar], rng: random.Random) -> Values:
        # Thermostat and pumps hold their setpoints to a few tenths of a per cent.
        temperature = float(setting["temperature"]) + rng.gauss(0.0, 0.3)
        crude = react(
            temperature,
            float(setting["residence_time"]) * (1.0 + rng.gauss(0.0, 0.003)),
            float(setting["equivalents"]) * (1.0 + rng.gauss(0.0, 0.003)),
            float(setting["concentration"]) * (1.0 + rng.gauss(0.0, 0.003)),
        )
        return {name: float(getattr(crude, name)) for name in SPECIES}
