"""Ground truth of a nucleophilic aromatic substitution in a plug-flow reactor: four parallel and consecutive reactions.

2,4-Difluoronitrobenzene (A) and pyrrolidine (B) in ethanol give the wanted ortho product (P), the para product (Q) and, from both,
the bis-substituted product (D):

    A + B -> P  (ortho)      P + B -> D
    A + B -> Q  (para)       Q + B -> D

Rate constants at 90 degC and activation energies: C. A. Hone, N. Holmes, G. R. Akien, R. A. Bourne, F. L. Muller, "Rapid multistep
kinetic model generation from transient flow data", React. Chem. Eng. 2017, 2, 103-108, doi:10.1039/C6RE00109B; the reaction is also
a benchmark of Summit (K. C. Felton, J. G. Rittig, A. A. Lapkin, Chemistry-Methods 2021, 1, 116-122). Unlike that benchmark this
model closes the mass balance: Q forms with its own constant and the hydrogen fluoride set free counts as waste.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

GAS_CONSTANT = 8.314462618e-3
"""[kJ/mol/K]"""
REFERENCE_TEMPERATURE = 363.15
"""Temperature of the published rate constants: 90 degC [K]."""
SOLVENT_DENSITY = 789.0
"""Ethanol at 20 degC [kg/m³]; the solutes are dilute enough to let it fill the whole volume."""

MOLAR_MASS = {
    "substrate": 159.091,
    "amine": 71.123,
    "ortho": 210.208,
    "para": 210.208,
    "bis": 261.325,
    "hydrogen_fluoride": 20.006,
}
"""[g/mol]"""


@dataclass(frozen=True)
class RateConstants:
    """Second-order rate constants [L/mol/min]."""

    ortho: float
    para: float
    bis_from_ortho: float
    bis_from_para: float


# Published as 57.9, 2.70, 0.865 and 1.63 in 1e-2 L/mol/s; 0.6 turns these into L/mol/min.
_AT_REFERENCE = RateConstants(ortho=0.6 * 57.9, para=0.6 * 2.70, bis_from_ortho=0.6 * 0.865, bis_from_para=0.6 * 1.63)
# Activation energies [kJ/mol].
_ACTIVATION = RateConstants(ortho=33.3, para=35.3, bis_from_ortho=38.9, bis_from_para=44.8)


@dataclass(frozen=True)
class Composition:
    """Concentrations [mol/L]."""

    substrate: float
    amine: float
    ortho: float
    para: float
    bis: float

    @property
    def hydrogen_fluoride(self) -> float:
        """Set free by every substitution [mol/L]."""
        return self.ortho + self.para + 2.0 * self.bis

    def mass_concentration(self) -> float:
        """Return the mass of all solutes, hydrogen fluoride included [kg/m³]."""
        return sum(mass * float(getattr(self, species)) for species, mass in MOLAR_MASS.items())


def rate_constants(temperature: float) -> RateConstants:
    """Return the rate constants at `temperature` [degC] by the Arrhenius law [L/mol/min]."""
    kelvin = temperature + 273.15
    if kelvin <= 0.0:
        raise ValueError(f"temperature {temperature:g} degC lies below absolute zero; give degrees Celsius")
    inverse = (1.0 / kelvin - 1.0 / REFERENCE_TEMPERATURE) / GAS_CONSTANT
    return RateConstants(
        *(
            getattr(_AT_REFERENCE, name) * math.exp(-getattr(_ACTIVATION, name) * inverse)
            for name in ("ortho", "para", "bis_from_ortho", "bis_from_para")
        )
    )


def react(temperature: float, residence_time: float, equivalents: float, concentration: float) -> Composition:
    """Return what leaves an isothermal, ideal plug-flow reactor at steady state.

    All four steps are first order in B, so in the variable u with du/dt = B every other concentration is a sum of exponentials;
    only u itself is integrated over time.

    Args:
        temperature: [degC].
        residence_time: [min], zero or more.
        equivalents: Pyrrolidine per 2,4-difluoronitrobenzene at the inlet [mol/mol], zero or more.
        concentration: 2,4-Difluoronitrobenzene at the inlet after mixing [mol/L], zero or more.

    Returns:
        The outlet's composition.

    Raises:
        ValueError: If a condition is negative or not finite.
    """
    for name, value in (
        ("residence_time", residence_time),
        ("equivalents", equivalents),
        ("concentration", concentration),
    ):
        if not (math.isfinite(value) and value >= 0.0):
            raise ValueError(f"{name} must be zero or a positive finite number, got {value!r}")
    k = rate_constants(temperature)
    amine = equivalents * concentration
    # The fastest change of u per step stays below 0.2: measured against a stiff solver, the error is then below 1e-7 mol/L.
    fastest = (k.ortho + k.para) * max(concentration, amine)
    n_steps = max(50, math.ceil(5.0 * fastest * residence_time))
    step, u = residence_time / n_steps, 0.0
    for _ in range(n_steps):
        a = _at(u, k, concentration, amine).amine
        b = _at(u + 0.5 * step * a, k, concentration, amine).amine
        c = _at(u + 0.5 * step * b, k, concentration, amine).amine
        d = _at(u + step * c, k, concentration, amine).amine
        u += step * (a + 2.0 * b + 2.0 * c + d) / 6.0
    return _at(u, k, concentration, amine)


def _at(u: float, k: RateConstants, substrate: float, amine: float) -> Composition:
    """Return the composition after the amine exposure `u` [mol min/L] from inlet concentrations [mol/L]."""
    consumption = k.ortho + k.para
    left = substrate * math.exp(-consumption * u)
    ortho = substrate * k.ortho * _intermediate(u, consumption, k.bis_from_ortho)
    para = substrate * k.para * _intermediate(u, consumption, k.bis_from_para)
    bis = substrate - left - ortho - para
    return Composition(left, amine - ortho - para - 2.0 * bis, ortho, para, max(bis, 0.0))


def _intermediate(u: float, formed: float, consumed: float) -> float:
    """Return (exp(-consumed u) - exp(-formed u)) / (formed - consumed), also where both rates agree."""
    difference = formed - consumed
    share = u if difference == 0.0 else -math.expm1(-difference * u) / difference
    return math.exp(-consumed * u) * share


def space_time_yield(outlet: Composition, residence_time: float) -> float:
    """Return the ortho product made per reactor volume and time [kg/m³/h]; `residence_time` in min."""
    if residence_time <= 0.0:
        raise ValueError(f"residence_time must be above zero, got {residence_time!r}")
    return MOLAR_MASS["ortho"] * outlet.ortho * 60.0 / residence_time


def e_factor(outlet: Composition) -> float:
    """Return the waste per ortho product, solvent included [kg/kg]; infinite where no product leaves."""
    product = MOLAR_MASS["ortho"] * outlet.ortho
    if product <= 0.0:
        return math.inf
    return (SOLVENT_DENSITY + outlet.mass_concentration() - product) / product
