"""Closed loops over tables of measured experiments and over standard functions: how many experiments until the target is reached?

The target is one of the best 1 % of a table, or a fixed share of a function's range. What other tools needed on the same
problems stands beside it: each of them, and whichever was best on each problem, which is what somebody would need who always
knew which one to take.

The tables and the results of other tools are not part of this repository: `LABWRIGHT_SHARED` names the folder that holds
`bench/problems.py`, `bench/peers.json` and `data/` (by default `../shared`).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from benchmarks import mixed, own

if TYPE_CHECKING:
    from controller.domain.campaign import ProposalPolicy

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).resolve().parent / "results"
KEPT = Path(__file__).resolve().parent / "peers.json"
"""What was measured of other tools here, by `python -m benchmarks peers`."""
PEERS = ("baybe", "ax", "botorch")
"""Tools that are compared one by one."""
ALL_PEERS = (*PEERS, "baybe_chem", "bofire", "hebo")
"""Tools of which the best one of each problem is taken."""
CHANCE = "random"
GROUPS = {"own": own.MADE, "mixed": mixed.MADE}
"""Problems that are made here."""
MADE = {**own.MADE, **mixed.MADE}
MISS = 1.5
"""What a campaign that did not reach the target counts, in budgets."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m benchmarks tables`."""
    parser.add_argument("--seeds", default="0-7", help="for example 0-7 or 3 (default: %(default)s)")
    parser.add_argument(
        "--problems", default="tables",
        help="names, separated by commas; tables, functions, all, own: constrained ones, or mixed (default: %(default)s)",
    )
    parser.add_argument(
        "--peers", default=str(KEPT),
        help="what other tools needed, measured again, beside what is recorded of them; - for that alone (default: %(default)s)",
    )
    parser.add_argument("--budget", type=int, help="experiments per campaign (default: the problem's own)")
    parser.add_argument("--jobs", type=int, default=1, help="campaigns side by side (default: %(default)s)")
    parser.add_argument(
        "--proposals", metavar="JSON",
        help='how proposals are made, as in a campaign file, for example {"surrogate": {"kind": "random_forest"}}',
    )
    parser.add_argument("--smoke", action="store_true", help="one small table, one seed, ten experiments")
    parser.add_argument("--output", type=Path, help="where to write the results (default: benchmarks/results/)")


def shared_folder() -> Path:
    """Return the folder with the tables.

    Raises:
        FileNotFoundError: If it is not there; the message says how to name it.
    """
    folder = Path(os.environ.get("LABWRIGHT_SHARED", ROOT.parent / "shared"))
    if not (folder / "bench" / "problems.py").is_file():
        raise FileNotFoundError(
            f"{folder}/bench/problems.py is not there: the measured tables are kept outside this repository;"
            " set LABWRIGHT_SHARED to the folder that holds bench/ and data/"
        )
    return folder


def load_problems(folder: Path) -> ModuleType:
    """Import `bench/problems.py` of the shared folder.

    Raises:
        ImportError: If pandas, which it reads tables with, is not installed.
    """
    spec = importlib.util.spec_from_file_location("problems", folder / "bench" / "problems.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder}/bench/problems.py cannot be imported")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"the tables are read with {error.name}, which is not installed: pip install {error.name}"
        ) from error
    return module


def to_problem(source: Any) -> Any:
    """Return a problem of `problems.py` as a `Problem`: rows of a table are the pool, structures are descriptors."""
    if isinstance(source, own.Own):
        return source.problem
    from controller.domain.objective import Objective
    from controller.domain.space import DescriptorTable, Pool, Problem

    parameters: dict[str, Any] = {}
    descriptors = {}
    for parameter in source.params:
        name = parameter["name"]
        if parameter["type"] == "cat":
            parameters[name] = {"type": "categorical", "choices": parameter["values"]}
            if "smiles" in parameter:
                # A choice without structure, such as an absent additive, has no text there.
                found = [parameter["smiles"][value] for value in parameter["values"]]
                descriptors[name] = DescriptorTable(smiles=tuple(s if isinstance(s, str) else "" for s in found))
        elif "levels" in parameter:
            parameters[name] = {"type": "discrete", "values": parameter["levels"]}
        else:
            parameters[name] = {"type": "continuous", "bounds": (parameter["lo"], parameter["hi"])}
    pool = None
    if source.is_pool:
        rows = [source.row(i) for i in range(len(source.pool))]
        pool = Pool(columns={name: tuple(row[name] for row in rows) for name in parameters})
    return Problem.model_validate(
        {
            "parameters": parameters,
            "objectives": {"y": Objective(goal="maximize")},
            "descriptors": descriptors,
            "pool": pool,
        }
    )


def campaign(
    source: Any, seed: int, budget: int, *, problem: Any = None, to_the_end: bool = False, policy: ProposalPolicy | None = None
) -> dict[str, Any]:
    """Run one campaign until the target is reached or the budget spent, as many experiments at a time as the problem says.

    Args:
        source: A problem of `problems.py`.
        seed: Of the proposals and of the noise.
        budget: Most experiments.
        problem: The `Problem` to be solved, where more is known of it than `to_problem` says.
        to_the_end: Spend the budget although the target has been reached.
        policy: How proposals are made; its defaults where nothing is given.
    """
    import numpy as np

    from controller.domain.campaign import ProposalPolicy
    from controller.domain.request import Observations, Observed, Request
    from controller.engine.thinking import propose

    problem, policy = problem or to_problem(source), policy or ProposalPolicy()
    noise = np.random.default_rng(50_000 + seed)
    observed: list[Observed] = []
    seconds: list[float] = []
    sources: list[str] = []
    hit = None
    while (hit is None or to_the_end) and len(observed) < budget:
        request = Request(
            problem=problem,
            policy=policy,
            observed=Observations.of(observed),
            pending=(),
            n=min(source.q, budget - len(observed)),
            number=len(observed) + 1,
            seed=seed,
            device="cpu",
        )
        begin = time.perf_counter()
        proposals = propose(request)
        seconds.append((time.perf_counter() - begin) / len(proposals))
        for proposal in proposals:
            sources.append(proposal.source)
            value = source.true(proposal.point)
            measured = value + (source.noise * noise.standard_normal() if source.noise else 0.0)
            observed.append(Observed(point=proposal.point, values={"y": measured}))
            if hit is None and value >= source.target - 1e-12:
                hit = len(observed)
    return {
        "problem": source.name,
        "seed": seed,
        "hit": hit,
        "values": [o.values["y"] for o in observed if o.values],
        "points": [o.point for o in observed],
        "median_seconds": statistics.median(seconds),
        "most_seconds": max(seconds),
        "stand_ins": sources.count("stand-in"),
    }


def _job(folder: str, name: str, seed: int, budget: int | None, proposals: str) -> dict[str, Any]:
    import torch

    from controller.domain.campaign import ProposalPolicy

    torch.set_num_threads(1)
    policy = ProposalPolicy.model_validate_json(proposals)
    if name in MADE:
        source = MADE[name]()
        most = budget or source.budget
        peers = {tool: own.peer(source, tool, seed, most) for tool in (CHANCE, "botorch")}
        return campaign(source, seed, most, policy=policy) | {"problem": name, "peers": peers, "best": source.best}
    source = _cached(folder).get(name)
    # `problems.py` names a problem in batches like the one without.
    return campaign(source, seed, budget or source.budget, policy=policy) | {"problem": name}


def _results(jobs: list[tuple[str, str, int, int | None, str]], side_by_side: int) -> Iterator[dict[str, Any]]:
    if side_by_side == 1:
        yield from (_job(*job) for job in jobs)
        return
    with ProcessPoolExecutor(side_by_side) as executor:
        yield from executor.map(_job, *zip(*jobs, strict=True))


_modules: dict[str, ModuleType] = {}


def _cached(folder: str) -> ModuleType:
    """Return the problems, imported once per process: they keep the tables that they have read."""
    if folder not in _modules:
        _modules[folder] = load_problems(Path(folder))
    return _modules[folder]


def run(chosen: argparse.Namespace) -> int:
    """Run the campaigns, print one table, write the results, and return the exit status."""
    try:
        folder, problems = Path(), None
        if any(name not in {*GROUPS, *MADE} for name in chosen.problems.split(",")):
            folder = shared_folder()
            problems = _cached(str(folder))
    except (FileNotFoundError, ImportError) as error:
        print(error, file=sys.stderr)
        return 2
    # Before torch is imported anywhere: one thread per campaign, so that results do not depend on the machine's cores.
    os.environ["OMP_NUM_THREADS"] = "1"
    proposals = chosen.proposals or "{}"
    if (fault := _fault(proposals)) is not None:
        print(fault, file=sys.stderr)
        return 2
    names = chosen_problems(problems, chosen.problems)
    seeds = parse_seeds(chosen.seeds)
    if chosen.smoke:
        names, seeds, chosen.budget = names[:1], seeds[:1], 10
    jobs = [(str(folder), name, seed, chosen.budget, proposals) for name in names for seed in seeds]
    found: list[dict[str, Any]] = []
    for result in _results(jobs, chosen.jobs):
        found.append(result)
        beside = "".join(f", {tool} {hit or 'missed'}" for tool, hit in result.get("peers", {}).items())
        print(f"  {result['problem']} seed {result['seed']}: {result['hit'] or 'missed'}{beside}", file=sys.stderr, flush=True)
    peers = [] if problems is None else json.loads((folder / "bench" / "peers.json").read_text())
    if chosen.peers != "-":
        from benchmarks.peers import merged

        peers = merged(peers, json.loads(Path(chosen.peers).read_text())["peers"])
    peers += [
        {"tool": tool, "problem": name, "seeds": {r["seed"]: {"hit": r["peers"][tool]} for r in found if r["problem"] == name}}
        for name in names if name in MADE for tool in (CHANCE, "botorch")
    ]  # fmt: skip
    sources = {name: MADE[name]() if name in MADE else problems.get(name) for name in names}  # type: ignore[union-attr]
    rows = [
        summary(name, [r for r in found if r["problem"] == name], peers, chosen.budget or source.budget) | {"kind": kind_of(source)}
        for name, source in sources.items()
    ]
    print(render(rows))
    output = chosen.output or RESULTS / f"tables-{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    written = {**stamp(), "seeds": seeds, "proposals": json.loads(proposals), "rows": rows, "campaigns": found}
    output.write_text(json.dumps(written, indent=1))
    print(f"written to {output}")
    return 0


def _fault(proposals: str) -> str | None:
    """Say what is wrong with `--proposals`, or None."""
    from pydantic import ValidationError

    from controller.domain.campaign import ProposalPolicy

    try:
        ProposalPolicy.model_validate_json(proposals)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        told = f"{' '.join(filter(None, ('--proposals', place)))}: {first['msg']}; got {first['input']!r}"
        return f"{told}; write what a campaign file has under `proposals`, as JSON"
    return None


def chosen_problems(problems: Any, text: str) -> list[str]:
    """Return the names that `tables`, `functions`, `all`, `own`, `mixed` or a list of names stands for."""
    names: list[str] = []
    for part in text.split(","):
        if part in GROUPS:
            names += GROUPS[part]
            continue
        kinds = {"tables": (True,), "functions": (False,), "all": (True, False)}.get(part)
        names += [part] if kinds is None else [n for n in problems.names() if problems.get(n).is_pool in kinds]
    return list(dict.fromkeys(names))


def parse_seeds(text: str) -> list[int]:
    """Return the seeds that `0-7`, `3` or `0-3,8` names."""
    seeds: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        seeds += range(int(first), int(last or first) + 1)
    return seeds


def kind_of(source: Any) -> str:
    """Return what kind of problem it is, so that one can say where comparisons are won and lost."""
    if isinstance(source, own.Own):
        return "mixed" if source.name in mixed.MADE else "own"
    categories = any(parameter["type"] == "cat" for parameter in source.params)
    if not source.is_pool:
        return "function with categories" if categories else "function"
    # A mixture with a category is a mixture: the sum narrows the space more.
    if getattr(source, "constraints", ()):
        return "table of a mixture"
    return "table with categories" if categories else "table of numbers"


def summary(name: str, results: list[dict[str, Any]], peers: Iterable[dict[str, Any]], budget: int) -> dict[str, Any]:
    """Return one row of the table: our mean experiments to the target, theirs, and the ratios to each and to the best of them."""
    theirs = {
        peer["tool"]: mean_hits([seed["hit"] for seed in peer["seeds"].values()], budget)
        for peer in peers
        if peer["problem"] == name
    }
    hits = [r["hit"] for r in results]
    ours = mean_hits(hits, budget)
    best = min((tool for tool in ALL_PEERS if tool in theirs), key=theirs.__getitem__, default=None)
    against = {tool: theirs[tool] for tool in PEERS if tool in theirs} | ({} if best is None else {"best": theirs[best]})
    return {
        "problem": name,
        "mean": ours,
        "median": statistics.median(h or math.inf for h in hits),
        "reached": sum(h is not None for h in hits),
        "campaigns": len(hits),
        "theirs": theirs,
        "best": best,
        "ratios": {tool: ours / mean for tool, mean in against.items()},
        "seconds": statistics.median(r["median_seconds"] for r in results),
        "most_seconds": max(r["most_seconds"] for r in results),
        "stand_ins": sum(r["stand_ins"] for r in results),
    }


def mean_hits(hits: Iterable[int | None], budget: int) -> float:
    """Return the mean number of experiments to the target, a miss counting 1.5 budgets."""
    return statistics.fmean(MISS * budget if h is None else h for h in hits)


def render(rows: list[dict[str, Any]]) -> str:
    """Return the table as text, with the geometric means of the ratios to each peer and to the best of each problem."""
    heads = [("ours", 6), ("median", 6), ("reached", 8), (CHANCE, 7), *((tool, 7) for tool in PEERS), ("best", 7)]
    heads += [("of best", 7), ("s/prop", 7), ("most", 6)]
    lines = [" ".join([f"{'problem':42s}", *(f"{text:>{width}s}" for text, width in heads)])]
    for row in rows:
        theirs, ratios = row["theirs"], row["ratios"]
        lines.append(
            f"{row['problem']:42s} {row['mean']:6.1f} {row['median']:6.1f} {row['reached']:4d}/{row['campaigns']:<3d}"
            f" {_cell(theirs.get(CHANCE), 7, 1)} {' '.join(_cell(theirs.get(tool), 7, 1) for tool in PEERS)}"
            f" {_cell(theirs.get(row['best']), 7, 1)} {_cell(ratios.get('best'), 7, 2)}"
            f" {row['seconds']:7.3f} {row['most_seconds']:6.2f}"
        )
    for tool in (*PEERS, "best"):
        found = [row["ratios"][tool] for row in rows if tool in row["ratios"]]
        if found:
            whom = "the best peer of each" if tool == "best" else tool
            mean = statistics.geometric_mean(found)
            lines.append(f"geometric mean of the ratios to {whom}: {mean:.3f} over {len(found)} problems")
    for kind in dict.fromkeys(row["kind"] for row in rows):
        those = [row for row in rows if row["kind"] == kind]
        means = [f"{tool} {_mean_ratio(those, tool)}" for tool in (*PEERS, "best")]
        lines.append(f"  {kind} ({len(those)}): {', '.join(means)}")
    worse = [row["problem"] for row in rows if CHANCE in row["theirs"] and row["mean"] >= row["theirs"][CHANCE]]
    lines.append(f"not better than {CHANCE}: {', '.join(worse) or 'none'}")
    return "\n".join(lines)


def _mean_ratio(rows: list[dict[str, Any]], tool: str) -> str:
    found = [row["ratios"][tool] for row in rows if tool in row["ratios"]]
    return f"{statistics.geometric_mean(found):.2f}" if found else "–"


def _cell(value: float | None, width: int, digits: int) -> str:
    return f"{'–':>{width}s}" if value is None else f"{value:{width}.{digits}f}"


def stamp() -> dict[str, Any]:
    """Return what a result must say about where it came from."""
    from importlib.metadata import version

    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "commit": commit,
        "at": datetime.now(UTC).isoformat(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("torch", "botorch", "gpytorch", "numpy", "scipy", "rdkit")},
    }
