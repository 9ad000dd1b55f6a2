"""How long a proposal takes, in processor time on one core, against BoTorch's default model and search on the same data.

Each tool runs in a process of its own, as it would by itself. BayBE and Ax, with their own defaults, take part where `--peers`
names them and they are installed (`pip install baybe ax-platform`). Of all tools the time to fit and to choose one point counts,
not that to take in the data. Of each proposal the quickest of a few tries counts, the tools taking turns: what else a machine does
only adds to a time.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

DIMENSIONS = 6
NAMES = [f"x{j}" for j in range(DIMENSIONS)]
MOST_SHARE = {"botorch": 0.2, "baybe": 0.1, "ax": 0.1}
"""Of each tool's time."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m benchmarks speed`."""
    parser.add_argument("--observations", default="20,50,100,200", help="how many, separated by commas (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="proposals for each number, seeds 0 and up (default: %(default)s)")
    parser.add_argument("--tries", type=int, default=3, help="of each, the quickest counts (default: %(default)s)")
    parser.add_argument("--peers", default="", help="further tools to compare with, separated by commas: baybe, ax (default: none)")
    parser.add_argument("--smoke", action="store_true", help="ten observations, once")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/speed.json"))


def _ours(X: Any, Y: Any, seed: int) -> Callable[[], None]:
    from controller.domain.campaign import ProposalPolicy
    from controller.domain.objective import Objective
    from controller.domain.request import Observations, Observed, Request
    from controller.domain.space import Problem
    from controller.engine.thinking import propose
    from surrogates.memory import keep_freed_memory

    keep_freed_memory()  # as the proposer process does
    problem = Problem.model_validate(
        {
            "parameters": {name: {"type": "continuous", "bounds": (0.0, 1.0)} for name in NAMES},
            "objectives": {"y": Objective(goal="maximize")},
        }
    )
    observed = [
        Observed(point=dict(zip(NAMES, x, strict=True)), values={"y": y}) for x, (y,) in zip(X.tolist(), Y.tolist(), strict=True)
    ]
    request = Request(
        problem=problem, policy=ProposalPolicy(), observed=Observations.of(observed), pending=(), n=1, number=len(observed) + 1,
        seed=seed, device="cpu",
    )  # fmt: skip

    def work() -> None:
        (proposal,) = propose(request)
        if proposal.source != "model":
            raise RuntimeError(f"expected a proposal of the model, got {proposal.source}: {proposal.note}")

    return work


def _botorch(X: Any, Y: Any, seed: int) -> Callable[[], None]:
    import torch
    from botorch.acquisition import LogExpectedImprovement
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from botorch.optim import optimize_acqf
    from gpytorch.mlls import ExactMarginalLogLikelihood

    torch.manual_seed(seed)
    bounds = torch.tensor([[0.0] * DIMENSIONS, [1.0] * DIMENSIONS], dtype=torch.float64)

    def work() -> None:
        model = SingleTaskGP(X, Y)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        optimize_acqf(LogExpectedImprovement(model, Y.max()), bounds, q=1, num_restarts=10, raw_samples=512)

    return work


def _baybe(X: Any, Y: Any, seed: int) -> Callable[[], None]:
    import pandas as pd
    import torch
    from baybe import Campaign
    from baybe.parameters import NumericalContinuousParameter
    from baybe.searchspace import SearchSpace
    from baybe.targets import NumericalTarget

    torch.manual_seed(seed)
    space = SearchSpace.from_product([NumericalContinuousParameter(name, bounds=(0.0, 1.0)) for name in NAMES])
    campaign = Campaign(space, NumericalTarget(name="y").to_objective())
    campaign.add_measurements(pd.DataFrame({**dict(zip(NAMES, X.T.tolist(), strict=True)), "y": Y.squeeze(-1).tolist()}))
    return lambda: campaign.recommend(batch_size=1)


def _ax(X: Any, Y: Any, seed: int) -> Callable[[], None]:
    from ax.api.client import Client
    from ax.api.configs import RangeParameterConfig

    client = Client(random_seed=seed)
    client.configure_experiment(
        parameters=[RangeParameterConfig(name=name, parameter_type="float", bounds=(0.0, 1.0)) for name in NAMES]
    )
    client.configure_optimization(objective="y")
    # Its default but for the centre, with which it would begin whatever was measured.
    client.configure_generation_strategy(initialize_with_center=False)
    for x, (y,) in zip(X.tolist(), Y.tolist(), strict=True):
        client.complete_trial(client.attach_trial(dict(zip(NAMES, x, strict=True))), {"y": y})
    return lambda: client.get_next_trials(max_trials=1)


TOOLS: dict[str, Callable[[Any, Any, int], Callable[[], None]]] = {"ours": _ours, "botorch": _botorch, "baybe": _baybe, "ax": _ax}


def measure(tool: str, n: int, seed: int) -> float:
    """Return the processor time [s] that `tool` takes for a proposal from `n` observations, in this process."""
    import torch
    from botorch.test_functions import Hartmann

    from benchmarks.peers import silence

    torch.set_num_threads(1)
    with silence():  # tools complain of what they were given; that is not measured here
        X = torch.quasirandom.SobolEngine(DIMENSIONS, scramble=True, seed=seed + 1).draw(n, dtype=torch.float64)
        work = TOOLS[tool](X, Hartmann(dim=DIMENSIONS, negate=True)(X).unsqueeze(-1), max(seed, 0))
        begun = time.process_time()
        work()
        return time.process_time() - begun


def run(chosen: argparse.Namespace) -> int:
    """Measure, print the table, and return 0 when every share is small enough."""
    from benchmarks.tables import stamp

    peers = ["botorch", *(name for name in chosen.peers.split(",") if name)]
    if missing := [name for name in peers if name not in MOST_SHARE or find_spec(name) is None]:
        print(f"--peers: {', '.join(missing)}: expected baybe or ax, installed (pip install baybe ax-platform)", file=sys.stderr)
        return 2
    sizes, repeats = ([10], 1) if chosen.smoke else ([int(text) for text in chosen.observations.split(",")], chosen.repeats)
    tries = 1 if chosen.smoke else chosen.tries
    rows: list[dict[str, Any]] = []
    print(" ".join([f"{'observations':>12s} {'ours [s]':>10s}", *(f"{name + ' [s]':>12s} {'share':>7s}" for name in peers)]))
    spawn = multiprocessing.get_context("spawn")
    # One process for each tool, the tools taking turns: a machine that grows busy slows all of them.
    processes = {tool: ProcessPoolExecutor(1, mp_context=spawn) for tool in ("ours", *peers)}
    try:
        for n in sizes:
            times: dict[str, list[float]] = {tool: [] for tool in processes}
            for seed in range(-1, repeats):  # the first one loads libraries
                found: dict[str, list[float]] = {tool: [] for tool in processes}
                for _ in range(tries):  # what else the machine does only adds to a time
                    for tool, process in processes.items():
                        found[tool].append(process.submit(measure, tool, n, seed).result())
                if seed >= 0:
                    for tool, seconds in found.items():
                        times[tool].append(min(seconds))
            medians = {tool: statistics.median(seconds) for tool, seconds in times.items()}
            shares = {tool: medians["ours"] / medians[tool] for tool in peers}
            rows.append({"observations": n, "seconds": times, "medians": medians, "shares": shares})
            cells = [f"{medians[tool]:12.3f} {shares[tool]:7.2f}" for tool in peers]
            print(" ".join([f"{n:12d} {medians['ours']:10.3f}", *cells]), flush=True)
    finally:
        for process in processes.values():
            process.shutdown()
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps({**stamp(), "rows": rows}, indent=1), encoding="utf-8")
    return 0 if all(share <= MOST_SHARE[tool] for row in rows for tool, share in row["shares"].items()) else 1
