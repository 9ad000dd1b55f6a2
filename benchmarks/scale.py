"""How the time of a proposal grows: with observations, parameters, the size of a batch, and members of the ensemble.

One axis at a time, from the same middle: 100 observations of Hartmann's function in six dimensions, one proposal, the members that
are the default. More parameters than six do nothing to the function, but the model does not know that. Processor time on one core.
The axis `wide` is that of the observations again, of a hundred parameters.
Of more observations than a model learns from, it gets those that the engine would give it.

The exponent is the slope of a straight line through the last points of an axis, both logarithmic: 1 is in proportion.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.tables import stamp

RESULTS = Path(__file__).resolve().parent / "results"
MIDDLE = {"observations": 100, "parameters": 6, "batch": 1, "members": 0}
"""Members: 0 stands for the default."""
AXES: dict[str, tuple[int, ...]] = {
    "observations": (20, 50, 100, 200, 500, 1000, 2000, 5000),
    "parameters": (2, 5, 10, 20, 50, 100),
    "batch": (1, 3, 10, 30, 100),
    "members": (1, 3, 10, 30, 100),
    "wide": (20, 50, 100, 200, 500, 1000, 5000),
}
SMOKE: dict[str, tuple[int, ...]] = {
    "observations": (10, 20), "parameters": (6, 8), "batch": (1, 2), "members": (1, 2), "wide": (6, 10),
}  # fmt: skip
MOST_EXPONENT = {"observations": 2.0, "parameters": 1.0, "batch": 1.2, "members": 1.2, "wide": 2.0}
TAIL = 3
"""Points through which the line is drawn."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m benchmarks scale`."""
    parser.add_argument("--axes", default=",".join(AXES), help="which to measure, separated by commas (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="of each point; the median counts (default: %(default)s)")
    parser.add_argument("--smoke", action="store_true", help="two small points on each axis, once")
    parser.add_argument("--output", type=Path, default=RESULTS / "scale.json")
    parser.add_argument("--picture", type=Path, help="also draw it: a PNG file (needs matplotlib)")


def at(axis: str, size: int) -> dict[str, int]:
    """Return what is measured at `size` on an axis."""
    return MIDDLE | ({"observations": size, "parameters": 100} if axis == "wide" else {axis: size})


def seconds_of(seed: int, observations: int, parameters: int, batch: int, members: int) -> float:
    """Return the processor time of one call that proposes `batch` points.

    Raises:
        RuntimeError: If a proposal is not the model's.
    """
    import torch
    from botorch.test_functions import Hartmann

    from controller.domain.campaign import ProposalPolicy
    from controller.domain.objective import Objective
    from controller.domain.request import Observations, Observed, Request
    from controller.domain.space import Problem
    from controller.engine.thinking import propose
    from controller.learn.selection import selected
    from surrogates.gp.recipes import FUNCTION
    from surrogates.specs import AutoSpec, GPSpec

    function, active = Hartmann(dim=6, negate=True), min(parameters, 6)
    X = torch.quasirandom.SobolEngine(parameters, scramble=True, seed=seed).draw(observations, dtype=torch.float64)
    filled = torch.full((observations, 6), 0.5, dtype=torch.float64)
    filled[:, :active] = X[:, :active]
    values = function(filled).tolist()
    names = [f"x{j}" for j in range(parameters)]
    problem = Problem.model_validate(
        {
            "parameters": {name: {"type": "continuous", "bounds": (0.0, 1.0)} for name in names},
            "objectives": {"y": Objective(goal="maximize")},
        }
    )
    best = max(range(observations), key=values.__getitem__)
    kept = selected(problem.objectives, {"y": values}, observations, [best])
    rows = X.tolist()
    observed = [Observed(point=dict(zip(names, rows[i], strict=True)), values={"y": values[i]}) for i in kept]
    repeated = (FUNCTION * math.ceil(members / len(FUNCTION)))[:members]
    request = Request(
        problem=problem,
        policy=ProposalPolicy(surrogate=GPSpec(members=repeated) if members else AutoSpec()),
        observed=Observations.of(observed),
        pending=(),
        n=batch,
        number=observations + 1,
        seed=seed,
        device="cpu",
        left_out=observations - len(kept),
    )
    begun = time.process_time()
    proposals = propose(request)
    taken = time.process_time() - begun
    for proposal in proposals:
        if proposal.source != "model":
            raise RuntimeError(f"expected a proposal of the model, got {proposal.source}: {proposal.note}")
    if len(proposals) != batch:
        raise RuntimeError(f"expected {batch} proposals, got {len(proposals)}")
    return taken


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the line through (size, seconds), both logarithmic, least squares."""
    x, y = [math.log(a) for a, _ in points], [math.log(b) for _, b in points]
    return statistics.linear_regression(x, y).slope


def run(chosen: argparse.Namespace) -> int:
    """Measure, print the table, and return 0 when nothing grows faster than stated."""
    import torch

    from surrogates.memory import keep_freed_memory

    unknown = [name for name in chosen.axes.split(",") if name not in AXES]
    if unknown:
        print(f"--axes: {', '.join(unknown)}: expected some of {', '.join(AXES)}", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    keep_freed_memory()
    repeats = 1 if chosen.smoke else chosen.repeats
    found: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seconds_of(0, **MIDDLE)  # the first one loads libraries
        for axis in chosen.axes.split(","):
            sizes = (SMOKE if chosen.smoke else AXES)[axis]
            times = [[seconds_of(seed, **at(axis, size)) for seed in range(repeats)] for size in sizes]
            medians = [statistics.median(row) for row in times]
            slope = exponent(list(zip(sizes, medians, strict=True))[-TAIL:])
            found[axis] = {"sizes": sizes, "seconds": times, "medians": medians, "exponent": slope, "most": MOST_EXPONENT[axis]}
            print(f"{axis:>14s} " + " ".join(f"{size:>8d}" for size in sizes))
            print(f"{'seconds':>14s} " + " ".join(f"{value:8.3f}" for value in medians), end="")
            print(f"   exponent {slope:.2f} (at most {MOST_EXPONENT[axis]:g})", flush=True)
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps({**stamp(), "middle": MIDDLE, "axes": found}, indent=1), encoding="utf-8")
    print(f"written to {chosen.output}")
    if chosen.picture is not None:
        print(f"written to {draw(found, chosen.picture)}")
    return 0 if all(entry["exponent"] <= entry["most"] for entry in found.values()) else 1


def draw(found: dict[str, Any], path: Path) -> Path:
    """Draw one panel for each axis into a PNG file.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    from controller.figures.draw_matplotlib import SHADES

    FRONT, GREY, INK = SHADES["green"], SHADES["grey"], SHADES["ink"]
    from controller.errors import MissingExtraError

    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", "plot", "the picture") from None
    figure = Figure(figsize=(3.4 * len(found), 3.2), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(found), squeeze=False)[0]
    for axes, (name, entry) in zip(panels, found.items(), strict=True):
        axes.loglog(entry["sizes"], entry["medians"], "o-", color=FRONT)
        tail = entry["sizes"][-TAIL:]
        line = [entry["medians"][-1] * (size / tail[-1]) ** entry["most"] for size in tail]
        axes.loglog(tail, line, "--", color=GREY)
        axes.set_xlabel(name, color=INK)
        axes.set_title(f"exponent {entry['exponent']:.2f} (at most {entry['most']:g})", color=INK, fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("processor time of a proposal [s]", color=INK)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png")
    return path
