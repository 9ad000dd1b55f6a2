"""Experiments to the target with hints and physical models, right ones and wrong ones.

A hint is right when it names the best setting a tenth of each range off, and wrong when it names the worst of a thousand settings;
both are held for fairly sure (confidence 0.8). A physical model is right when it has the form of the real one without what people
tend not to know (what mixes badly, decomposes, fouls), its parameters being fitted; it is wrong when it is turned upside down: it
expects the best where the worst is. A strange one has nothing to do with the real one, and many peaks. The target is 95 % of the
way from the median of the function to its maximum.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.fidelity import PAIRS, Function, target_of
from benchmarks.tables import RESULTS, campaign, mean_hits, parse_seeds, stamp

BUDGET = 40
MOST_LOSS = 1.3
"""What wrong beliefs may cost, in experiments needed without them (geometric mean)."""
_OFF = 0.1
_CONFIDENCE = 0.8


@dataclass(frozen=True)
class Case:
    """A function on the unit cube, maximised, and what is believed of it.

    Attributes:
        d: Number of parameters.
        real: The function.
        law: Text of a Python file with the functions `right`, `wrong` and `strange`, where there is a physical model.
        parameters: Of the model, with their bounds.
    """

    d: int
    real: Function
    law: str = ""
    parameters: tuple[tuple[str, float, float], ...] = ()


def _kinetics(u: np.ndarray) -> float:
    """Yield [%] of the middle product of A -> B -> C in a flow reactor, whose heater lags behind at short times and which fouls."""
    k1, k2 = math.exp(4.0 * u[0] - 3.0), math.exp(6.0 * u[0] - 5.5)
    t = 10.0 ** (2.0 * u[1] - 1.0)
    mixed = 1.0 - 0.3 * math.exp(-6.0 * u[2])
    middle = k1 / (k2 - k1) * (math.exp(-k1 * t) - math.exp(-k2 * t)) if abs(k2 - k1) > 1e-9 else k1 * t * math.exp(-k1 * t)
    return 100.0 * mixed * middle - 15.0 * max(0.0, u[0] - 0.7) - 20.0 * max(0.0, u[2] - 0.6) ** 2


_KINETICS = """
import numpy as np

def right(s, p):
    k1 = np.exp(p["e1"] * s["x0"] + p["a1"])
    k2 = np.exp(p["e2"] * s["x0"] + p["a2"]) + 1e-6
    k2 = np.where(np.abs(k2 - k1) < 1e-6, k1 + 1e-6, k2)
    t = 10.0 ** (2.0 * s["x1"] - 1.0)
    return 100.0 * k1 / (k2 - k1) * (np.exp(-k1 * t) - np.exp(-k2 * t))

def wrong(s, p):
    return -right(s, p)

def strange(s, p):
    return 50.0 * np.sin(9.0 * s["x0"] + 1.0) * np.cos(7.0 * s["x1"])
"""


def _adsorption(u: np.ndarray) -> float:
    """Uptake of a column: a Langmuir isotherm, less what high flow and heat take away."""
    return 100.0 * 8.0 * u[0] / (1.0 + 8.0 * u[0]) * math.exp(-1.5 * u[1]) - 60.0 * (u[2] - 0.3) ** 2 - 25.0 * u[0] ** 4


_ADSORPTION = """
import numpy as np

def right(s, p):
    return 100.0 * p["K"] * s["x0"] / (1.0 + p["K"] * s["x0"]) * np.exp(-p["h"] * s["x1"])

def wrong(s, p):
    return -right(s, p)

def strange(s, p):
    return 50.0 * np.sin(9.0 * s["x0"] + 1.0) * np.cos(7.0 * s["x1"])
"""

CASES = {
    "branin": Case(2, PAIRS["branin, 1:10"].real),
    "hartmann6": Case(6, PAIRS["hartmann6, 1:10"].real),
    "kinetics": Case(3, _kinetics, _KINETICS, (("a1", -5.0, 0.0), ("e1", 1.0, 8.0), ("a2", -8.0, -2.0), ("e2", 1.0, 10.0))),
    "adsorption": Case(3, _adsorption, _ADSORPTION, (("K", 1.0, 30.0), ("h", 0.1, 3.0))),
}
KINDS = ("without", "right hint", "wrong hint", "right physics", "wrong physics", "strange physics")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m benchmarks beliefs`."""
    parser.add_argument("--seeds", default="0-7", help="for example 0-7 or 3 (default: %(default)s)")
    parser.add_argument("--problems", help=f"names, separated by commas (default: {','.join(CASES)})")
    parser.add_argument("--kinds", help=f"what is believed, separated by commas (default: {','.join(KINDS)})")
    parser.add_argument("--smoke", action="store_true", help="one case, one seed, few experiments")
    parser.add_argument("--output", type=Path, help="where to write the results (default: benchmarks/results/)")


def extremes(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Return the best and the worst of a thousand settings of `case` (d each); the best is climbed from."""
    from scipy.optimize import minimize

    points = np.random.default_rng(7).random((1000, case.d))
    values = np.array([case.real(u) for u in points])
    starts = points[np.argsort(-values)[:5]]
    found = [minimize(lambda u: -case.real(np.clip(u, 0.0, 1.0)), u, method="Nelder-Mead") for u in starts]
    best = min(found, key=lambda f: float(f.fun)).x
    return np.clip(best, 0.0, 1.0), points[values.argmin()]


def knowledge_of(case: Case, kind: str, seed: int) -> Any:
    """Return what is believed of `case`; None for `without`."""
    from controller.domain.knowledge import Hint, Knowledge, PhysicalParameter, Physics

    if kind == "without":
        return None
    if kind.endswith("hint"):
        best, worst = extremes(case)
        off = _OFF * np.random.default_rng(seed).choice([-1.0, 1.0], case.d)
        near = np.clip(best + off, 0.0, 1.0) if kind == "right hint" else worst
        return Knowledge(hints=(Hint(near={f"x{j}": float(v) for j, v in enumerate(near)}, confidence=_CONFIDENCE),))
    parameters = {name: PhysicalParameter(bounds=(low, high)) for name, low, high in case.parameters}
    return Knowledge(physics=Physics(source=case.law, function=kind.split()[0], parameters=parameters, objective="y"))


def _source(name: str, case: Case, target: float) -> Any:
    return SimpleNamespace(
        name=name, q=1, noise=0.0, target=target, budget=BUDGET,
        true=lambda point: case.real(np.array([float(point[f"x{j}"]) for j in range(case.d)])),
    )  # fmt: skip


def _problem(case: Case, knowledge: Any) -> Any:
    from controller.domain.space import Problem

    parameters = {f"x{j}": {"type": "continuous", "bounds": (0.0, 1.0)} for j in range(case.d)}
    problem = Problem.model_validate({"parameters": parameters, "objectives": {"y": {"goal": "maximize"}}})
    return problem if knowledge is None else problem.model_copy(update={"knowledge": knowledge})


def run(chosen: argparse.Namespace) -> int:
    """Run the campaigns, print one table, write the results, and return 0 where wrong beliefs cost less than a third."""
    import torch

    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    names = chosen.problems.split(",") if chosen.problems else list(CASES)
    kinds = chosen.kinds.split(",") if chosen.kinds else list(KINDS)
    seeds, budget = parse_seeds(chosen.seeds), BUDGET
    if chosen.smoke:
        names, seeds, budget = ["adsorption"], seeds[:1], 7
    rows: list[dict[str, Any]] = []
    print(" ".join([f"{'problem':12s}", *(f"{kind:>16s}" for kind in kinds), "  reached"]))
    for name in names:
        case = CASES[name]
        source, row = _source(name, case, target_of(case)), {"problem": name, "campaigns": []}
        for kind in kinds:
            if kind.endswith("physics") and not case.law:
                continue
            problems = {seed: _problem(case, knowledge_of(case, kind, seed)) for seed in seeds}
            found = [campaign(source, seed, budget, problem=problems[seed]) | {"kind": kind} for seed in seeds]
            row[kind] = mean_hits([r["hit"] for r in found], budget)
            row["campaigns"] += found
        rows.append(row)
        print(_line(row, kinds), flush=True)
    ratios = {
        kind: statistics.geometric_mean(row[kind] / row["without"] for row in rows if kind in row)
        for kind in kinds
        if kind != "without" and "without" in kinds and any(kind in row for row in rows)
    }
    for kind, ratio in ratios.items():
        print(f"{kind} / without: {ratio:.2f}")
    output = chosen.output or RESULTS / f"beliefs-{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps({**stamp(), "seeds": seeds, "budget": budget, "rows": rows, "ratios": ratios}, indent=1))
    print(f"written to {output}")
    return 0 if all(ratio <= MOST_LOSS for kind, ratio in ratios.items() if kind.startswith(("wrong", "strange"))) else 1


def _line(row: dict[str, Any], kinds: list[str]) -> str:
    cells = [f"{row[kind]:16.1f}" if kind in row else f"{'–':>16s}" for kind in kinds]
    hits: dict[str, list[bool]] = {}
    for r in row["campaigns"]:
        hits.setdefault(r["kind"], []).append(r["hit"] is not None)
    reached = "/".join(str(sum(found)) for found in hits.values())
    return " ".join([f"{row['problem']:12s}", *cells, f"  {reached} of {len(next(iter(hits.values())))}"])
