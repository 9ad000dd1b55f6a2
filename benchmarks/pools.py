"""Large lists of candidates: a batch chosen from a million rows, in seconds and memory, and the whole way from a Parquet file.

Each part runs in a process of its own, so that its memory is its own. *Memory* is the largest resident size over what the process
held once its libraries were loaded and the pool's file was mapped and read. The values are a smooth function of five
of the columns. BoTorch's default model scores the same rows in chunks of the same size, once: one point, not a batch.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

MOST_SECONDS = 2.0
"""To fit, score and choose the batch, from the second proposal on."""
_CHUNK = 16_384
_THREADS = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m benchmarks pools`."""
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--observations", type=int, default=50)
    parser.add_argument("--experiments", type=int, default=6, help="of the campaign that is run (default: %(default)s)")
    parser.add_argument("--smoke", action="store_true", help="small: shows that it runs")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/pools.json"))


def run(chosen: argparse.Namespace) -> int:
    """Measure, print the table, and return 0 when a batch is chosen in time."""
    if chosen.smoke:
        chosen.rows, chosen.columns, chosen.batch, chosen.observations, chosen.experiments = 110_000, 3, 3, 10, 2
    with tempfile.TemporaryDirectory(prefix="labwright-pools-") as folder:
        pool = _apart(_make, chosen.rows, chosen.columns, folder)
        asked = (pool, chosen.batch, chosen.observations)
        found = {"ours": _apart(_ours, *asked), "BoTorch": _apart(_botorch, *asked, 2000 if chosen.smoke else chosen.rows)}
        way = _apart(_way, folder, chosen.columns, chosen.experiments)
    print(f"{chosen.rows} rows x {chosen.columns} columns, {chosen.observations} observations, {os.cpu_count()} cores")
    print(f"{'':34s} {'seconds':>9s} {'processor s':>12s} {'memory [MB]':>12s}")
    for name, part in found.items():
        for what, (seconds, processor) in part["times"].items():
            print(f"{name + ': ' + what:34s} {seconds:9.2f} {processor:12.2f} {part['memory_mb']:12.0f}")
    for what, seconds in way.items():
        print(f"{'campaign: ' + what:34s} {seconds:9.2f}")
    from benchmarks.tables import stamp

    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    asked_for = {name: getattr(chosen, name) for name in ("rows", "columns", "batch", "observations", "experiments")}
    result = {**stamp(), **asked_for, "cores": os.cpu_count(), "seeds": [0], "scored": found, "campaign": way}
    chosen.output.write_text(json.dumps(result, indent=1), encoding="utf-8")
    return 0 if found["ours"]["times"][_BATCH][0] <= MOST_SECONDS else 1


_BATCH = "fit, score, choose a batch"


def _apart(work: Callable[..., Any], *arguments: Any) -> Any:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(work, *arguments).result()


def _names(columns: int) -> list[str]:
    return [f"x{j}" for j in range(columns)]


def _value(point: dict[str, Any]) -> float:
    return -sum((float(v) - 0.4 - 0.1 * j) ** 2 for j, v in enumerate(list(point.values())[:5]))


def _make(rows: int, columns: int, folder: str) -> str:
    """Write the pool as a Parquet file and as the file that a proposer maps; return the hash and the folder of the latter."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import parquet

    from controller.domain.pool import Column, Pool
    from controller.store.pools import Shelf

    rng = np.random.default_rng(0)
    numbers = {name: rng.random(rows) for name in _names(columns)}
    parquet.write_table(pa.table(numbers), Path(folder) / "pool.parquet")
    made = Pool({name: Column("number", values) for name, values in numbers.items()})
    return str(Shelf(Path(folder) / "pools").put(made)._source.path(made.sha256))  # type: ignore[union-attr]


def _resident_mb() -> float:
    import psutil

    return float(psutil.Process().memory_info().rss) / 1e6


def _peak_mb() -> float:
    """Largest resident size so far; `getrusage` would tell that of the process that started this one, where that is larger."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return float(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


def _timed(work: Callable[[], Any]) -> tuple[tuple[float, float], Any]:
    begun, processor = time.perf_counter(), time.process_time()
    result = work()
    return (time.perf_counter() - begun, time.process_time() - processor), result


def _ours(file: str, batch: int, observations: int) -> dict[str, Any]:
    import numpy as np

    from controller.domain.campaign import ProposalPolicy
    from controller.domain.pool import Pool
    from controller.domain.request import Observations, Observed, Request
    from controller.domain.space import Problem
    from controller.engine.thinking import propose
    from controller.store.pools import Shelf

    path = Path(file)
    shelf = Shelf(path.parent)
    names = list(shelf(path.stem))
    n = len(shelf(path.stem)[names[0]])
    pool = Pool.referred(path.stem, n, names, shelf)
    problem = Problem.model_validate(
        {
            "parameters": {name: {"type": "continuous", "bounds": (0.0, 1.0)} for name in names},
            "objectives": {"y": {"goal": "maximize"}},
            "pool": pool,
        }
    )
    rows = np.random.default_rng(1).choice(n, observations, replace=False)
    observed = [Observed(point=point, values={"y": _value(point)}) for point in (pool.row(int(i)) for i in rows)]

    def ask(seed: int) -> None:
        request = Request(
            problem=problem, policy=ProposalPolicy(), observed=Observations.of(observed), pending=(), n=batch,
            number=observations + 1, seed=seed, device="cpu",
        )  # fmt: skip
        proposals = propose(request)
        if len(proposals) != batch or any(p.source != "model" for p in proposals):
            raise RuntimeError(f"expected {batch} proposals of the model, got {[(p.source, p.note) for p in proposals]}")

    held = _resident_mb()
    first, _ = _timed(lambda: ask(0))
    again, _ = _timed(lambda: ask(1))
    return {"times": {"the first time": first, _BATCH: again}, "memory_mb": _peak_mb() - held}


def _botorch(file: str, batch: int, observations: int, rows_scored: int) -> dict[str, Any]:
    import numpy as np
    import torch
    from botorch.acquisition import LogExpectedImprovement
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from gpytorch.mlls import ExactMarginalLogLikelihood

    from controller.store.pools import Shelf

    path = Path(file)
    torch.set_num_threads(_THREADS)
    warnings.simplefilter("ignore")
    columns = Shelf(path.parent)(path.stem)
    every = torch.from_numpy(np.array([column.data for column in columns.values()]).T.copy())
    rows = np.random.default_rng(1).choice(len(every), observations, replace=False)
    X = every[torch.from_numpy(rows)]
    Y = torch.tensor([[_value(dict(enumerate(row.tolist())))] for row in X], dtype=torch.float64)
    held = _resident_mb()

    def fit() -> Any:
        model = SingleTaskGP(X, Y)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        return LogExpectedImprovement(model, Y.max())

    def score(acquisition: Any) -> int:
        with torch.no_grad():
            return int(torch.cat([acquisition(part.unsqueeze(1)) for part in torch.split(every[:rows_scored], _CHUNK)]).argmax())

    fitting, acquisition = _timed(fit)
    scoring, _ = _timed(lambda: score(acquisition))
    total = (fitting[0] + scoring[0], fitting[1] + scoring[1])
    return {"times": {"fit, score once": total}, "memory_mb": _peak_mb() - held}


_LAB = """lab: bench
instruments:
  device:
    driver: function
    options:
      function: bench.py:measure
      duration: [0, 5]
      returns: {{y: {{}}}}
      arguments: {{{arguments}}}
    twin: {{driver: simulated-twin}}
protocol:
  - {{step: measure, instrument: device, action: run, with: {{{settings}}}, gives: {{y: y}}}}
"""
_CAMPAIGN = """campaign: pool
parameters:
{parameters}
candidates: pool.parquet
objectives: {{y: {{goal: maximize}}}}
budget: {{experiments: {experiments}}}
lab: lab.yaml
"""


def _way(folder: str, columns: int, experiments: int) -> dict[str, float]:
    """Carry a campaign out on a simulated lab, from the Parquet file on; return what it took [s]."""
    names, place = _names(columns), Path(folder)
    arguments = ", ".join(f"{name}: {{low: 0, high: 1}}" for name in names)
    lab = _LAB.format(arguments=arguments, settings=", ".join(f"{name}: ${name}" for name in names))
    parameters = "\n".join(f"  {name}: {{type: continuous, bounds: [0, 1]}}" for name in names)
    signature = ", ".join(f"{name}: float" for name in names)
    (place / "bench.py").write_text(f"def measure({signature}) -> dict[str, float]:\n    return {{'y': x0}}\n", encoding="utf-8")
    (place / "lab.yaml").write_text(lab, encoding="utf-8")
    campaign = place / "campaign.yaml"
    campaign.write_text(_CAMPAIGN.format(parameters=parameters, experiments=experiments), encoding="utf-8")
    store, command = place / "store.db", [sys.executable, "-m", "controller"]
    environment = os.environ | {"NO_COLOR": "1", "PYTHONWARNINGS": "ignore"}
    begun, from_start = time.perf_counter(), time.time()
    done = subprocess.run(
        [*command, "run", str(campaign), "--simulate", "--store", str(store)],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    seconds = time.perf_counter() - begun
    if done.returncode:
        raise RuntimeError(f"labwright run ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    from controller.store.reading import open_reader

    with open_reader(str(store)) as reader:
        rows = reader.experiment_rows(reader.campaign_row("pool")["id"])
        proposals = [json.loads(row["body"]) for row in reader.proposal_rows(reader.campaign_row("pool")["id"])]
    by_model = [p["seconds"] for p in proposals if p["source"] == "model"]
    if len(rows) != experiments or len(by_model) != experiments - 1:
        raise RuntimeError(f"expected {experiments} experiments, all but one proposed by the model, got {proposals}")
    return {
        "to the first proposal": min(row["proposed_at"] for row in rows) - from_start,
        "a proposal of the model, most": max(by_model),
        "a proposal of the model, least": min(by_model),
        "everything": seconds,
    }
