"""A hotplate and a solar simulator in place of the real ones: made up, with one optimum and a little noise."""

from __future__ import annotations

import math
import random


def anneal_and_measure(anneal: float, thickness: float) -> dict[str, tuple[float, float]]:
    """Anneal a film and measure the efficiency of the cell.

    Thin films absorb too little, thick ones collect too little; below 100 degC nothing crystallises, above 140 degC it decays.

    Args:
        anneal: Temperature of the hotplate [degC].
        thickness: Of the film [nm].

    Returns:
        The `efficiency` and its standard error [percent].
    """
    absorbed = math.exp(-((math.log(max(thickness, 1.0) / 500.0) / 0.6) ** 2))
    crystallised = 1.0 / (1.0 + math.exp((100.0 - anneal) / 6.0))
    decayed = 1.0 / (1.0 + math.exp((145.0 - anneal) / 5.0))
    noise = random.Random(f"{anneal}/{thickness}").gauss(0.0, 0.2)
    return {"efficiency": (max(0.0, 20.0 * absorbed * crystallised * (1.0 - decayed) + noise), 0.2)}
