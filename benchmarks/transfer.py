"""Experiments to the target with the results of an earlier campaign on a sister problem, without any, and with misleading ones.

The earlier campaign is one that Labwright carried out on the sister problem with the default settings and forty experiments. It
misleads when its values are shuffled among its settings (nothing can be learned from it), and when they are turned upside down
(what is learned from it is wrong). Sisters are other substrates in the same reactor, and functions whose optimum, level and range
are moved. The target is the one of `python -m benchmarks tables`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.tables import (
    MISS,
    RESULTS,
    campaign,
    load_problems,
    mean_hits,
    parse_seeds,
    shared_folder,
    stamp,
    to_problem,
)

EARLIER = 40
"""Experiments of the earlier campaign."""
MOVED_BY = 0.08
"""How far a moved function's optimum lies from its sister's, in each coordinate, as a share of the range."""
MOST_LOSS = 1.1
KINDS = ("without", "with", "shuffled", "inverted")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m benchmarks transfer`."""
    parser.add_argument("--seeds", default="0-7", help="for example 0-7 or 3 (default: %(default)s)")
    parser.add_argument("--problems", help="names, separated by commas (default: all)")
    parser.add_argument("--kinds", default=",".join(KINDS), help="what is told of earlier campaigns (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="campaigns side by side (default: %(default)s)")
    parser.add_argument("--smoke", action="store_true", help="one moved function, one seed, few experiments")
    parser.add_argument("--output", type=Path, help="where to write the results (default: benchmarks/results/)")


def _x(n: int, low: float, high: float) -> list[dict[str, Any]]:
    return [{"name": f"x{j + 1}", "type": "num", "lo": low, "hi": high} for j in range(n)]


def _moved(problems: Any, name: str) -> tuple[Any, Any]:
    """Return a standard function and a sister of it: moved, stretched by 1.5 and lifted."""
    own = problems.get(name)
    width = [p["hi"] - p["lo"] for p in own.params]
    names = [p["name"] for p in own.params]

    def sister(x: dict[str, Any]) -> float:
        at = {n: x[n] + (-1) ** j * MOVED_BY * w for j, (n, w) in enumerate(zip(names, width, strict=True))}
        return 1.5 * float(own.true(at)) + 2.0

    return own, problems.Problem(name, own.params, sister, 1.5 * own.opt + 2.0, own.budget, target_frac=0.95)


def _bromides(problems: Any, own: str, sister: str) -> tuple[Any, Any]:
    """Return two aryl halides of the same Buchwald-Hartwig table."""
    whole = problems.get("buchwald_hartwig_benzenes")

    def one(halide: str) -> Any:
        rows = (whole.pool["aryl_halide"] == halide).to_numpy()
        params = [p for p in whole.params if p["name"] != "aryl_halide"]
        pool = whole.pool[rows].drop(columns="aryl_halide").reset_index(drop=True)
        return problems.Problem(halide, params, pool=pool, pool_y=whole.pool_y[rows], budget=whole.budget)

    return one(own), one(sister)


def _tables(own: str, sister: str) -> Callable[[Any], tuple[Any, Any]]:
    return lambda problems: (problems.get(own), problems.get(sister))


_CN, _REIZMAN = "cn_coupling_flow_set_a@", "reizman_suzuki_cases_1_2@"
PAIRS: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "hartmann6, moved": lambda problems: _moved(problems, "hartmann6"),
    "ackley5, moved": lambda problems: _moved(problems, "ackley5"),
    "C-N coupling: aniline after benzamide": _tables(_CN + "Aniline+2-MeTHF", _CN + "Benzamide+DMSO"),
    "C-N coupling: benzamide after aniline": _tables(_CN + "Benzamide+DMSO", _CN + "Aniline+2-MeTHF"),
    "Suzuki: case 1 after case 2": _tables(_REIZMAN + "case_1", _REIZMAN + "case_2"),
    "Suzuki: case 2 after case 1": _tables(_REIZMAN + "case_2", _REIZMAN + "case_1"),
    "amination: OMe after CF3": lambda problems: _bromides(
        problems, "1-bromo-4-methoxybenzene", "1-bromo-4-(trifluoromethyl)benzene"
    ),
    "amination: ethyl after OMe": lambda problems: _bromides(problems, "1-bromo-4-ethylbenzene", "1-bromo-4-methoxybenzene"),
}
"""Problem -> what is optimised, and the sister on which the earlier campaign was carried out."""


@cache
def _problems(folder: str) -> Any:
    return load_problems(Path(folder))


@cache
def _pair(folder: str, name: str) -> tuple[Any, Any]:
    return PAIRS[name](_problems(folder))


@cache
def _earlier(folder: str, name: str, seed: int, n: int) -> dict[str, Any]:
    """Return what the default found on the sister."""
    _, sister = _pair(folder, name)
    return campaign(sister, 1000 + seed, n, to_the_end=True)


def _informed(folder: str, name: str, kind: str, seed: int, n: int) -> Any:
    """Return the problem with what is told of the earlier campaign."""
    import numpy as np

    from controller.domain.knowledge import EarlierCampaign, Knowledge
    from controller.domain.parameter import CategoricalParameter

    problem = to_problem(_pair(folder, name)[0])
    if kind == "without":
        return problem
    found = _earlier(folder, name, seed, n)
    values = np.array(found["values"])
    if kind == "shuffled":
        values = np.random.default_rng(seed).permutation(values)
    elif kind == "inverted":
        values = values.min() + values.max() - values
    known = {k: p.choices for k, p in problem.parameters.items() if isinstance(p, CategoricalParameter)}
    rows = [i for i, point in enumerate(found["points"]) if all(point[k] in choices for k, choices in known.items())]
    points = {k: tuple(found["points"][i][k] for i in rows) for k in problem.parameters}
    earlier = EarlierCampaign(name="sister", points=points, values={"y": tuple(float(values[i]) for i in rows)})
    return problem.model_copy(update={"knowledge": Knowledge(earlier=(earlier,))})


def _job(folder: str, name: str, kind: str, seed: int, budget: int | None, n: int) -> dict[str, Any]:
    import torch

    torch.set_num_threads(1)
    own, _ = _pair(folder, name)
    result = campaign(own, seed, budget or own.budget, problem=_informed(folder, name, kind, seed, n))
    return {**result, "problem": name, "kind": kind}


def run(chosen: argparse.Namespace) -> int:
    """Run the campaigns, print one table, write the results, and return 0 where misleading data cost a tenth at most."""
    try:
        folder = str(shared_folder())
        _problems(folder)
    except (FileNotFoundError, ImportError) as error:
        print(error, file=sys.stderr)
        return 2
    os.environ["OMP_NUM_THREADS"] = "1"
    names = [name.strip() for name in chosen.problems.split(";")] if chosen.problems else list(PAIRS)
    seeds, kinds, budget, n = parse_seeds(chosen.seeds), chosen.kinds.split(","), None, EARLIER
    if chosen.smoke:
        names, seeds, budget, n = names[:1], seeds[:1], 6, 8
    jobs = [(folder, name, kind, seed, budget, n) for name in names for seed in seeds for kind in kinds]
    if chosen.jobs == 1:
        found = [_job(*job) for job in jobs]
    else:
        with ProcessPoolExecutor(chosen.jobs) as executor:
            found = list(executor.map(_job, *zip(*jobs, strict=True), chunksize=len(kinds)))
    rows = [_summary(name, [r for r in found if r["problem"] == name], budget or _pair(folder, name)[0].budget) for name in names]
    means = _ratios(rows)
    print(render(rows, means))
    output = chosen.output or RESULTS / f"transfer-{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    written = {**stamp(), "seeds": seeds, "earlier": n, "miss": MISS, "rows": rows, "ratios": means, "campaigns": found}
    output.write_text(json.dumps(written, indent=1), encoding="utf-8")
    print(f"written to {output}")
    return 0 if all(ratio <= MOST_LOSS for kind, ratio in means.items() if kind != "with") else 1


def _summary(name: str, results: list[dict[str, Any]], budget: int) -> dict[str, Any]:
    by_kind = {kind: [r["hit"] for r in results if r["kind"] == kind] for kind in KINDS}
    return {
        "problem": name,
        **{kind: mean_hits(hits, budget) for kind, hits in by_kind.items() if hits},
        "reached": {kind: sum(h is not None for h in hits) for kind, hits in by_kind.items() if hits},
        "campaigns": max(len(hits) for hits in by_kind.values()),
        "stand_ins": sum(r["stand_ins"] for r in results),
    }


def _ratios(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return per kind the geometric mean, over the problems, of the experiments needed over those needed without it."""
    return {
        kind: statistics.geometric_mean(row[kind] / row["without"] for row in rows)
        for kind in KINDS[1:]
        if all(kind in row and "without" in row for row in rows)
    }


def render(rows: list[dict[str, Any]], means: dict[str, float]) -> str:
    """Return the table as text."""
    lines = [" ".join([f"{'problem':40s}", *(f"{kind:>9s}" for kind in KINDS), "  reached"])]
    for row in rows:
        cells = [f"{row.get(kind, math.nan):9.1f}" for kind in KINDS]
        reached = "/".join(str(n) for n in row["reached"].values())
        lines.append(" ".join([f"{row['problem']:40s}", *cells, f"  {reached} of {row['campaigns']}"]))
    lines += [f"{kind} / without: {ratio:.2f}" for kind, ratio in means.items()]
    return "\n".join(lines)
