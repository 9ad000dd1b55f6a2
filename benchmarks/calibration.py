"""Do predicted intervals hold what they promise? Coverage on tables of measured experiments and on standard functions.

From 15 observations on, of two kinds of designs. *Random*: rows drawn at random, and what is predicted of other rows drawn at
random. *Loop*: a campaign, and what it predicts of each of its own next points before that is measured, which is what a
campaign sees: these points are chosen because something is expected of them, from data that were chosen likewise. *Elsewhere*
is what the loop's models, at 15, 25 and 40 observations, predict of rows drawn at random; they were never meant to know those.

The tables are those of `python -m benchmarks tables`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.tables import RESULTS, _cached, chosen_problems, parse_seeds, shared_folder, stamp, to_problem

LEVELS = (50, 80, 90, 95)
KINDS = ("random", "loop", "elsewhere")
FIRST = 15
"""Observations from which on coverage counts."""
SIZES = (15, 25, 40)
PROBED = 50
BAR, EACH = (0.86, 0.94), (0.80, 0.98)
"""What 90 % intervals should cover: on the average of the tables, and on every one; of random rows and next points, evenly."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m benchmarks calibration`."""
    parser.add_argument("--seeds", default="0-7", help="for example 0-7 or 3 (default: %(default)s)")
    parser.add_argument(
        "--problems", default="tables", help="names, separated by commas; tables, functions or all (default: %(default)s)"
    )
    parser.add_argument("--jobs", type=int, default=1, help="campaigns side by side (default: %(default)s)")
    parser.add_argument("--smoke", action="store_true", help="one problem, one seed, 17 experiments")
    parser.add_argument("--output", type=Path, help="where to write the results (default: benchmarks/results/)")


def measure(source: Any, seed: int, budget: int) -> dict[str, list[list[float]]]:
    """Return what was predicted and measured: kind -> rows of mean, scale, freedom, value."""
    import numpy as np

    from controller.domain.campaign import ProposalPolicy
    from controller.domain.event import Observation
    from controller.domain.judged import Judged, judge, surprises
    from controller.domain.request import Observations, Observed, Request
    from controller.engine.thinking import predict, propose

    problem, policy = to_problem(source), ProposalPolicy()
    rng, noise = np.random.default_rng(70_000 + seed), np.random.default_rng(50_000 + seed)
    found: dict[str, list[list[float]]] = {kind: [] for kind in KINDS}
    judged: list[dict[str, Judged]] = []

    def measured(point: Any) -> float:
        return float(source.true(point) + (source.noise * noise.standard_normal() if source.noise else 0.0))

    def drawn(n: int, without: Sequence[Any]) -> list[Any]:
        if not source.is_pool:
            return [source.random_x(rng) for _ in range(n)]
        rows = [source.row(int(i)) for i in rng.permutation(len(source.pool))[: n + len(without)]]
        return [row for row in rows if row not in without][:n]

    def probe(kind: str, observed: list[Any]) -> None:
        points = drawn(PROBED, [o.point for o in observed])
        known = surprises(judged) if kind == "elsewhere" else {}
        for point, row in zip(points, predict(problem, policy, observed, points, seed, "cpu", known), strict=True):
            note(kind, row["y"], measured(point))

    def note(kind: str, prediction: Any, value: float) -> None:
        found[kind].append([prediction.mean, prediction.scale, prediction.freedom, value])

    design = [Observed(point=point, values={"y": measured(point)}) for point in drawn(min(max(SIZES), budget), [])]
    for size in SIZES:
        if size <= budget:
            probe("random", design[:size])
    observed: list[Observed] = []
    while len(observed) < budget:
        if len(observed) in SIZES:
            probe("elsewhere", observed)
        request = Request(
            problem=problem, policy=policy, observed=Observations.of(observed), pending=(), n=1, number=len(observed) + 1,
            seed=seed, device="cpu", surprises=surprises(judged),
        )  # fmt: skip
        (proposal,) = propose(request)
        value = measured(proposal.point)
        judged.append(judge(proposal, {"y": Observation(value=value)}))
        if len(observed) >= FIRST and "y" in proposal.predictions:
            note("loop", proposal.predictions["y"], value)
        observed.append(Observed(point=proposal.point, values={"y": value}))
    return found


def _job(folder: str, name: str, seed: int, budget: int) -> dict[str, Any]:
    import torch

    torch.set_num_threads(1)
    return {"problem": name, "seed": seed, "predicted": measure(_cached(folder).get(name), seed, budget)}


def _results(jobs: list[tuple[str, str, int, int]], side_by_side: int) -> Iterator[dict[str, Any]]:
    if side_by_side == 1:
        yield from (_job(*job) for job in jobs)
        return
    with ProcessPoolExecutor(side_by_side) as executor:
        yield from executor.map(_job, *zip(*jobs, strict=True))


def summary(name: str, table: bool, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return one row: per kind how much of each interval's promise is kept, where the results lie, and who would be warned."""
    import numpy as np
    from scipy.special import stdtr

    from controller.domain.judged import Judged
    from controller.learn.coverage import distrust

    row: dict[str, Any] = {"problem": name, "table": table, "kinds": {}}
    for kind in KINDS:
        rows = np.array([r for result in results for r in result["predicted"][kind]])
        if len(rows):
            positions = stdtr(rows[:, 2], (rows[:, 3] - rows[:, 0]) / rows[:, 1])
            needed = np.abs(2.0 * positions - 1.0)
            row["kinds"][kind] = {
                "predicted": len(rows), "position": float(positions.mean()),
                **{str(level): float((needed <= level / 100).mean()) for level in LEVELS},
            }  # fmt: skip
    both = [row["kinds"][kind]["90"] for kind in ("random", "loop") if kind in row["kinds"]]
    row["both_90"] = statistics.fmean(both)
    judged = [[{"y": Judged(*values)} for values in result["predicted"]["loop"]] for result in results]
    row["distrusted"] = sum(any(distrust(rows[:n]) for n in range(len(rows) + 1)) for rows in judged)
    row["campaigns"] = len(results)
    return row


def render(rows: Sequence[dict[str, Any]]) -> str:
    """Return the table as text, and whether the bars are met."""
    head = " ".join(f"{level:>4d}" for level in LEVELS)
    lines = [
        f"{'problem':42s}  {'random rows':19s}  {'own next points':19s}  {'elsewhere':19s}   both  warned",
        f"{'inside the interval of [%]':42s}  {head}  {head}  {head}     90",
    ]
    for row in rows:
        cells = "  ".join(
            " ".join(f"{100 * found[str(level)]:4.0f}" if found else "   –" for level in LEVELS)
            for found in (row["kinds"].get(kind) for kind in KINDS)
        )
        lines.append(f"{row['problem']:42s}  {cells}  {100 * row['both_90']:5.1f}  {row['distrusted']}/{row['campaigns']}")
    for what, chosen in (("tables", [r for r in rows if r["table"]]), ("functions", [r for r in rows if not r["table"]])):
        if not chosen:
            continue
        means = [
            {level: statistics.fmean(found[str(level)] for found in each) for level in LEVELS}
            for kind in KINDS if (each := [r["kinds"][kind] for r in chosen if kind in r["kinds"]])
        ]  # fmt: skip
        cells = "  ".join(" ".join(f"{100 * found[level]:4.0f}" for level in LEVELS) for found in means)
        mean = statistics.fmean(r["both_90"] for r in chosen)
        lines.append(f"{'mean of the ' + what:42s}  {cells}  {100 * mean:5.1f}")
        worst, best = (f(chosen, key=lambda r: r["both_90"]) for f in (min, max))
        kept = BAR[0] <= mean <= BAR[1] and worst["both_90"] >= EACH[0] and best["both_90"] <= EACH[1]
        lines.append(
            f"90 % intervals on {what}: {100 * mean:.1f} % (bar {100 * BAR[0]:.0f}–{100 * BAR[1]:.0f}), "
            f"from {100 * worst['both_90']:.1f} ({worst['problem']}) to {100 * best['both_90']:.1f} ({best['problem']}; "
            f"bar {100 * EACH[0]:.0f}–{100 * EACH[1]:.0f}): {'met' if kept else 'missed'}"
        )
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
    names, seeds, budget = chosen_problems(problems, chosen.problems), parse_seeds(chosen.seeds), max(SIZES)
    if chosen.smoke:
        names, seeds, budget = names[:1], seeds[:1], FIRST + 2
    jobs = [(str(folder), name, seed, budget) for name in names for seed in seeds]
    found = []
    for result in _results(jobs, chosen.jobs):
        found.append(result)
        print(f"  {result['problem']} seed {result['seed']}", file=sys.stderr, flush=True)
    rows = [summary(n, problems.get(n).is_pool, [r for r in found if r["problem"] == n]) for n in names]
    print(render(rows))
    output = chosen.output or RESULTS / f"calibration-{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps({**stamp(), "seeds": seeds, "rows": rows, "predicted": found}, indent=1))
    print(f"written to {output}")
    return 0
