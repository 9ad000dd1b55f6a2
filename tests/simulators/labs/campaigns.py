"""Stand-ins for campaign files: what `expand` reads of them, without the controller."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


def numeric(low: float, high: float, unit: str | None = None, kind: str = "continuous") -> SimpleNamespace:
    return SimpleNamespace(type=kind, bounds=(low, high), unit=unit)


def categorical(*choices: str) -> SimpleNamespace:
    return SimpleNamespace(type="categorical", choices=choices, unit=None)


def campaign(
    parameters: dict[str, Any], objectives: dict[str, str | None], seed: int = 0, batch: int = 1
) -> SimpleNamespace:
    return SimpleNamespace(
        campaign="screening",
        parameters=parameters,
        objectives={
            name: SimpleNamespace(goal="maximize", unit=unit, target=None) for name, unit in objectives.items()
        },
        seed=seed,
        batch=batch,
    )


def flow_campaign(**changed: Any) -> SimpleNamespace:
    parameters = {
        "temperature": numeric(30, 120, "degC"),
        "residence_time": numeric(0.5, 2, "min"),
        "equivalents": numeric(1, 5),
        "concentration": numeric(0.1, 0.5, "mol/L"),
    }
    return campaign({**parameters, **changed}, {"space_time_yield": "kg/m**3/h", "e_factor": None})
