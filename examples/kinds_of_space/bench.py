"""A coupling reactor as a Python function, in place of the real one; see `own_instrument` for how to put a device here.

A metal needs a ligand and an amount of it; an acid needs neither, and then neither is set.
"""

from __future__ import annotations

import math

METALS = {"acid": 25.0, "Pd": 55.0, "Ni": 50.0}
LIGANDS = {("Pd", "L2"): 25.0, ("Pd", "L1"): 5.0, ("Ni", "L3"): 20.0}
SOLVENTS = {"water": 2.0, "DMF": 10.0, "toluene": 0.0}


def react(
    catalyst: str, solvent: str, temperature: float, minutes: float, ethanol: float, glycol: float, urea: float,
    ligand: str = "none", loading: float = 0.0,
) -> dict[str, float]:  # fmt: skip
    """Return the yield of one reaction.

    Args:
        catalyst: `acid`, `Pd` or `Ni`.
        solvent: `water`, `DMF` or `toluene`.
        temperature: Of the bath [degC].
        minutes: Residence time [min].
        ethanol: Share of the additive.
        glycol: Share of the additive.
        urea: Share of the additive.
        ligand: `L1`, `L2`, `L3`, or `none` beside an acid.
        loading: Of the metal [mol%].
    """
    found = METALS[catalyst] + SOLVENTS[solvent] + LIGANDS.get((catalyst, ligand), 0.0)
    if loading > 0:
        found -= 10.0 * math.log10(loading / 2.0) ** 2
    found += 8.0 * ethanol * glycol - 4.0 * urea
    return {"yield": found - ((temperature - 110.0) / 12.0) ** 2 - 10.0 * math.log10(minutes / 20.0) ** 2}
