"""Functions of many parameters whose best value is known, for `python -m benchmarks dimensions`.

Five standard ones (D. Bingham, S. Surjanovic, *Virtual library of simulation experiments*) and a design problem: the layers of a
dichroic mirror. All are functions of the unit cube, and larger is better. Those that would have their best value at the same
place in every coordinate, near the middle, are moved: in each coordinate it lies somewhere in the inner four fifths, drawn at
random.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_EDGE = 0.1
"""How near to a bound the best place may lie, as a share of the range."""


@dataclass(frozen=True)
class Wide:
    """One function.

    Attributes:
        name: Of the function, without its number of parameters.
        d: Number of parameters, each from 0 to 1.
        true: The value at a point (d).
        best: The best value possible, or one that cannot be surpassed.
    """

    name: str
    d: int
    true: Callable[[Array], float]
    best: float


def ackley(d: int, seed: int) -> Wide:
    """Ackley's function, 15 wide: a funnel under ripples."""

    def value(x: Array) -> float:
        rings = 20.0 * math.exp(-0.2 * math.sqrt(float(x @ x) / d))
        return rings + math.exp(float(np.cos(2.0 * math.pi * x).mean())) - 20.0 - math.e

    return _moved("ackley", d, seed, value, -5.0, 10.0, 0.0, 0.0)


def levy(d: int, seed: int) -> Wide:
    """Levy's function, 20 wide: ripples on a bowl."""

    def value(x: Array) -> float:
        w = 1.0 + (x - 1.0) / 4.0
        middle = (w[:-1] - 1.0) ** 2 * (1.0 + 10.0 * np.sin(math.pi * w[:-1] + 1.0) ** 2)
        last = (w[-1] - 1.0) ** 2 * (1.0 + math.sin(2.0 * math.pi * w[-1]) ** 2)
        return -float(math.sin(math.pi * w[0]) ** 2 + middle.sum() + last)

    return _moved("levy", d, seed, value, -10.0, 10.0, 1.0, 0.0)


def rosenbrock(d: int, seed: int) -> Wide:
    """Rosenbrock's function, 15 wide: a bent valley."""

    def value(x: Array) -> float:
        return -float((100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum())

    return _moved("rosenbrock", d, seed, value, -5.0, 10.0, 1.0, 0.0)


def styblinski_tang(d: int, seed: int) -> Wide:
    """Styblinski and Tang's function, 10 wide: two basins in each coordinate, the worse one nearly as good."""

    def value(x: Array) -> float:
        return -0.5 * float((x**4 - 16.0 * x**2 + 5.0 * x).sum()) / d

    return _moved("styblinski_tang", d, seed, value, -5.0, 5.0, -2.903534027771177, 39.16616570377142)


def hartmann6(d: int, seed: int) -> Wide:
    """Hartmann's function of six of the parameters, which ones depends on the seed; the others do nothing."""
    alpha = np.array([1.0, 1.2, 3.0, 3.2])
    A = np.array([[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]])
    P = 1e-4 * np.array(
        [[1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991], [2348, 1451, 3522, 2883, 3047, 6650],
         [4047, 8828, 8732, 5743, 1091, 381]]
    )  # fmt: skip
    which = np.random.default_rng([seed, d, 6]).permutation(d)[:6]
    return Wide("hartmann6", d, lambda u: float(alpha @ np.exp(-(A * (u[which] - P) ** 2).sum(1))), 3.322368)


def mirror(d: int, seed: int) -> Wide:
    """A dichroic mirror: `d` layers by turns of TiO2 and SiO2 on glass, each 20 to 180 nm thick, at normal incidence.

    Wanted is to reflect 420 to 520 nm and to let 560 to 700 nm through: the mean reflectance of the one less that of the other,
    by characteristic matrices (H. A. Macleod, *Thin-Film Optical Filters*, chapter 2); indices 2.40, 1.46 and 1.52, without
    absorption or dispersion. One would be perfect. It is the same for every seed.
    """
    blue, red = np.linspace(420.0, 520.0, 21), np.linspace(560.0, 700.0, 29)
    wavelengths = np.concatenate([blue, red])

    def value(u: Array) -> float:
        reflectance = _reflectance(20.0 + 160.0 * u, wavelengths)
        return float(reflectance[: len(blue)].mean() - reflectance[len(blue) :].mean())

    return Wide("mirror", d, value, 1.0)


def _reflectance(thickness: Array, wavelengths: Array) -> Array:
    """Reflectance at each wavelength [nm] of layers of such thickness [nm], the outermost first."""
    air, high, low, glass = 1.0, 2.40, 1.46, 1.52
    B, C = np.ones(len(wavelengths), complex), np.full(len(wavelengths), glass, complex)
    for j in reversed(range(len(thickness))):
        index = low if j % 2 else high
        phase = 2.0 * math.pi * index * thickness[j] / wavelengths
        cos, sin = np.cos(phase), 1j * np.sin(phase)
        B, C = cos * B + sin / index * C, sin * index * B + cos * C
    amplitude = (air * B - C) / (air * B + C)
    return np.asarray(np.abs(amplitude) ** 2, dtype=np.float64)


def _moved(name: str, d: int, seed: int, value: Callable[[Array], float], low: float, high: float, at: float, best: float) -> Wide:
    """Return a function of the unit cube that is `value` over ranges as wide as from `low` to `high`, its best place `at` moved."""
    place = np.random.default_rng([seed, d, len(name)]).uniform(_EDGE, 1.0 - _EDGE, d)
    return Wide(name, d, lambda u: value(at + (high - low) * (u - place)), best)


MADE: dict[str, Callable[[int, int], Wide]] = {
    made.__name__: made for made in (ackley, levy, rosenbrock, styblinski_tang, hartmann6, mirror)
}
"""By name: from the number of parameters and a seed to the function."""
