"""The twin of a perovskite bench: a coater, a person at the hotplate, and a spectrometer. Made up; nothing was measured.

The shapes are the field's, the numbers are ours: a film thins with the square root of the speed (as many spun films do) and
thickens with concentration; grains form with an activation energy and the film decays with a higher one, so that each time has
its best temperature; thick, well formed films are brightest, until the film is so thick that it takes its own light back.
"""

from __future__ import annotations

import math
import random

GAS = 8.314e-3
"""[kJ/mol/K]"""
FORMING, DECAYING = (80.0, 373.15, 0.06), (140.0, 398.15, 0.02)
"""Activation energy [kJ/mol], a temperature [K], and the rate there [1/min]."""
THICK_NM = 550.0


def thickness(concentration: float, spin: float) -> float:
    """Return how thick a film becomes [nm]: 400 nm from 1.2 mol/L at 4000 rpm."""
    return 400.0 * (concentration / 1.2) ** 1.5 * math.sqrt(4000.0 / spin)


def brightness(thickness: float, anneal: float, minutes: float) -> float:
    """Return the photoluminescence that is seen of a film [thousand counts].

    Args:
        thickness: [nm]
        anneal: Temperature of the hotplate [degC].
        minutes: On the hotplate [min].
    """
    formed = 1.0 - math.exp(-_rate(FORMING, anneal) * minutes)
    kept = math.exp(-_rate(DECAYING, anneal) * minutes)
    ratio = thickness / THICK_NM
    return 100.0 * formed * kept * (ratio * math.exp(1.0 - ratio)) ** 2


def coat(concentration: float, spin: float, rng: random.Random) -> float:
    """Return the thickness that the coater's gauge reads [nm]; films differ by two percent."""
    return thickness(concentration, spin) * (1.0 + rng.gauss(0.0, 0.02))


def anneal(temperature: float, minutes: float, rng: random.Random) -> dict[str, float | str]:
    """Answer as a person does who put the film on the plate: when it came off, and how it looks."""
    lost = math.exp(-_rate(DECAYING, temperature) * minutes)
    return {
        "held": max(0.0, minutes + rng.gauss(0.1, 0.1)),
        "look": "yellow" if lost < 0.5 else "dark and smooth" if rng.random() < 0.8 else "pinholes",
    }


def spectrum(thickness: float, temperature: float, minutes: float, rng: random.Random) -> float:
    """Return what the spectrometer counts [thousand counts]: two percent, and a little dark light."""
    return max(0.0, brightness(thickness, temperature, minutes) * (1.0 + rng.gauss(0.0, 0.02)) + rng.gauss(0.0, 0.3))


def _rate(law: tuple[float, float, float], celsius: float) -> float:
    energy, at, rate = law
    return rate * math.exp(energy / GAS * (1.0 / at - 1.0 / (celsius + 273.15)))
