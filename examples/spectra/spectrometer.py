"""A spectrometer in place of a real one: made up, a dye that is red at one acidity and yellow at others."""

from __future__ import annotations

import math
from typing import Annotated

from instruments.sdk import ActionContext, Driver, Quantity, action


class Spectrometer(Driver):
    """Scans a cuvette from 400 to 700 nm."""

    simulated = True

    @action(duration=(1, 30), consequence="repeatable", returns={"absorbance": Quantity()})
    def scan(self, ctx: ActionContext, acidity: Annotated[float, Quantity(low=0, high=14)]) -> dict[str, float]:
        """Measure a spectrum; the absorbance is that at 520 nm."""
        red = math.exp(-(((acidity - 6.4) / 1.5) ** 2))
        spectrum = {nm: _band(nm, 520, 35) * red + _band(nm, 430, 30) * (1 - red) for nm in range(400, 701)}
        lines = ["wavelength_nm,absorbance", *(f"{nm},{value:.6f}" for nm, value in spectrum.items())]
        ctx.keep("\n".join(lines).encode() + b"\n", name="spectrum.csv", media_type="text/csv")
        return {"absorbance": spectrum[520]}


def _band(nm: float, centre: float, width: float) -> float:
    return math.exp(-(((nm - centre) / width) ** 2))
