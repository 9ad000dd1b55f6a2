"""Does the forecast hold the outcome? Campaigns over measured tables and standard functions, asked at 10, 15 and 25 results.

At each of these, `campaign forecast` tells what 5, 10 and 20 further experiments will bring: a median and an 80 % interval of the
best value. The campaign goes on, and it is counted how often its best lies inside. *Above* and *below* say on which side it lies
otherwise; *open* is the share of forecasts whose interval is more than a point, for where nothing better is left to be
found a forecast is easily right.

The tables are those of `python -m benchmarks tables`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.tables import RESULTS, _cached, chosen_problems, parse_seeds, shared_folder, stamp, to_problem

ASKED_AT = (10, 15, 25)
AHEAD = (5, 10, 20)
BAR = (0.70, 0.90)
"""How often the 80 % interval should hold the outcome."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m benchmarks forecast`."""
    parser.add_argument("--seeds", default="0-3", help="for example 0-7 or 3 (default: %(default)s)")
    parser.add_argument(
        "--problems", default="all", help="names, separated by commas; tables, functions or all (default: %(default)s)"
    )
    parser.add_argument("--jobs", type=int, default=1, help="campaigns side by side (default: %(default)s)")
    parser.add_argument("--smoke", action="store_true", help="one problem, one seed, asked once")
    parser.add_argument("--output", type=Path, help="where to write the results (default: benchmarks/results/)")


def campaign(source: Any, seed: int, asked_at: Sequence[int], ahead: Sequence[int]) -> list[dict[str, Any]]:
    """Run one campaign and return its forecasts with what came of them."""
    import numpy as np

    from controller.domain.campaign import ProposalPolicy
    from controller.domain.event import Observation
    from controller.domain.judged import Judged, judge, surprises
    from controller.domain.request import Observations, Observed, Request
    from controller.engine.foreseeing import foresee
    from controller.engine.thinking import propose

    problem, policy = to_problem(source), ProposalPolicy()
    noise = np.random.default_rng(50_000 + seed)
    observed: list[Observed] = []
    judged: list[dict[str, Judged]] = []
    best: list[float] = []
    asked: list[tuple[int, Any, float]] = []
    budget = max(asked_at) + max(ahead)
    if source.is_pool:
        budget = min(budget, len(source.pool))
    while len(observed) < budget:
        request = Request(
            problem=problem, policy=policy, observed=Observations.of(observed), pending=(), n=1, number=len(observed) + 1,
            seed=seed, device="cpu", surprises=surprises(judged),
        )  # fmt: skip
        if len(observed) in asked_at:
            began = time.process_time()
            asked.append((len(observed), foresee(request, max(ahead)), time.process_time() - began))
        (proposal,) = propose(request)
        value = source.true(proposal.point) + (source.noise * noise.standard_normal() if source.noise else 0.0)
        observed.append(Observed(point=proposal.point, values={"y": value}))
        judged.append(judge(proposal, {"y": Observation(value=value)}))
        best.append(max(value, best[-1]) if best else value)
    return [
        {
            "asked_at": n, "ahead": k, "now": told.now, "median": o.median, "low": o.low, "high": o.high, "improved": o.improved,
            "outcome": best[n + k - 1], "seconds": seconds,
        }
        for n, told, seconds in asked for k in ahead if n + k <= len(best) and k <= len(told.outlook) for o in [told.outlook[k - 1]]
    ]  # fmt: skip


def _job(folder: str, name: str, seed: int, asked_at: Sequence[int], ahead: Sequence[int]) -> dict[str, Any]:
    import torch

    torch.set_num_threads(1)
    return {"problem": name, "seed": seed, "forecasts": campaign(_cached(folder).get(name), seed, asked_at, ahead)}


def _results(jobs: list[tuple[str, str, int, Sequence[int], Sequence[int]]], side_by_side: int) -> Iterator[dict[str, Any]]:
    if side_by_side == 1:
        yield from (_job(*job) for job in jobs)
        return
    with ProcessPoolExecutor(side_by_side) as executor:
        yield from executor.map(_job, *zip(*jobs, strict=True))


def summary(name: str, forecasts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return how often the interval holds the outcome, and on which side it lies otherwise."""
    inside = [f["low"] <= f["outcome"] <= f["high"] for f in forecasts]
    improved = [f["outcome"] > f["now"] for f in forecasts]
    return {
        "what": name, "forecasts": len(forecasts), "inside": statistics.fmean(inside),
        "above": statistics.fmean(f["outcome"] > f["high"] for f in forecasts),
        "below": statistics.fmean(f["outcome"] < f["low"] for f in forecasts),
        "over_median": statistics.fmean((f["outcome"] > f["median"]) + 0.5 * (f["outcome"] == f["median"]) for f in forecasts),
        "open": statistics.fmean(f["low"] < f["high"] for f in forecasts),
        "improved": statistics.fmean(improved), "foreseen": statistics.fmean(f["improved"] for f in forecasts),
        "brier": statistics.fmean((f["improved"] - i) ** 2 for f, i in zip(forecasts, improved, strict=True)),
        "seconds": statistics.median(f["seconds"] for f in forecasts),
    }  # fmt: skip


def render(rows: Sequence[dict[str, Any]], total: dict[str, Any]) -> str:
    """Return the table as text, and whether the bar is met."""
    heads = ["n", "inside", "above", "below", ">median", "open", "improved", "foreseen", "brier", "s"]
    lines = [f"{'80 % intervals of the best':42s} " + " ".join(f"{h:>8s}" for h in heads)]
    for row in [*rows, total]:
        cells = [100 * row[k] for k in ("inside", "above", "below", "over_median", "open", "improved", "foreseen")]
        shares = " ".join(f"{c:7.0f}%" for c in cells)
        lines.append(f"{row['what']:42s} {row['forecasts']:8d} {shares} {row['brier']:8.3f} {row['seconds']:8.2f}")
    met = "met" if BAR[0] <= total["inside"] <= BAR[1] else "missed"
    lines.append(f"the outcome lies inside in {100 * total['inside']:.1f} % (bar {100 * BAR[0]:.0f}–{100 * BAR[1]:.0f}): {met}")
    return "\n".join(lines)


def run(chosen: argparse.Namespace) -> int:
    """Run the campaigns, print one table, write the results, and return the exit status."""
    try:
        folder = shared_folder()
        problems = _cached(str(folder))
    except (FileNotFoundError, ImportError) as error:
        print(error, file=sys.stderr)
        return 2
    os.environ["OMP_NUM_THREADS"] = "1"
    names, seeds = chosen_problems(problems, chosen.problems), parse_seeds(chosen.seeds)
    asked_at: Sequence[int] = ASKED_AT
    ahead: Sequence[int] = AHEAD
    if chosen.smoke:
        names, seeds, asked_at, ahead = names[-1:], seeds[:1], (10,), (2, 5)
    jobs = [(str(folder), name, seed, asked_at, ahead) for name in names for seed in seeds]
    found = []
    for result in _results(jobs, chosen.jobs):
        found.append(result)
        print(f"  {result['problem']} seed {result['seed']}", file=sys.stderr, flush=True)
    every = [f for r in found for f in r["forecasts"]]
    rows = [summary(name, [f for r in found if r["problem"] == name for f in r["forecasts"]]) for name in names]
    rows += [summary(f"{k} experiments ahead", [f for f in every if f["ahead"] == k]) for k in ahead]
    rows += [summary(f"asked at {n} results", [f for f in every if f["asked_at"] == n]) for n in asked_at]
    total = summary("all", every)
    print(render(rows, total))
    output = chosen.output or RESULTS / f"forecast-{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps({**stamp(), "seeds": seeds, "rows": [*rows, total], "campaigns": found}, indent=1))
    print(f"written to {output}")
    return 0
