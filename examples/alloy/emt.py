"""A computation as the instrument: energy of mixing and lattice constant of a random alloy of copper, palladium and gold.

Effective medium theory: K. W. Jacobsen, P. Stoltze and J. K. Noerskov, Surf. Sci. 366, 394 (1996), whose table 1 gives the
parameters of each metal. An atom sits in the tails of its neighbours' electron densities; how dense it is there decides its
energy of cohesion, and a pair energy corrects for not being in the perfect crystal. Only nearest neighbours on an fcc lattice
count here, so that the paper's sums over shells (gamma) are 1.

    python3 emt.py --copper 0.5 --palladium 0.3 --gold 0.2 --level fine     # prints one line of JSON

`quick` relaxes only the edge of one small box with every atom on its place; `fine` relaxes all atoms too, in several larger boxes.
Needs numpy and scipy.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

BETA = (16.0 * np.pi / 3.0) ** (1.0 / 3.0) / np.sqrt(2.0)
"""Nearest neighbours of the perfect crystal are beta times the radius of its neutral sphere apart."""
BOHR = 0.529177
"""[angstrom]"""
METALS = {
    "Cu": (-3.51, 2.67, 2.476, 1.652, 2.740, 1.906, 0.00910),
    "Pd": (-3.90, 2.87, 2.773, 1.818, 3.107, 2.155, 0.00688),
    "Au": (-3.80, 3.00, 2.321, 1.674, 2.873, 2.182, 0.00703),
}
"""E0 [eV], s0 [bohr], V0 [eV], eta2, kappa, lambda [1/bohr], n0 [1/bohr^3]."""
LEVELS = {"quick": (3, 1), "fine": (4, 4)}
"""Cubes along each edge of the box, and how many random boxes are averaged."""

Array = NDArray[np.float64]


class Box:
    """A periodic box of fcc cubes: places of the atoms, their nearest neighbours, and which metal each is.

    Args:
        cubes: Along each edge.
        kinds: Names of metals, `4 cubes^3`.
    """

    def __init__(self, cubes: int, kinds: list[str]) -> None:
        corner = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
        origins = np.stack(np.meshgrid(*[np.arange(cubes)] * 3, indexing="ij"), -1).reshape(-1, 1, 3)
        self.places = (origins + corner).reshape(-1, 3)  # in cubes' edges
        apart = self.places[None] - self.places[:, None]
        apart -= cubes * np.round(apart / cubes)
        near = np.isclose((apart**2).sum(-1), 0.5)
        self.neighbours = np.nonzero(near)[1].reshape(-1, 12)
        self.bonds = np.take_along_axis(apart, self.neighbours[..., None], 1)
        self.e0, self.s0, self.v0, self.eta, self.kappa, self.lam, self.n0 = np.array([METALS[kind] for kind in kinds]).T

    def energy(self, edge: float, moved: Array) -> tuple[float, float, Array]:
        """Return the energy above the pure crystals [eV per atom] and its slopes.

        Args:
            edge: Of a cube [bohr].
            moved: `n x 3`, how far atoms are from their places [edges].

        Returns:
            The energy, its slope with `edge`, and `n x 3` slopes with `moved`.
        """
        j = self.neighbours
        vector = self.bonds + moved[j] - moved[:, None]
        length = np.sqrt((vector**2).sum(-1))
        r = edge * length
        denser = self.n0[j] / self.n0[:, None]  # chi: how dense the neighbour is beside this atom
        density = denser * np.exp(-self.eta[j] * (r - BETA * self.s0[j]))
        total = density.sum(1)
        ds = -np.log(total / 12.0) / (BETA * self.eta)
        pair = 0.5 * self.v0[:, None] * denser * np.exp(-self.kappa[j] * (r / BETA - self.s0[j]))
        bare = np.exp(-self.lam * ds)
        cohesion = self.e0 * ((1.0 + self.lam * ds) * bare - 1.0)
        corrected = 6.0 * self.v0 * np.exp(-self.kappa * ds)
        by_ds = -self.e0 * self.lam**2 * ds * bare - self.kappa * corrected
        by_total = -by_ds / (BETA * self.eta * total)
        by_r = -by_total[:, None] * self.eta[j] * density + pair * self.kappa[j] / BETA
        pull = by_r[..., None] * edge * vector / length[..., None]
        by_place = -pull.sum(1)
        np.add.at(by_place, j, pull)
        n = len(total)
        energy = float((cohesion + corrected - pair.sum(1)).sum())
        return energy / n, float((by_r * length).sum()) / n, by_place / n

    def relaxed(self, *, atoms: bool) -> tuple[float, float]:
        """Return the energy [eV per atom] and the edge [bohr] where it is lowest; `atoms` may leave their places too."""
        start = float(np.mean(self.s0)) * BETA * np.sqrt(2.0)
        n = len(self.places)

        def told(x: Array) -> tuple[float, Array]:
            moved = x[1:].reshape(n, 3) if atoms else np.zeros((n, 3))
            energy, by_edge, by_place = self.energy(start * (1.0 + x[0]), moved)
            # Per atom the slopes are small: times n, so that the search's tolerances mean something.
            return n * energy, n * np.concatenate([[start * by_edge], by_place.ravel() if atoms else []])

        found = minimize(told, np.zeros(1 + 3 * n * atoms), jac=True, method="L-BFGS-B", options={"gtol": 1e-3, "maxiter": 200})
        return float(found.fun) / n, start * (1.0 + float(found.x[0]))


def alloy(copper: float, palladium: float, gold: float, level: str) -> dict[str, float]:
    """Return `mixing` [meV per atom], below zero where the metals would rather be mixed, and `lattice`, the cube's edge [angstrom].

    Args:
        copper: Parts of the alloy, in atoms; shares are rounded to whole atoms of the box.
        palladium: Parts.
        gold: Parts.
        level: `quick` or `fine`.

    Raises:
        ValueError: If a part is below zero, or all are zero.
    """
    parts = copper + palladium + gold
    if min(copper, palladium, gold) < 0.0 or parts <= 0.0:
        raise ValueError(f"copper {copper}, palladium {palladium}, gold {gold}: parts are not below zero, and not all zero")
    cubes, boxes = LEVELS[level]
    n = 4 * cubes**3
    n_palladium = round(palladium / parts * n)
    n_gold = min(round(gold / parts * n), n - n_palladium)
    kinds = ["Pd"] * n_palladium + ["Au"] * n_gold + ["Cu"] * (n - n_palladium - n_gold)
    rng = np.random.default_rng(0)  # the same boxes for the same composition: a computation can be repeated
    found = [Box(cubes, list(rng.permutation(kinds))).relaxed(atoms=level == "fine") for _ in range(boxes)]
    mixing, edge = np.mean(found, axis=0)
    return {"mixing": round(1000.0 * float(mixing), 3), "lattice": round(BOHR * float(edge), 5)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Energy of mixing and lattice constant of a random Cu-Pd-Au alloy.")
    for metal in ("copper", "palladium", "gold"):
        parser.add_argument(f"--{metal}", type=float, default=0.0, help="parts, in atoms")
    parser.add_argument("--level", choices=list(LEVELS), default="fine")
    given = parser.parse_args()
    try:
        print(json.dumps(alloy(given.copper, given.palladium, given.gold, given.level)))
    except ValueError as error:
        parser.error(str(error))
