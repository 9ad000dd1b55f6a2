"""The twin of a colour mixing robot: dyes in a well, light through it, and a camera. No number here was measured by us.

A dye takes light away as Lambert and Beer say, in one band that is a bell over the wavelength; what is left is turned into CIELAB
(CIE 15) with the colour-matching functions of the CIE 1931 observer, as fitted by Wyman, Sloan and Shirley (J. Comput. Graph. Tech.
2(2), 1 (2013)). The lamp behind the plate is a black body of 6500 K, and its own colour is white.

The dyes are like the food dyes allura red AC, tartrazine and brilliant blue FCF: peaks and absorbances of that order, rounded.
"""

from __future__ import annotations

import math
import random

DYES = {"red": (504.0, 40.0, 2.5e4, 250.0), "yellow": (427.0, 38.0, 2.6e4, 250.0), "blue": (630.0, 27.0, 1.3e5, 60.0)}
"""Peak and width (one sigma) of the band [nm], absorbance at the peak [L/mol/cm], stock solution [umol/L]."""
WELL_UL = 300.0
"""The robot fills up with water to this, so that light goes the same way through each."""
PATH_CM = 0.8
WAVELENGTHS = tuple(range(380, 781, 5))
LAMP_K = 6500.0
CAMERA = 0.3
"""Noise of L*, a* and b* from one picture to the next."""


def absorbance(red: float, yellow: float, blue: float, wavelength: float) -> float:
    """Return the absorbance of a well; volumes of the stocks in uL, wavelength in nm."""
    total = 0.0
    for volume, (peak, width, molar, stock) in zip((red, yellow, blue), DYES.values(), strict=True):
        band = math.exp(-0.5 * ((wavelength - peak) / width) ** 2)
        total += molar * band * stock * 1e-6 * volume / WELL_UL * PATH_CM
    return total


def lab(transmitted: list[float]) -> tuple[float, float, float]:
    """Return L*, a*, b* of light that is let through, 0 to 1 at each of `WAVELENGTHS`; all 1 is white (100, 0, 0)."""
    xyz, white = [0.0] * 3, [0.0] * 3
    for share, wavelength in zip(transmitted, WAVELENGTHS, strict=True):
        light = _lamp(wavelength)
        for n, seen in enumerate(_observer(wavelength)):
            xyz[n] += light * seen * share
            white[n] += light * seen
    x, y, z = (_cube_root(a / b) for a, b in zip(xyz, white, strict=True))
    return 116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)


def colour(red: float, yellow: float, blue: float) -> tuple[float, float, float]:
    """Return L*, a*, b* of a well without noise; volumes of the stocks in uL."""
    return lab([10.0 ** -absorbance(red, yellow, blue, wavelength) for wavelength in WAVELENGTHS])


def picture(red: float, yellow: float, blue: float, rng: random.Random) -> dict[str, float]:
    """Return what the camera sees: pumps err by half a percent and a quarter of a microlitre, the camera by `CAMERA`."""
    dosed = [max(0.0, volume * (1.0 + rng.gauss(0.0, 0.005)) + rng.gauss(0.0, 0.25)) for volume in (red, yellow, blue)]
    seen = colour(*dosed)
    return {name: value + rng.gauss(0.0, CAMERA) for name, value in zip(("L", "a", "b"), seen, strict=True)}


def difference(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    """Return the CIE 1976 difference of two colours; about 2.3 can just be seen."""
    return math.dist(one, other)


def _lamp(wavelength: float) -> float:
    metres = wavelength * 1e-9
    return (560e-9 / metres) ** 5 / (math.exp(0.014387769 / (metres * LAMP_K)) - 1.0)


def _observer(wavelength: float) -> tuple[float, float, float]:
    def lobe(mean: float, below: float, above: float) -> float:
        return math.exp(-0.5 * ((wavelength - mean) / (below if wavelength < mean else above)) ** 2)

    return (
        1.056 * lobe(599.8, 37.9, 31.0) + 0.362 * lobe(442.0, 16.0, 26.7) - 0.065 * lobe(501.1, 20.4, 26.2),
        0.821 * lobe(568.8, 46.9, 40.5) + 0.286 * lobe(530.9, 16.3, 31.1),
        1.217 * lobe(437.0, 11.8, 36.0) + 0.681 * lobe(459.0, 26.0, 13.8),
    )


def _cube_root(share: float) -> float:
    edge = 6.0 / 29.0
    return share ** (1.0 / 3.0) if share > edge**3 else share / (3.0 * edge**2) + 4.0 / 29.0
