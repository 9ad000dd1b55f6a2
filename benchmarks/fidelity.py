"""Cost until the target is reached with a cheap fidelity beside the real one, against the default with the real one alone.

The pairs: Branin's function beside itself, moved by a twentieth, flatter and with a trend; Park's function and Currin's, with the
low fidelities of Xiong, Qian, Wu (Sequential design and analysis of high-accuracy and low-accuracy computer codes, 2013); and
Hartmann's function in six dimensions with other weights of its peaks, as Kandasamy, Dasarathy, Oliva, Schneider, Póczos vary
them (Gaussian process bandit optimisation with multi-fidelity evaluations, 2016), here farther off. `useless` is Branin's function
with a low fidelity that has nothing to do with it. The target is 95 % of the way from the median of the function to its maximum.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tables import RESULTS, parse_seeds, stamp

BUDGET = 40.0
"""Cost of a campaign, in experiments at the target; one that does not reach the target counts one and a half times as much."""
MISS = 1.5
SHARE = 0.95

Function = Callable[[np.ndarray], float]


@dataclass(frozen=True)
class Pair:
    """A function on the unit cube and a cheaper one that resembles it; both are maximised."""

    d: int
    real: Function
    cheap: Function
    ratio: float
    """What the real one costs, in experiments with the cheap one."""


def _branin(u: np.ndarray) -> float:
    x, y = 15.0 * u[0] - 5.0, 15.0 * u[1]
    b, c, t = 5.1 / (4 * math.pi**2), 5 / math.pi, 1 / (8 * math.pi)
    return float(-((y - b * x**2 + c * x - 6) ** 2 + 10 * (1 - t) * math.cos(x) + 10))


def _branin_cheap(u: np.ndarray) -> float:
    return 0.8 * _branin(u + np.array([0.05, -0.05])) - 20.0 * (float(u[0]) - 0.5)


def _useless(u: np.ndarray) -> float:
    return 50.0 * math.sin(37.0 * u[0]) + 40.0 * math.cos(23.0 * u[1])


def _currin(u: np.ndarray) -> float:
    x, y = float(u[0]), float(u[1])
    factor = 1.0 - math.exp(-1.0 / (2.0 * y)) if y > 0 else 1.0
    return factor * (2300 * x**3 + 1900 * x**2 + 2092 * x + 60) / (100 * x**3 + 500 * x**2 + 4 * x + 20)


def _currin_cheap(u: np.ndarray) -> float:
    x, y = float(u[0]), float(u[1])
    corners = [(x + 0.05, y + 0.05), (x + 0.05, max(0.0, y - 0.05)), (x - 0.05, y + 0.05), (x - 0.05, max(0.0, y - 0.05))]
    return statistics.fmean(_currin(np.array(corner)) for corner in corners)


def _park(u: np.ndarray) -> float:
    a, b, c, d = (max(float(v), 1e-6) for v in u)
    return a / 2 * (math.sqrt(1 + (b + c**2) * d / a**2) - 1) + (a + 3 * d) * math.exp(1 + math.sin(c))


def _park_cheap(u: np.ndarray) -> float:
    return (1 + math.sin(u[0]) / 10) * _park(u) - 2 * float(u[0]) + float(u[1]) ** 2 + float(u[2]) ** 2 + 0.5


def _hartmann(u: np.ndarray, alpha: tuple[float, ...] = (1.0, 1.2, 3.0, 3.2)) -> float:
    A = np.array([[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]])
    P = 1e-4 * np.array(
        [
            [1312, 1696, 5569, 124, 8283, 5886],
            [2329, 4135, 8307, 3736, 1004, 9991],
            [2348, 1451, 3522, 2883, 3047, 6650],
            [4047, 8828, 8732, 5743, 1091, 381],
        ]
    )
    return float((np.array(alpha) * np.exp(-(A * (u - P) ** 2).sum(1))).sum())


def _hartmann_cheap(u: np.ndarray) -> float:
    return _hartmann(u, (0.7, 1.5, 2.7, 3.5))


PAIRS = {
    "branin, 1:10": Pair(2, _branin, _branin_cheap, 10.0),
    "currin, 1:10": Pair(2, _currin, _currin_cheap, 10.0),
    "park, 1:10": Pair(4, _park, _park_cheap, 10.0),
    "hartmann6, 1:10": Pair(6, _hartmann, _hartmann_cheap, 10.0),
    "hartmann6, 1:3": Pair(6, _hartmann, _hartmann_cheap, 3.0),
    "useless, 1:10": Pair(2, _branin, _useless, 10.0),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m benchmarks fidelity`."""
    parser.add_argument("--seeds", default="0-7", help="for example 0-7 or 3 (default: %(default)s)")
    parser.add_argument("--problems", help="names, separated by semicolons (default: all)")
    parser.add_argument("--smoke", action="store_true", help="one pair, one seed, a small budget")
    parser.add_argument("--output", type=Path, help="where to write the results (default: benchmarks/results/)")


def target_of(pair: Pair) -> float:
    """Return the value that counts as found: 95 % of the way from the median to the best of many points, refined."""
    from scipy.optimize import minimize

    rng = np.random.default_rng(12345)
    points = rng.random((4000, pair.d))
    values = np.array([pair.real(u) for u in points])
    best = values.max()
    for start in points[np.argsort(-values)[:5]]:
        found = minimize(lambda u: -pair.real(np.clip(u, 0, 1)), start, method="Nelder-Mead", options={"maxiter": 400})
        best = max(best, -float(found.fun))
    middle = float(np.median(values))
    return middle + SHARE * (best - middle)


def campaign(pair: Pair, target: float, seed: int, budget: float, *, several: bool) -> dict[str, Any]:
    """Run one campaign until the target is reached or the budget (in experiments at the target) is spent."""
    from controller.domain.campaign import ProposalPolicy
    from controller.domain.fidelity import FIDELITY, Fidelity
    from controller.domain.request import Observations, Observed, Request
    from controller.domain.space import Problem
    from controller.engine.thinking import propose

    content: dict[str, Any] = {
        "parameters": {f"x{j}": {"type": "continuous", "bounds": (0.0, 1.0)} for j in range(pair.d)},
        "objectives": {"y": {"goal": "maximize"}},
    }
    levels = Fidelity.model_validate({"levels": {"cheap": {"cost": 1.0}, "real": {"cost": pair.ratio}}, "target": "real"})
    if several:
        content["parameters"][FIDELITY] = levels.parameter.model_dump()
        content["fidelity"] = levels
    problem = Problem.model_validate(content)
    observed: list[Observed] = []
    cost, counts, stand_ins = 0.0, {"cheap": 0, "real": 0}, 0
    while cost < budget - 1e-9:
        request = Request(
            problem=problem, policy=ProposalPolicy(), observed=Observations.of(observed), pending=(), n=1,
            number=len(observed) + 1, seed=seed, device="cpu",
        )  # fmt: skip
        (proposal,) = propose(request)
        stand_ins += proposal.source == "stand-in"
        u = np.array([float(proposal.point[f"x{j}"]) for j in range(pair.d)])
        level = str(proposal.point.get(FIDELITY, "real"))
        value = pair.real(u) if level == "real" else pair.cheap(u)
        observed.append(Observed(point=proposal.point, values={"y": value}))
        counts[level] += 1
        cost += 1.0 if level == "real" else 1.0 / pair.ratio
        if level == "real" and value >= target:
            return {"seed": seed, "cost": cost, **counts, "stand_ins": stand_ins}
    return {"seed": seed, "cost": None, **counts, "stand_ins": stand_ins}


def run(chosen: argparse.Namespace) -> int:
    """Run the campaigns, print one table, write the results, and return 0."""
    import torch

    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    names = [name.strip() for name in chosen.problems.split(";")] if chosen.problems else list(PAIRS)
    seeds, budget = parse_seeds(chosen.seeds), BUDGET
    if chosen.smoke:
        names, seeds, budget = names[:1], seeds[:1], 4.0
    rows = []
    print(f"{'pair':18s} {'one level':>10s} {'with cheap':>11s} {'ratio':>6s}  reached   experiments, cheap and real")
    for name in names:
        pair = PAIRS[name]
        target = target_of(pair)
        found = {
            kind: [campaign(pair, target, seed, budget, several=kind == "several") for seed in seeds] for kind in ("one", "several")
        }
        missed = MISS * budget
        means = {kind: statistics.fmean(missed if r["cost"] is None else r["cost"] for r in rs) for kind, rs in found.items()}
        reached = {kind: sum(r["cost"] is not None for r in rs) for kind, rs in found.items()}
        counts = [statistics.fmean(r[level] for r in found["several"]) for level in ("cheap", "real")]
        ratio = means["several"] / means["one"]
        rows.append({"pair": name, "target": target, **means, "ratio": ratio, "reached": reached, "campaigns": found})
        print(
            f"{name:18s} {means['one']:10.1f} {means['several']:11.1f} {ratio:6.2f}  {reached['one']}/{reached['several']} of"
            f" {len(seeds)}   {counts[0]:.1f} and {counts[1]:.1f}",
            flush=True,
        )
    useful = [row["ratio"] for row in rows if not row["pair"].startswith("useless")]
    if useful:
        print(f"geometric mean of the ratios where the cheap one is of use: {statistics.geometric_mean(useful):.2f}")
    output = chosen.output or RESULTS / f"fidelity-{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps({**stamp(), "seeds": seeds, "budget": budget, "rows": rows}, indent=1), encoding="utf-8")
    print(f"written to {output}")
    return 0
