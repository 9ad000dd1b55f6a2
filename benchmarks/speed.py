"""How long a proposal takes, in processor time on one core, against BoTorch's default model and search on the same data.

The function is Hartmann's in six dimensions (Picheny and others, A benchmark of kriging-based infill criteria, 2013), the
observations are scrambled Sobol points. What the proposals are worth is not measured here but by `python -m benchmarks tables`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

DIMENSIONS = 6
MOST_SHARE = 0.2
"""Of BoTorch's time."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m benchmarks speed`."""
    parser.add_argument("--observations", default="20,50,100,200", help="how many, separated by commas (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="proposals for each number, seeds 0 and up (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/speed.json"))


def _ours(X: Any, Y: Any, seed: int) -> None:
    from controller.domain.campaign import ProposalPolicy
    from controller.domain.objective import Objective
    from controller.domain.request import Observations, Observed, Request
    from controller.domain.space import Problem
    from controller.engine.thinking import propose

    names = [f"x{j}" for j in range(DIMENSIONS)]
    problem = Problem.model_validate(
        {
            "parameters": {name: {"type": "continuous", "bounds": (0.0, 1.0)} for name in names},
            "objectives": {"y": Objective(goal="maximize")},
        }
    )
    observed = [
        Observed(point=dict(zip(names, x, strict=True)), values={"y": y}) for x, (y,) in zip(X.tolist(), Y.tolist(), strict=True)
    ]
    request = Request(
        problem=problem, policy=ProposalPolicy(), observed=Observations.of(observed), pending=(), n=1, number=len(observed) + 1,
        seed=seed, device="cpu",
    )  # fmt: skip
    (proposal,) = propose(request)
    if proposal.source != "model":
        raise RuntimeError(f"expected a proposal of the model, got {proposal.source}: {proposal.note}")


def _botorch(X: Any, Y: Any, seed: int) -> None:
    import torch
    from botorch.acquisition import LogExpectedImprovement
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from botorch.optim import optimize_acqf
    from gpytorch.mlls import ExactMarginalLogLikelihood

    torch.manual_seed(seed)
    model = SingleTaskGP(X, Y)
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    bounds = torch.tensor([[0.0] * DIMENSIONS, [1.0] * DIMENSIONS], dtype=torch.float64)
    optimize_acqf(LogExpectedImprovement(model, Y.max()), bounds, q=1, num_restarts=10, raw_samples=512)


def _seconds(work: Callable[[], None]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def run(chosen: argparse.Namespace) -> int:
    """Measure, print the table, and return 0 when every share is small enough."""
    import torch
    from botorch.test_functions import Hartmann

    torch.set_num_threads(1)
    function = Hartmann(dim=DIMENSIONS, negate=True)
    rows: list[dict[str, Any]] = []
    print(f"{'observations':>12s} {'ours [s]':>10s} {'BoTorch [s]':>12s} {'share':>7s}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # BoTorch complains of what it was given; that is not measured here
        for n in [int(text) for text in chosen.observations.split(",")]:
            times: dict[str, list[float]] = {"ours": [], "botorch": []}
            for seed in range(-1, chosen.repeats):  # the first one loads libraries
                X = torch.quasirandom.SobolEngine(DIMENSIONS, scramble=True, seed=seed + 1).draw(n, dtype=torch.float64)
                Y = function(X).unsqueeze(-1)
                for name, propose in (("ours", _ours), ("botorch", _botorch)):
                    seconds = _seconds(lambda propose=propose, X=X, Y=Y, seed=seed: propose(X, Y, max(seed, 0)))
                    if seed >= 0:
                        times[name].append(seconds)
            ours, theirs = statistics.median(times["ours"]), statistics.median(times["botorch"])
            rows.append({"observations": n, "ours_s": ours, "botorch_s": theirs, "share": ours / theirs})
            print(f"{n:12d} {ours:10.3f} {theirs:12.3f} {ours / theirs:7.2f}", flush=True)
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    from benchmarks.tables import stamp

    chosen.output.write_text(json.dumps({**stamp(), "rows": rows, "seconds": times}, indent=1), encoding="utf-8")
    return 0 if all(row["share"] <= MOST_SHARE for row in rows) else 1
