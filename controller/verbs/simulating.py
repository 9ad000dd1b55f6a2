"""Which values are simulated: all of a campaign's, or those of some instruments of a lab that has real ones beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def twins_of(definition: Mapping[str, Any]) -> list[str]:
    """Return the simulated instruments of a lab that has real ones too; empty where all are of one kind.

    Args:
        definition: The campaign's, as JSON data.
    """
    return list(definition["lab"].get("twins", ()))


def is_simulated(definition: Mapping[str, Any], instrument: str) -> bool:
    """Say whether what an instrument gives is simulated."""
    return bool(definition["lab"]["simulated"]) or instrument in twins_of(definition)


def said_of_data(definition: Mapping[str, Any], *, simulated: bool) -> str:
    """Return what a file says of its data: `real`, or that they are simulated and by what.

    Args:
        definition: The campaign's, as JSON data.
        simulated: Whether its rows are marked so.
    """
    twins = ", ".join(twins_of(definition))
    if not simulated:
        return f"real, but {twins} simulated" if twins else "real"
    return f"SIMULATED: values of {twins}; the other instruments are real" if twins else "SIMULATED: no real instrument took part"
