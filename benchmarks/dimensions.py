"""Twenty to a hundred parameters: how much of the way to the best is left, against random, Sobol's points and BoTorch.

Of each campaign, what is missing from its best value to the best possible one; the table tells it as a share of what random choice
is missing with the same budget and seed: the geometric mean over the seeds, smaller being better. BoTorch is its default model
with the noisy expected improvement that it recommends (`qLogNEI`), from five Sobol points on, and searched from as many starts as
ours: with its own ten restarts from 512 points a campaign takes minutes longer.

Campaigns are dear: `--resume` takes those that the output has already, whatever the commit that they were run with.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import wide
from benchmarks.tables import parse_seeds, stamp

RESULTS = Path(__file__).resolve().parent / "results"
FIRST = 5
CHANCE = "random"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m benchmarks dimensions`."""
    parser.add_argument("--functions", default=",".join(wide.MADE), help="separated by commas (default: %(default)s)")
    parser.add_argument("--dimensions", default="20,50,100", help="numbers of parameters (default: %(default)s)")
    parser.add_argument("--methods", default=",".join(METHODS), help="which to compare (default: %(default)s)")
    parser.add_argument("--seeds", default="0-3", help="for example 0-7 or 3 (default: %(default)s)")
    parser.add_argument("--budget", type=int, default=100, help="experiments per campaign (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=1, help="experiments at a time (default: %(default)s)")
    parser.add_argument("--resume", action="store_true", help="take the campaigns that the output has already")
    parser.add_argument("--smoke", action="store_true", help="two functions of twelve parameters, one seed, eight experiments")
    parser.add_argument("--output", type=Path, default=RESULTS / "dimensions.json")


Method = Callable[[wide.Wide, int, int, int], list[float]]
"""From a function, a seed, a budget and a batch to the values measured, in order."""


def _random(function: wide.Wide, seed: int, budget: int, batch: int) -> list[float]:
    import numpy as np

    return [function.true(u) for u in np.random.default_rng([seed, function.d, 1]).random((budget, function.d))]


def _sobol(function: wide.Wide, seed: int, budget: int, batch: int) -> list[float]:
    from controller.design.sampling import sobol

    return [function.true(u) for u in sobol(function.d, budget, seed)]


def _botorch(function: wide.Wide, seed: int, budget: int, batch: int) -> list[float]:
    import numpy as np
    import torch
    from botorch.acquisition.logei import qLogNoisyExpectedImprovement
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from botorch.optim.optimize import optimize_acqf
    from botorch.sampling.normal import SobolQMCNormalSampler
    from gpytorch.mlls import ExactMarginalLogLikelihood

    from controller.design.sampling import sobol

    bounds = torch.tensor([[0.0] * function.d, [1.0] * function.d], dtype=torch.float64)
    X = sobol(function.d, FIRST, seed)
    values = [function.true(u) for u in X]
    while len(values) < budget:
        torch.manual_seed(1000 * seed + len(values))
        q = min(batch, budget - len(values))
        at, found = torch.from_numpy(X), torch.tensor(values, dtype=torch.float64).unsqueeze(-1)
        model = SingleTaskGP(at, found)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        score = qLogNoisyExpectedImprovement(
            model, at, sampler=SobolQMCNormalSampler(torch.Size([128]), seed=seed), prune_baseline=True
        )
        chosen, _ = optimize_acqf(score, bounds, q=q, num_restarts=4, raw_samples=256, sequential=True)
        X = np.vstack([X, chosen.numpy()])
        values += [function.true(u) for u in chosen.numpy()]
    return values


def _ours(function: wide.Wide, seed: int, budget: int, batch: int) -> list[float]:
    import numpy as np

    from controller.domain.campaign import ProposalPolicy
    from controller.domain.request import Observations, Observed, Request
    from controller.domain.space import Problem
    from controller.engine.thinking import propose

    names = [f"x{j}" for j in range(function.d)]
    problem = Problem.model_validate(
        {
            "parameters": {name: {"type": "continuous", "bounds": (0.0, 1.0)} for name in names},
            "objectives": {"y": {"goal": "maximize"}},
        }
    )
    observed: list[Observed] = []
    values: list[float] = []
    while len(values) < budget:
        request = Request(
            problem=problem, policy=ProposalPolicy(), observed=Observations.of(observed), pending=(),
            n=min(batch, budget - len(values)), number=len(values) + 1, seed=seed, device="cpu",
        )  # fmt: skip
        for proposal in propose(request):
            if proposal.source == "stand-in":
                raise RuntimeError(f"expected a proposal of the model, got {proposal.source}: {proposal.note}")
            values.append(function.true(np.array([proposal.point[name] for name in names], dtype=np.float64)))
            observed.append(Observed(point=proposal.point, values={"y": values[-1]}))
    return values


METHODS: dict[str, Method] = {CHANCE: _random, "sobol": _sobol, "botorch": _botorch, "ours": _ours}


def campaign(name: str, d: int, method: str, seed: int, budget: int, batch: int) -> dict[str, Any]:
    """Run one campaign and return its values, what is missing to the best, and the processor time that it took."""
    function = wide.MADE[name](d, seed)
    begun = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = METHODS[method](function, seed, budget, batch)
    seconds = time.process_time() - begun
    key = {"function": name, "d": d, "method": method, "seed": seed, "budget": budget, "batch": batch}
    return {**key, "values": values, "missing": function.best - max(values), "seconds": seconds / budget}


def _campaigns(jobs: Sequence[tuple[str, int, str, int, int, int]], output: Path, resume: bool) -> Iterator[dict[str, Any]]:
    """Yield the campaigns of `jobs`; those that `output` has are not run again if `resume` says so."""
    kept: dict[tuple[Any, ...], dict[str, Any]] = {}
    if resume and output.is_file():
        found = json.loads(output.read_text(encoding="utf-8"))["campaigns"]
        kept = {tuple(c[name] for name in ("function", "d", "method", "seed", "budget", "batch")): c for c in found}
    commit = stamp()["commit"]
    for job in jobs:
        if job in kept:
            yield kept[job]
            continue
        result = campaign(*job) | {"commit": commit}
        print(
            f"  {job[0]} {job[1]} {job[2]} seed {job[3]}: {result['missing']:.4g} missing, {result['seconds']:.2f} s each",
            file=sys.stderr, flush=True,
        )  # fmt: skip
        yield result


def summary(campaigns: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one row for each function and number of parameters: by method, what is missing as a share of what random is missing.

    Shares are geometric means over the seeds that both have; `spread` is the standard error of their logarithm.
    """
    rows = []
    for function, d in dict.fromkeys((c["function"], c["d"]) for c in campaigns):
        mine = [c for c in campaigns if (c["function"], c["d"]) == (function, d)]
        chance = {c["seed"]: c["missing"] for c in mine if c["method"] == CHANCE}
        row: dict[str, Any] = {"function": function, "d": d, "shares": {}, "spread": {}, "seconds": {}}
        for method in dict.fromkeys(c["method"] for c in mine):
            runs = [c for c in mine if c["method"] == method]
            logs = [math.log(max(c["missing"], 1e-12) / chance[c["seed"]]) for c in runs if c["seed"] in chance]
            if logs:
                row["shares"][method] = math.exp(statistics.fmean(logs))
                row["spread"][method] = statistics.stdev(logs) / math.sqrt(len(logs)) if len(logs) > 1 else None
            row["seconds"][method] = statistics.fmean(c["seconds"] for c in runs)
        rows.append(row)
    return rows


def render(rows: Sequence[dict[str, Any]], methods: Sequence[str]) -> str:
    """Return the table as text, with the geometric means over its rows."""
    lines = [" ".join([f"{'function':>16s} {'d':>4s}", *(f"{method:>10s} {'s each':>7s}" for method in methods)])]
    for row in rows:
        cells = [f"{_cell(row['shares'].get(method), 10)} {_cell(row['seconds'].get(method), 7)}" for method in methods]
        lines.append(" ".join([f"{row['function']:>16s} {row['d']:4d}", *cells]))
    whole = [row for row in rows if all(method in row["shares"] for method in methods)]
    if whole:
        means = [f"{statistics.geometric_mean(row['shares'][m] for row in whole):10.3f} {'':>7s}" for m in methods]
        lines.append(" ".join([f"{'geometric mean':>16s} {'':>4s}", *means]).rstrip())
    return "\n".join(lines)


def _cell(value: float | None, width: int) -> str:
    return f"{'–':>{width}s}" if value is None else f"{value:{width}.3f}"


def run(chosen: argparse.Namespace) -> int:
    """Run the campaigns, print the table, write them, and return the exit status."""
    import torch

    from surrogates.memory import keep_freed_memory

    functions, methods = chosen.functions.split(","), chosen.methods.split(",")
    for option, names, known in (("--functions", functions, wide.MADE), ("--methods", methods, METHODS)):
        if unknown := [name for name in names if name not in known]:
            print(f"{option}: {', '.join(unknown)}: expected some of {', '.join(known)}", file=sys.stderr)
            return 2
    if CHANCE not in methods:
        methods = [CHANCE, *methods]
    sizes, seeds = [int(text) for text in chosen.dimensions.split(",")], parse_seeds(chosen.seeds)
    if chosen.smoke:
        functions, sizes, seeds, chosen.budget = functions[-2:], [12], seeds[:1], 8
    torch.set_num_threads(1)
    keep_freed_memory()
    jobs = [
        (function, d, method, seed, chosen.budget, chosen.batch)
        for d in sizes for function in functions for seed in seeds for method in methods
    ]  # fmt: skip
    found = list(_campaigns(jobs, chosen.output, chosen.resume))
    rows = summary(found)
    print(render(rows, methods))
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps({**stamp(), "seeds": seeds, "rows": rows, "campaigns": found}, indent=1), encoding="utf-8")
    print(f"written to {chosen.output}")
    return 0
