"""Writes `yields.csv`: made-up yields of a cross-coupling over 240 conditions, from the formula below.

No number in it was measured. The formula is ours: a rate that grows with temperature (Arrhenius) and depends on how well ligand,
base and solvent go together, a catalyst that dies when it is hot, and a relative error of each measurement.

    log10 k   = ligand + base + solvent + ligand_base - 2.2 * (1000 / T - 1000 / 353)
    death     = 10 ** (0.03 * (T - 373) - stability)
    yield     = 100 * k / (k + 0.35 + death)              [percent], T in kelvin, then an error of 2 percent points

Every fifth condition was "measured" twice, so that the file has replicates.

    python make_data.py        # writes the file beside this script, always the same one
"""

from __future__ import annotations

import csv
import itertools
import random
from pathlib import Path

LIGANDS = {
    "PPh3": (-0.6, 0.2),
    "P(o-tol)3": (-0.3, 0.3),
    "P(2-furyl)3": (-0.9, 0.0),
    "PCy3": (0.1, 0.6),
    "PtBu3": (0.4, 0.1),
}
"""Contribution to log10 k, and stability of the catalyst with it."""
BASES = {"NEt3": -0.5, "DIPEA": -0.4, "DBU": 0.1, "TMG": 0.3}
SOLVENTS = {"toluene": -0.1, "THF": 0.0, "MeCN": -0.3, "DMF": 0.2}
FITTING = {("PCy3", "DBU"): 0.4, ("PtBu3", "NEt3"): 0.5, ("PtBu3", "TMG"): -0.6, ("P(o-tol)3", "DIPEA"): 0.3}
"""Pairs of ligand and base that do better or worse than their sum."""
TEMPERATURES = (60.0, 80.0, 100.0)
"""[degC]"""


def expected_yield(ligand: str, base: str, solvent: str, temperature: float) -> float:
    """Return the yield without error [percent]; `temperature` in degC."""
    kelvin = temperature + 273.15
    strength, stability = LIGANDS[ligand]
    exponent = strength + BASES[base] + SOLVENTS[solvent] + FITTING.get((ligand, base), 0.0)
    rate = 10 ** (exponent - 2.2 * (1000 / kelvin - 1000 / 353))
    death = 10 ** (0.03 * (kelvin - 373) - stability)
    return 100 * rate / (rate + 0.35 + death)


def rows() -> list[dict[str, str]]:
    """Return every row of the file."""
    rng = random.Random(20)
    found = []
    for n, (ligand, base, solvent, temperature) in enumerate(itertools.product(LIGANDS, BASES, SOLVENTS, TEMPERATURES)):
        for _ in range(2 if n % 5 == 0 else 1):
            measured = min(100.0, max(0.0, expected_yield(ligand, base, solvent, temperature) + rng.gauss(0.0, 2.0)))
            found.append({"ligand": ligand, "base": base, "solvent": solvent, "temperature": f"{temperature:g}",
                          "yield": f"{measured:.1f}"})  # fmt: skip
    return found


def main(path: Path) -> None:
    """Write the table."""
    content = rows()
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(content[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(content)


if __name__ == "__main__":
    main(Path(__file__).with_name("yields.csv"))
