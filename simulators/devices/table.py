"""The driver `simulated-table`: answers with rows of a CSV file that somebody measured."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from instruments.errors import DeviceFaultError, DriverOptionsError
from instruments.sdk.action import Action
from instruments.sdk.quantity import Quantity
from simulators.devices.base import SimulatedDriver, Values, spare_time
from simulators.devices.memory import Scalar
from simulators.devices.tabledata import Column, MeasuredTable, read_table
from simulators.faults import FaultPlan


class TableParameter(BaseModel):
    """One argument of `measure`, and the column that holds its settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str
    kind: Literal["number", "text"] = "number"
    unit: str | None = None


class TableObjective(BaseModel):
    """One value that `measure` returns, and the column that holds it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str
    unit: str | None = None


class TableDriver(SimulatedDriver):
    """Measures by looking the setting up in a table of real measurements.

    Args:
        data: The CSV file.
        parameters: Argument -> its column.
        objectives: Returned value -> its column.
        replicates: `draw` one of the rows with the same setting, or return their `mean`.
        duration: Of one measurement [lab s].
        capacity: Measurements at the same time.
        seed: See `SimulatedDriver`.
        faults: See `SimulatedDriver`.
        log: See `SimulatedDriver`.

    Raises:
        DriverOptionsError: If the table cannot be read or lacks a column.
    """

    def __init__(
        self,
        *,
        data: str,
        parameters: Annotated[dict[str, TableParameter], Field(min_length=1)],
        objectives: Annotated[dict[str, TableObjective], Field(min_length=1)],
        replicates: Literal["draw", "mean"] = "draw",
        duration: Annotated[float, Field(ge=0.0, le=1e8)] = 0.0,
        capacity: Annotated[int, Field(ge=1, le=1000)] = 1,
        seed: int = 0,
        faults: FaultPlan | None = None,
        log: str | None = None,
    ) -> None:
        super().__init__(seed=seed, faults=faults, log=log)
        self.capacity = capacity
        # Also as plain data, see `SimulatedDriver`.
        self._parameters = {name: TableParameter.model_validate(p) for name, p in parameters.items()}
        self._objectives = {name: TableObjective.model_validate(o) for name, o in objectives.items()}
        self._replicates, self._duration = replicates, duration
        self._table = _read(Path(data), self._parameters, self._objectives)

    def actions(self) -> Mapping[str, Action]:
        """Return the one action `measure`; its arguments and values are the options' parameters and objectives."""
        measure = self.simulated_action(
            "measure",
            self._measure,
            arguments={
                name: Quantity(unit=p.unit, kind="str" if p.kind == "text" else "float")
                for name, p in self._parameters.items()
            },
            returns={name: Quantity(unit=o.unit) for name, o in self._objectives.items()},
            duration=(self._duration, self._duration + spare_time(self._duration)),
            consequence="consumes",
            description="Look one setting up in the table of measurements.",
        )
        return {"measure": measure}

    def _measure(self, setting: Mapping[str, Scalar], rng: random.Random) -> Values:
        rows = self._table.replicates(setting)
        if not rows:
            wanted = ", ".join(f"{name}={value}" for name, value in setting.items())
            raise DeviceFaultError(f"the table holds no measurement at {wanted}", retryable=False)
        if self._replicates == "draw":
            return dict(rows[rng.randrange(len(rows))])
        return {name: sum(row[name] for row in rows) / len(rows) for name in self._objectives}


def _read(
    data: Path, parameters: Mapping[str, TableParameter], objectives: Mapping[str, TableObjective]
) -> MeasuredTable:
    try:
        return read_table(
            data,
            {name: Column(p.column, p.kind) for name, p in parameters.items()},
            {name: o.column for name, o in objectives.items()},
        )
    except ValueError as error:
        raise DriverOptionsError(f"data: {data}: {error}") from error
