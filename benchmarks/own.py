"""Mixed and constrained problems whose best value is known: the group `own` of `python -m benchmarks tables`.

The four design problems are standard ones, with the constraints as known ones, and the best values of the literature:

- welded beam: K. Deb, *An efficient constraint handling method for genetic algorithms*, CMAME 186 (2000); best known 1.724852
  (C. A. Coello Coello, E. Mezura Montes, *Constraint-handling in genetic algorithms*, Advanced Engineering Informatics 16, 2002);
- pressure vessel: B. K. Kannan, S. N. Kramer, *An augmented Lagrange multiplier based method for mixed integer discrete
  continuous optimization*, Journal of Mechanical Design 116 (1994); best known 6059.714;
- speed reducer: J. Golinski, *Optimal synthesis problems solved by means of nonlinear programming and random methods*, Journal of
  Mechanisms 5 (1970); best known 2994.471;
- tension spring: A. D. Belegundu, *A study of mathematical programming methods for structural optimization* (1982); best
  known 0.012665.

The blend and the flow problem are made up; their best values follow from their formulas.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.domain.space import Problem


@dataclass(frozen=True)
class Own:
    """One problem, larger values being better.

    Attributes:
        name: Of the problem.
        problem: What may be proposed.
        true: The value at a point.
        best: The best value possible.
        target: From what value on a campaign has reached it.
        budget: Experiments of one campaign.
    """

    name: str
    problem: Problem
    true: Callable[[Mapping[str, Any]], float]
    best: float
    target: float
    budget: int = 40
    q: int = 1
    noise: float = 0.0
    is_pool: bool = False


def _problem(parameters: Mapping[str, Any], *constraints: str) -> Problem:
    content = {"parameters": parameters, "constraints": constraints, "objectives": {"y": {"goal": "maximize"}}}
    return Problem.model_validate(content)


def _range(low: float, high: float) -> dict[str, Any]:
    return {"type": "continuous", "bounds": (low, high)}


def welded_beam() -> Own:
    """Cheapest beam that carries its load: 4 numbers; shear, bending, buckling, deflection."""
    P, L, E, G = 6000.0, 14.0, 30e6, 12e6
    radius = "sqrt(l ** 2 / 4 + ((h + t) / 2) ** 2)"
    direct = f"{P} / (sqrt(2) * h * l)"
    twist = f"{P} * ({L} + l / 2) * {radius} / (2 * sqrt(2) * h * l * (l ** 2 / 12 + ((h + t) / 2) ** 2))"
    shear = f"sqrt(({direct}) ** 2 + ({direct}) * ({twist}) * l / {radius} + ({twist}) ** 2)"
    buckling = f"{4.013 * E / L**2} * sqrt(t ** 2 * b ** 6 / 36) * (1 - t * {math.sqrt(E / (4 * G)) / (2 * L)!r})"
    problem = _problem(
        {"h": _range(0.125, 2), "l": _range(0.1, 10), "t": _range(0.1, 10), "b": _range(0.1, 2)},
        f"{shear} <= 13600", f"{6 * P * L} / (b * t ** 2) <= 30000", "h <= b", f"{buckling} >= {P}",
        f"{4 * P * L**3 / E!r} / (t ** 3 * b) <= 0.25",
    )  # fmt: skip

    def cost(x: Mapping[str, Any]) -> float:
        return float(-(1.10471 * x["h"] ** 2 * x["l"] + 0.04811 * x["t"] * x["b"] * (14 + x["l"])))

    return Own("welded_beam", problem, cost, -1.724852, -1.724852 * 1.15)


def pressure_vessel() -> Own:
    """Cheapest tank of a given volume: two thicknesses in sixteenths of an inch, radius and length."""
    problem = _problem(
        {
            "shell": {"type": "integer", "bounds": (1, 99)}, "head": {"type": "integer", "bounds": (1, 99)},
            "radius": _range(10, 200), "length": _range(10, 200),
        },
        "0.0625 * shell >= 0.0193 * radius", "0.0625 * head >= 0.00954 * radius",
        f"{math.pi!r} * radius ** 2 * length + {4 / 3 * math.pi!r} * radius ** 3 >= 1296000",
    )  # fmt: skip

    def cost(x: Mapping[str, Any]) -> float:
        s, h, r, length = 0.0625 * x["shell"], 0.0625 * x["head"], x["radius"], x["length"]
        return float(-(0.6224 * s * r * length + 1.7781 * h * r**2 + 3.1661 * s**2 * length + 19.84 * s**2 * r))

    return Own("pressure_vessel", problem, cost, -6059.714335, -6059.714335 * 1.05)


def speed_reducer() -> Own:
    """Lightest gear box: six numbers and the teeth of the pinion; eleven constraints."""
    problem = _problem(
        {
            "face": _range(2.6, 3.6), "module": _range(0.7, 0.8), "teeth": {"type": "integer", "bounds": (17, 28)},
            "l1": _range(7.3, 8.3), "l2": _range(7.3, 8.3), "d1": _range(2.9, 3.9), "d2": _range(5.0, 5.5),
        },
        "27 / (face * module ** 2 * teeth) <= 1", "397.5 / (face * module ** 2 * teeth ** 2) <= 1",
        "1.93 * l1 ** 3 / (module * teeth * d1 ** 4) <= 1", "1.93 * l2 ** 3 / (module * teeth * d2 ** 4) <= 1",
        "sqrt((745 * l1 / (module * teeth)) ** 2 + 16900000) / (110 * d1 ** 3) <= 1",
        "sqrt((745 * l2 / (module * teeth)) ** 2 + 157500000) / (85 * d2 ** 3) <= 1",
        "module * teeth <= 40", "5 * module <= face", "face <= 12 * module", "1.5 * d1 + 1.9 <= l1", "1.1 * d2 + 1.9 <= l2",
    )  # fmt: skip

    def weight(x: Mapping[str, Any]) -> float:
        b, m, z, l1, l2, d1, d2 = (float(x[n]) for n in ("face", "module", "teeth", "l1", "l2", "d1", "d2"))
        gears = 0.7854 * b * m**2 * (3.3333 * z**2 + 14.9334 * z - 43.0934) - 1.508 * b * (d1**2 + d2**2)
        return -(gears + 7.4777 * (d1**3 + d2**3) + 0.7854 * (l1 * d1**2 + l2 * d2**2))

    return Own("speed_reducer", problem, weight, -2994.471, -2994.471 * 1.01)


def tension_spring() -> Own:
    """Lightest spring: wire, coil and windings; deflection, shear, surge."""
    problem = _problem(
        {"wire": _range(0.05, 2), "coil": _range(0.25, 1.3), "turns": _range(2, 15)},
        "coil ** 3 * turns / (71785 * wire ** 4) >= 1",
        "(4 * coil ** 2 - wire * coil) / (12566 * (coil * wire ** 3 - wire ** 4)) + 1 / (5108 * wire ** 2) <= 1",
        "140.45 * wire / (coil ** 2 * turns) >= 1", "coil + wire <= 1.5",
    )  # fmt: skip

    def weight(x: Mapping[str, Any]) -> float:
        return float(-((x["turns"] + 2) * x["coil"] * x["wire"] ** 2))

    return Own("tension_spring", problem, weight, -0.012665, -0.012665 * 1.15)


def blend() -> Own:
    """A blend of at most three out of six parts that sum to one, with synergies between two pairs and a fourth part that spoils."""
    parts = [f"x{i}" for i in range(1, 7)]
    total, few = " + ".join(parts) + " == 1", f"count({', '.join(parts)}) <= 3"
    problem = _problem({name: _range(0, 1) for name in parts}, total, few, *(f"{x} >= 0.05 if {x} > 0" for x in parts))

    def strength(x: Mapping[str, Any]) -> float:
        pairs = 4 * x["x2"] * x["x5"] + 2 * x["x1"] * x["x3"]
        return float(pairs + 0.3 * x["x4"] - 2 * x["x6"] ** 2)

    # With x2 = x5 = p and x4 = 1 - 2p: 4p² + 0.3(1 - 2p) is largest at p = 1/2.
    return Own("blend", problem, strength, 1.0, 0.97, budget=30)


def flow() -> Own:
    """A reaction with a catalyst that needs a ligand and its amount only where it is a metal; hot water is not possible."""
    problem = _problem(
        {
            "catalyst": {"type": "categorical", "choices": ["none", "acid", "Pd", "Ni"]},
            "ligand": {"type": "categorical", "choices": ["L1", "L2", "L3"], "active_when": {"catalyst": ["Pd", "Ni"]}},
            "loading": {**_range(0.1, 10), "scale": "log", "active_when": {"catalyst": ["Pd", "Ni"]}},
            "solvent": {"type": "categorical", "choices": ["water", "DMF", "toluene"]},
            "temperature": _range(20, 160), "residence": {**_range(0.5, 60), "scale": "log"},
        },
        'temperature <= 95 if solvent == "water"', "temperature * residence <= 4000",
    )  # fmt: skip
    metals = {"none": 0.0, "acid": 0.25, "Pd": 0.55, "Ni": 0.5}
    ligands = {("Pd", "L2"): 0.25, ("Pd", "L1"): 0.05, ("Ni", "L3"): 0.2}

    def yield_(x: Mapping[str, Any]) -> float:
        found = metals[x["catalyst"]]
        if "ligand" in x:
            found += ligands.get((x["catalyst"], x["ligand"]), 0.0) - 0.1 * math.log10(x["loading"] / 2.0) ** 2
        found += {"water": 0.02, "DMF": 0.1, "toluene": 0.0}[x["solvent"]]
        return float(found - ((x["temperature"] - 110) / 120) ** 2 - 0.1 * math.log10(x["residence"] / 20.0) ** 2)

    return Own("flow", problem, yield_, 0.9, 0.87)


MADE: dict[str, Callable[[], Own]] = {
    made.__name__: made for made in (welded_beam, pressure_vessel, speed_reducer, tension_spring, blend, flow)
}
"""By name."""


def peer(own: Own, tool: str, seed: int, budget: int) -> int | None:
    """Return after how many experiments random choice, or plain BoTorch, reaches the target; None if it does not.

    Random choice is uniform among settings that meet the constraints. BoTorch is its default model and acquisition function; as it
    has no search for spaces with conditions, choices and limits on how many parts are used, it chooses from 4,096 random settings
    that meet the constraints, by `optimize_acqf_discrete`, after five of them; conditional parameters are encoded as ours are.
    """
    import numpy as np

    from controller.design.drawing import draw
    from controller.encoding.columns import Encoder

    encoder = Encoder.of(own.problem)
    rng = np.random.default_rng([seed, 77])
    z = np.zeros((0, encoder.space.p))
    values: list[float] = []
    for done in range(budget):
        if tool == "random" or done < 5:
            new = draw(encoder.space, 16, int(rng.integers(2**62)))[:1]
        else:
            new = _botorch(encoder, z, values, draw(encoder.space, 4096, int(rng.integers(2**62))), int(rng.integers(2**31)))
        z = np.vstack([z, new])
        values.append(own.true(encoder.space.point(new[0])))
        if values[-1] >= own.target - 1e-12:
            return done + 1
    return None


def _botorch(encoder: Any, z: Any, values: list[float], drawn: Any, seed: int) -> Any:
    import warnings

    import torch
    from botorch.acquisition import LogExpectedImprovement
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from botorch.optim import optimize_acqf_discrete
    from gpytorch.mlls import ExactMarginalLogLikelihood

    torch.manual_seed(seed)
    X, Y = encoder.columns(torch.from_numpy(z)), torch.tensor(values, dtype=torch.float64).unsqueeze(-1)
    choices = encoder.columns(torch.from_numpy(drawn))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = SingleTaskGP(X, Y)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        score = LogExpectedImprovement(model, best_f=Y.max())
        chosen, _ = optimize_acqf_discrete(score, q=1, choices=choices, max_batch_size=1024)
    return drawn[[int((choices - chosen).abs().sum(-1).argmin())]]
