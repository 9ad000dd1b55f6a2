"""The twin of a mixing bench: conductivity and viscosity of LiPF6 in carbonates, from physics. No number here was measured by us.

Solvents are mixed as the handbook says, ions pair as Fuoss says, and what is free moves as Walden says:

    ln eta0   = sum of w_i ln eta_i                    Arrhenius' rule of mixing [mPa s]
    epsilon   = sum of phi_i epsilon_i                 by volume
    eta       = eta0 exp(B m)                          salt thickens the mixture (m: mol salt per kg of solvents)
    K         = 4 pi N a^3 / 3 exp(l_B / a)            pairs of ions: Fuoss, J. Am. Chem. Soc. 80, 5059 (1958)
    K c alpha^2 = 1 - alpha                            share alpha of free ions
    kappa     = W alpha c / eta                        Walden's rule [mS/cm]

Where alpha hardly changes this is kappa ~ m exp(-B m): the equation of Casteel and Amis (J. Chem. Eng. Data 17, 55 (1972)) with
a = 1 and b = 0.
Solvents: K. Xu, Chem. Rev. 104, 4303 (2004), table 1. W is set so that 1 mol/L in EC:EMC 3:7 conducts 9 mS/cm at 25 degC,
as Landesfeind and Gasteiger measured (J. Electrochem. Soc. 166, A3079 (2019)). In EC:DMC 1:1, where they
measured 12, it gives 14.5: the right magnitude and order, no prediction.
"""

from __future__ import annotations

import math
import random

SOLVENTS = {"ec": (89.78, 1.90, 1.321), "dmc": (3.107, 0.59, 1.063), "emc": (2.958, 0.65, 1.006), "dec": (2.805, 0.75, 0.969)}
"""Dielectric constant, viscosity [mPa s], density [g/mL]: ethylene, dimethyl, ethyl methyl and diethyl carbonate."""
THICKENING = 0.7
"""B [kg/mol]."""
CONTACT_NM = 0.70
"""a: how close the solvated ions come [nm]."""
BJERRUM_NM = 56.05
"""l_B times the dielectric constant at 25 degC: e^2 / (4 pi epsilon0 k T) [nm]."""
WALDEN = 86.0
"""W [mS/cm mPa s L/mol]: see above."""


def composition(ec: float, dmc: float, emc: float, dec: float) -> tuple[float, float, float]:
    """Return dielectric constant, viscosity [mPa s] and density [g/mL] of a mixture of solvents.

    Args:
        ec: Ethylene carbonate, like the others a share by mass; together 1.
        dmc: Dimethyl carbonate.
        emc: Ethyl methyl carbonate.
        dec: Diethyl carbonate.
    """
    shares = dict(zip(SOLVENTS, (ec, dmc, emc, dec), strict=True))
    volume = sum(w / SOLVENTS[name][2] for name, w in shares.items())
    epsilon = sum(w / SOLVENTS[name][2] / volume * SOLVENTS[name][0] for name, w in shares.items())
    viscosity = math.exp(sum(w * math.log(SOLVENTS[name][1]) for name, w in shares.items()))
    return epsilon, viscosity, sum(shares.values()) / volume


def free_share(concentration: float, epsilon: float) -> float:
    """Return the share of ions that is not paired, 0 to 1; `concentration` in mol/L."""
    per_litre = 4.0 / 3.0 * math.pi * (CONTACT_NM * 1e-8) ** 3 * 6.022e23  # 1 nm is 1e-8 dm, so L/mol
    pairing = per_litre * math.exp(BJERRUM_NM / epsilon / CONTACT_NM) * concentration
    return 2.0 / (1.0 + math.sqrt(1.0 + 4.0 * pairing))


def electrolyte(ec: float, dmc: float, emc: float, dec: float, salt: float) -> dict[str, float]:
    """Return `conductivity` [mS/cm] and `viscosity` [mPa s] at 25 degC, without noise; `salt` in mol per kg of solvents."""
    epsilon, viscosity, density = composition(ec, dmc, emc, dec)
    thick = viscosity * math.exp(THICKENING * salt)
    concentration = salt * density / (1.0 + 0.0519 * salt)  # the salt (151.9 g/mol) takes about a third of its mass as volume
    return {"conductivity": WALDEN * free_share(concentration, epsilon) * concentration / thick, "viscosity": thick}


def measure(ec: float, dmc: float, emc: float, dec: float, salt: float, rng: random.Random) -> dict[str, float]:
    """Return what the bench reads: the scale errs by a milligram in a gram, the instruments by one and two percent."""
    dosed = [max(0.0, share + rng.gauss(0.0, 0.001)) for share in (ec, dmc, emc, dec)]
    true = electrolyte(*(share / sum(dosed) for share in dosed), salt * (1.0 + rng.gauss(0.0, 0.002)))
    return {
        "conductivity": true["conductivity"] * (1.0 + rng.gauss(0.0, 0.01)),
        "viscosity": true["viscosity"] * (1.0 + rng.gauss(0.0, 0.02)),
    }
