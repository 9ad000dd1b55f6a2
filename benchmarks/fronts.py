"""How much hypervolume is reached, against random points and BoTorch's own expected hypervolume improvement.

Test problems with published reference points, as BoTorch has them: Branin-Currin (Belakaria and others 2019), ZDT1 (Zitzler and
others 2000), DTLZ2 (Deb and others 2005), and Branin-Currin with an outcome constraint (Daulton and others 2020). All objectives
are minimised. Only acceptable results count. Shares are of the greatest hypervolume known. Ours and BoTorch are told the reference
point, ours as the greatest values that are acceptable (`at_most`).
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.tables import RESULTS, parse_seeds, stamp

BUDGET = 30
METHODS = ("ours", "botorch", "random")
_RAW, _RESTARTS, _SAMPLES = 256, 8, 128


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m benchmarks fronts`."""
    parser.add_argument("--seeds", default="0-3", help="for example 0-7 or 3 (default: %(default)s)")
    parser.add_argument("--problems", default=",".join(problems()), help="names, separated by commas (default: all)")
    parser.add_argument("--methods", default=",".join(METHODS), help="of them (default: %(default)s)")
    parser.add_argument("--budget", type=int, default=BUDGET, help="experiments per campaign (default: %(default)s)")
    parser.add_argument("--smoke", action="store_true", help="one problem, one seed, eight experiments")
    parser.add_argument("--output", type=Path, help="where to write the results (default: benchmarks/results/)")


def problems() -> dict[str, Callable[[], Any]]:
    """Return the problems: name -> what makes it."""

    def made(name: str, **arguments: Any) -> Callable[[], Any]:
        def make() -> Any:
            from botorch.test_functions import multi_objective

            return getattr(multi_objective, name)(**arguments).double()

        return make

    return {
        "branin_currin": made("BraninCurrin"),
        "zdt1": made("ZDT1", dim=4),
        "dtlz2": made("DTLZ2", dim=4),
        "branin_currin_constrained": made("ConstrainedBraninCurrin"),
    }


def evaluated(source: Any, x: Any) -> tuple[list[float], list[float]]:
    """Return objectives (less is better) and slacks of the constraints (at least zero is acceptable) at `x` (d, within 0 to 1)."""
    low, high = source.bounds
    at = (low + (high - low) * x).unsqueeze(0)
    slack = source.evaluate_slack(at)[0].tolist() if hasattr(source, "evaluate_slack") else []
    return source(at)[0].tolist(), slack


def hypervolume(source: Any, objectives: list[list[float]], slacks: list[list[float]]) -> float:
    """Return the share of the greatest known hypervolume that acceptable results dominate."""
    import torch
    from botorch.utils.multi_objective.hypervolume import Hypervolume
    from botorch.utils.multi_objective.pareto import is_non_dominated

    fine = [o for o, s in zip(objectives, slacks, strict=True) if all(v >= 0 for v in s)]
    if not fine:
        return 0.0
    Y, reference = -torch.tensor(fine, dtype=torch.float64), -source.ref_point.double()
    return float(Hypervolume(reference).compute(Y[is_non_dominated(Y)])) / float(source.max_hv)


def _ours(source: Any, xs: Any, objectives: list[list[float]], slacks: list[list[float]], seed: int) -> Any:
    import torch

    from controller.domain.campaign import ProposalPolicy
    from controller.domain.request import Observations, Observed, Request
    from controller.domain.space import Problem
    from controller.engine.thinking import propose

    names = [f"x{j}" for j in range(source.dim)]
    wanted: dict[str, Any] = {f"y{j}": {"goal": "minimize", "at_most": float(r)} for j, r in enumerate(source.ref_point)}
    wanted |= {f"c{j}": {"goal": "constrain", "at_least": 0.0} for j in range(getattr(source, "num_constraints", 0))}
    problem = Problem.model_validate(
        {"parameters": {n: {"type": "continuous", "bounds": (0.0, 1.0)} for n in names}, "objectives": wanted}
    )
    observed = [
        Observed(point=dict(zip(names, x.tolist(), strict=True)), values=dict(zip(wanted, [*o, *s], strict=True)))
        for x, o, s in zip(xs, objectives, slacks, strict=True)
    ]
    request = Request(
        problem=problem, policy=ProposalPolicy(), observed=Observations.of(observed), pending=(), n=1, number=len(observed) + 1,
        seed=seed, device="cpu",
    )  # fmt: skip
    (proposal,) = propose(request)
    return torch.tensor([float(proposal.point[name]) for name in names], dtype=torch.float64)


def _botorch(source: Any, xs: Any, objectives: list[list[float]], slacks: list[list[float]], seed: int) -> Any:
    """Plain BoTorch: its default process for each outcome, qLogEHVI with the published reference point, 2 (d + 1) first points."""
    import torch
    from botorch.acquisition.multi_objective.logei import qLogExpectedHypervolumeImprovement
    from botorch.acquisition.multi_objective.objective import IdentityMCMultiOutputObjective
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import ModelListGP, SingleTaskGP
    from botorch.optim import optimize_acqf
    from botorch.sampling.normal import SobolQMCNormalSampler
    from botorch.utils.multi_objective.box_decompositions.non_dominated import FastNondominatedPartitioning
    from gpytorch.mlls import SumMarginalLogLikelihood

    if len(xs) < 2 * (source.dim + 1):
        return _random(source, xs, objectives, slacks, seed)
    torch.manual_seed(1000 * seed + len(xs))
    X, Y, C = torch.stack(xs), -torch.tensor(objectives, dtype=torch.float64), torch.tensor(slacks, dtype=torch.float64)
    outcomes = torch.cat([Y, C.reshape(len(X), -1)], 1)
    model = ModelListGP(*(SingleTaskGP(X, outcomes[:, [j]]) for j in range(outcomes.shape[1])))
    fit_gpytorch_mll(SumMarginalLogLikelihood(model.likelihood, model))
    m, reference = Y.shape[1], -source.ref_point.double()
    fine = (outcomes[:, m:] >= 0).all(1)
    bounds = torch.tensor([[0.0] * source.dim, [1.0] * source.dim], dtype=torch.float64)
    function = qLogExpectedHypervolumeImprovement(
        model, reference, FastNondominatedPartitioning(reference, Y=Y[fine]),
        sampler=SobolQMCNormalSampler(torch.Size([_SAMPLES]), seed=seed),
        objective=IdentityMCMultiOutputObjective(outcomes=list(range(m))),
        constraints=[lambda Z, j=j: -Z[..., j] for j in range(m, outcomes.shape[1])] or None,
    )  # fmt: skip
    found, _ = optimize_acqf(function, bounds, q=1, num_restarts=_RESTARTS, raw_samples=_RAW)
    return found[0].detach()


def _random(source: Any, xs: Any, objectives: list[list[float]], slacks: list[list[float]], seed: int) -> Any:
    import torch

    return torch.quasirandom.SobolEngine(source.dim, scramble=True, seed=seed).draw(len(xs) + 1, dtype=torch.float64)[-1]


_METHODS: dict[str, Callable[..., Any]] = {"ours": _ours, "botorch": _botorch, "random": _random}


def campaign(name: str, method: str, seed: int, budget: int) -> dict[str, Any]:
    """Run one campaign; returns the share of the hypervolume after each experiment, and processor seconds per proposal."""
    source = problems()[name]()
    xs: list[Any] = []
    objectives: list[list[float]] = []
    slacks: list[list[float]] = []
    shares: list[float] = []
    begin = time.process_time()
    for _ in range(budget):
        xs.append(_METHODS[method](source, xs, objectives, slacks, seed))
        found, slack = evaluated(source, xs[-1])
        objectives.append(found)
        slacks.append(slack)
        shares.append(hypervolume(source, objectives, slacks))
    seconds = (time.process_time() - begin) / budget
    return {"problem": name, "method": method, "seed": seed, "shares": shares, "seconds": seconds}


def run(chosen: argparse.Namespace) -> int:
    """Run the campaigns, print one table, write the results, and return the exit status: 1 where random points do as well."""
    import torch

    from controller.design import acquisition  # keeps BoTorch from compiling a kernel at its first use

    torch.set_num_threads(1)
    names, methods, seeds = chosen.problems.split(","), chosen.methods.split(","), parse_seeds(chosen.seeds)
    if chosen.smoke:
        names, seeds, chosen.budget = names[:1], seeds[:1], 8
    found = [campaign(name, method, seed, chosen.budget) for name in names for method in methods for seed in seeds]
    rows = [summary(name, [f for f in found if f["problem"] == name], methods, chosen.budget) for name in names]
    print(render(rows, methods, chosen.budget))
    output = chosen.output or RESULTS / f"fronts-{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    content = {**stamp(), "acquisition": acquisition.__name__, "seeds": seeds, "rows": rows, "campaigns": found}
    output.write_text(json.dumps(content, indent=1))
    print(f"written to {output}")
    worse = [row["problem"] for row in rows if not row["better"]]
    return 1 if worse and not chosen.smoke else 0


def summary(name: str, found: list[dict[str, Any]], methods: list[str], budget: int) -> dict[str, Any]:
    """Return one row: per method the mean share of hypervolume at half the budget and at its end, and seconds per proposal."""
    row: dict[str, Any] = {"problem": name}
    for method in methods:
        mine = [f for f in found if f["method"] == method]
        row[method] = {
            "half": statistics.fmean(f["shares"][budget // 2 - 1] for f in mine),
            "end": statistics.fmean(f["shares"][-1] for f in mine),
            "least": min(f["shares"][-1] for f in mine),
            "seconds": statistics.fmean(f["seconds"] for f in mine),
        }
    ours, chance = row.get("ours"), row.get("random")
    row["better"] = ours is None or chance is None or ours["end"] > chance["end"]
    return row


def render(rows: list[dict[str, Any]], methods: list[str], budget: int) -> str:
    """Return the table as text."""
    heads = " ".join(f"{m + ' ' + what:>16s}" for m in methods for what in (f"after {budget // 2}", f"{budget}", "least", "s"))
    lines = [f"{'share of the hypervolume':28s} {heads}"]
    for row in rows:
        cells = [f"{row[m][key]:16.3f}" for m in methods for key in ("half", "end", "least", "seconds")]
        lines.append(f"{row['problem']:28s} {' '.join(cells)}")
    worse = [row["problem"] for row in rows if not row["better"]]
    lines.append(f"not better than random: {', '.join(worse) or 'none'}")
    return "\n".join(lines)
