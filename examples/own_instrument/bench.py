"""A device of one's own as a Python function: here a lamp over a vial, its chemistry in place of the real one.

Replace the body by what speaks to your device. The annotations tell the controller what the function takes; units and limits
stand in `lab.yaml`. It is called in a process of its own, so a stop can end it whatever it does.
"""

from __future__ import annotations

import math
import random


def expose(intensity: float, minutes: float) -> dict[str, float | tuple[float, float]]:
    """Light a vial and read its absorbance.

    A dye bleaches with first order in light (0.004 per mW/cm2 and minute) while heat beyond 60 mW/cm2 darkens it again.

    Args:
        intensity: Of the lamp [mW/cm2].
        minutes: Time of exposure [min].

    Returns:
        `absorbance` and its standard error, and the `energy` used [J/cm2].
    """
    bleached = math.exp(-0.004 * intensity * minutes)
    darkened = 0.0008 * max(0.0, intensity - 60.0) * minutes
    absorbance = 1.2 * bleached + darkened + random.Random(f"{intensity}/{minutes}").gauss(0.0, 0.01)
    return {"absorbance": (absorbance, 0.01), "energy": intensity * minutes * 60.0 / 1000.0}
