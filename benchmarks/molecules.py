"""Screening of lists of molecules: what share of the best hundredth is found, against a Tanimoto model, a forest and chance.

The lists are of three measured and computed tables (`data/` of the folder that LABWRIGHT_SHARED names). Nobody stops at a target:
the budget is spent, and the share of the best hundredth of all molecules among those measured counts. Every method begins with the
same molecules, drawn at random, as many as one batch has, five at least.

- `ours` is the default; `ours-gp`, `ours-ensemble` and `ours-forest` are the same with the surrogate named.
- `tanimoto` is BoTorch's `SingleTaskGP`, its values standardised, with the Tanimoto kernel of Morgan count fingerprints (Ralaivola
  and others, 2005) and a variance; BoTorch fits its hyperparameters anew for each batch, its posterior is computed exactly, the log
  expected improvement chooses, and molecules of the batch are believed to show what is predicted.
- `forest` is scikit-learn's random forest of 100 trees on the same fingerprints; what the trees expect on average chooses, as in
  D. E. Graff, E. I. Shakhnovich, C. W. Coley, *Accelerating high-throughput virtual screening*, Chemical Science 12 (2021).
- `random` is chance.

A second table says what a proposal costs on longer lists, made of the second one's molecules with groups attached.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.tables import parse_seeds, shared_folder, stamp

AT = (50, 100, 200, 400)
"""After so many experiments the share is told."""
_FIRST = 5
_GROUPS = ("C", "O", "N", "F", "Cl", "CC", "CO", "OC", "CN", "NC", "Br", "S", "CS", "C#C")


@dataclass(frozen=True)
class Library:
    """Molecules and what each is worth, larger values being better."""

    name: str
    smiles: tuple[str, ...]
    values: tuple[float, ...]

    @property
    def best(self) -> frozenset[str]:
        """The best hundredth, at least one; with those that are equally good as its last."""
        least = sorted(self.values)[-max(1, len(self.values) // 100)]
        return frozenset(s for s, v in zip(self.smiles, self.values, strict=True) if v >= least)


LIBRARIES = {
    "solubility": ("aqsoldb_solubility", "log_s", 1.0),
    "docking": ("enamine10k_docking", "docking_score_kcal_mol", -1.0),
    "reduction": ("redoxmers_bznsn", "e_red_V", -1.0),
    "solvation": ("redoxmers_bznsn", "g_sol_eV", -1.0),
}
"""Name -> folder, column, sign."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m benchmarks molecules`."""
    parser.add_argument("--libraries", default=",".join(LIBRARIES), help="separated by commas (default: %(default)s)")
    parser.add_argument("--methods", default="ours,tanimoto,forest,random", help=f"of {', '.join(METHODS)} (default: %(default)s)")
    parser.add_argument("--batches", default="1,10", help="molecules at a time, separated by commas (default: %(default)s)")
    parser.add_argument("--experiments", type=int, default=200, help="of a campaign (default: %(default)s)")
    parser.add_argument("--seeds", default="0-3", help="for example 0-3 (default: %(default)s)")
    parser.add_argument("--lengths", default="10000,100000", help="of lists whose costs are measured (default: %(default)s)")
    parser.add_argument("--smoke", action="store_true", help="one list, one seed, twenty molecules")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/molecules.json"))


@lru_cache(maxsize=2)
def library(folder: Path, name: str) -> Library:
    """Read one list; molecules that RDKit cannot read are left out."""
    from rdkit import Chem, rdBase

    source, column, sign = LIBRARIES[name]
    smiles, values = [], []
    with (folder / "data" / source / "data.csv").open(encoding="utf-8", newline="") as file, rdBase.BlockLogs():
        for row in csv.DictReader(file):
            if Chem.MolFromSmiles(row["smiles"]) is not None:
                smiles.append(row["smiles"])
                values.append(sign * float(row[column]))
    return Library(name, tuple(smiles), tuple(values))


def _problem(smiles: Sequence[str]) -> Any:
    from controller.domain.space import DescriptorTable, Problem

    return Problem.model_validate(
        {
            "parameters": {"molecule": {"type": "categorical", "choices": tuple(smiles)}},
            "objectives": {"y": {"goal": "maximize"}},
            "descriptors": {"molecule": DescriptorTable(smiles=tuple(smiles))},
        }
    )


@lru_cache(maxsize=2)
def _cached_problem(smiles: tuple[str, ...]) -> Any:
    return _problem(smiles)


Choose: TypeAlias = "Callable[[list[int], list[float], int, int], list[int]]"
"""From the rows measured, their values, how many are wanted and the seed to the rows to be measured next."""


def _ours(kind: str | None, smiles: tuple[str, ...]) -> Choose:
    from controller.domain.campaign import ProposalPolicy
    from controller.domain.request import Observations, Observed, Request
    from controller.engine.thinking import propose

    problem, place = _cached_problem(smiles), {s: i for i, s in enumerate(smiles)}
    policy = ProposalPolicy.model_validate({"first_points": 1} | ({} if kind is None else {"surrogate": {"kind": kind}}))

    def choose(rows: list[int], values: list[float], n: int, seed: int) -> list[int]:
        observed = [Observed(point={"molecule": smiles[i]}, values={"y": v}) for i, v in zip(rows, values, strict=True)]
        request = Request(
            problem=problem, policy=policy, observed=Observations.of(observed), pending=(), n=n, number=len(rows) + 1, seed=seed,
            device="cpu",
        )  # fmt: skip
        proposals = propose(request)
        if len(proposals) != n or any(p.source != "model" for p in proposals):
            raise RuntimeError(f"expected {n} proposals of the model, got {[(p.source, p.note) for p in proposals]}")
        return [place[str(p.point["molecule"])] for p in proposals]

    return choose


@lru_cache(maxsize=2)
def _counts(smiles: tuple[str, ...]) -> Any:
    """Return Morgan count fingerprints (n x bits), radius 2, folded to 2048 numbers, sparse."""
    import numpy as np
    from rdkit import Chem, rdBase
    from rdkit.Chem import rdFingerprintGenerator
    from scipy.sparse import csr_array, vstack

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    with rdBase.BlockLogs():
        rows = [csr_array(generator.GetCountFingerprintAsNumPy(Chem.MolFromSmiles(s)).astype(np.float32)[None]) for s in smiles]
    return csr_array(vstack(rows))


class _Similarities:
    """Tanimoto similarities of all molecules to those measured, a column at a time: a·b / (a·a + b·b - a·b)."""

    def __init__(self, smiles: tuple[str, ...]) -> None:
        self._counts = _counts(smiles)
        self._sizes = self._counts.multiply(self._counts).sum(1)
        self._columns: dict[int, Any] = {}

    def column(self, i: int) -> Any:
        import numpy as np

        if i not in self._columns:
            shared = (self._counts @ self._counts[[i]].T).toarray().ravel().astype(np.float64)
            self._columns[i] = shared / np.maximum(self._sizes + self._sizes[i] - shared, 1e-9)
        return self._columns[i]


def _tanimoto(smiles: tuple[str, ...]) -> Choose:
    import numpy as np
    import torch

    similarities = _Similarities(smiles)

    def choose(rows: list[int], values: list[float], n: int, seed: int) -> list[int]:
        cross = torch.from_numpy(np.stack([similarities.column(i) for i in rows], 1))
        mean, variance, best, noise, V, scale = _posterior(cross, rows, torch.tensor(values, dtype=torch.float64))
        taken = torch.zeros(len(smiles), dtype=torch.bool)
        taken[rows] = True
        chosen: list[int] = []
        for _ in range(n):
            score = _log_improvement(mean, variance.sqrt(), best).masked_fill(taken, -torch.inf)
            new = int(score.argmax())
            chosen.append(new)
            taken[new] = True
            covariance = scale * torch.from_numpy(similarities.column(new)) - V @ V[new]
            V = torch.cat([V, (covariance / (variance[new] + noise).sqrt()).unsqueeze(1)], 1)
            variance = (variance - V[:, -1].square()).clamp_min(1e-10)
        return chosen

    return choose


def _posterior(cross: Any, rows: list[int], y: Any) -> tuple[Any, Any, Any, Any, Any, Any]:
    """Fit by BoTorch; return mean and variance (N each), the best value, the noise, root columns (N x n) and the output scale."""
    import torch
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from gpytorch.kernels import Kernel, ScaleKernel
    from gpytorch.mlls import ExactMarginalLogLikelihood

    K = cross[rows]

    class Tanimoto(Kernel):  # type: ignore[misc]
        """Looks up what was computed; points are positions among the molecules measured."""

        def forward(self, x1: Any, x2: Any, diag: bool = False, **_: Any) -> Any:
            i, j = x1[..., 0].long(), x2[..., 0].long()
            return K[i, j] if diag else K[i.unsqueeze(-1), j.unsqueeze(-2)]

    u = (y - y.mean()) / y.std().clamp_min(1e-9)
    X = torch.arange(len(rows), dtype=torch.float64).unsqueeze(-1)
    model = SingleTaskGP(X, u.unsqueeze(-1), covar_module=ScaleKernel(Tanimoto()), outcome_transform=None)
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    with torch.no_grad():
        scale, noise = model.covar_module.outputscale, model.likelihood.noise.squeeze()
        L = torch.linalg.cholesky(scale * K + (noise + 1e-8) * torch.eye(len(rows), dtype=torch.float64))
        constant = model.mean_module.constant
        V = torch.linalg.solve_triangular(L, scale * cross.T, upper=False).T
        mean = constant + V @ torch.linalg.solve_triangular(L, (u - constant).unsqueeze(-1), upper=False).squeeze(-1)
        return mean, (scale - V.square().sum(-1)).clamp_min(1e-10), u.max(), noise, V, scale


def _log_improvement(mean: Any, sd: Any, best: Any) -> Any:
    from botorch.acquisition.analytic import _log_ei_helper

    return _log_ei_helper((mean - best) / sd) + sd.log()


def _forest(smiles: tuple[str, ...]) -> Choose:
    import numpy as np
    from sklearn.ensemble import RandomForestRegressor

    counts = _counts(smiles)

    def choose(rows: list[int], values: list[float], n: int, seed: int) -> list[int]:
        model = RandomForestRegressor(100, random_state=seed, n_jobs=1).fit(counts[rows], values)
        expected = model.predict(counts)
        expected[rows] = -np.inf
        return [int(i) for i in np.argsort(-expected, kind="stable")[:n]]

    return choose


def _random(smiles: tuple[str, ...]) -> Choose:
    import numpy as np

    def choose(rows: list[int], values: list[float], n: int, seed: int) -> list[int]:
        left = np.setdiff1d(np.arange(len(smiles)), rows)
        return [int(i) for i in np.random.default_rng([seed, len(rows)]).choice(left, n, replace=False)]

    return choose


METHODS: dict[str, Callable[[tuple[str, ...]], Choose]] = {
    "ours": lambda smiles: _ours(None, smiles),
    "ours-gp": lambda smiles: _ours("gp", smiles),
    "ours-ensemble": lambda smiles: _ours("deep_ensemble", smiles),
    "ours-forest": lambda smiles: _ours("random_forest", smiles),
    "tanimoto": _tanimoto,
    "forest": _forest,
    "random": _random,
}


def campaign(source: Library, method: str, batch: int, experiments: int, seed: int) -> dict[str, Any]:
    """Spend the budget; return how many of the best were found after each experiment, and the processor time of each batch [s]."""
    import numpy as np

    choose, best = METHODS[method](source.smiles), source.best
    first = min(max(batch, _FIRST), experiments)
    rows = [int(i) for i in np.random.default_rng([seed, 7]).choice(len(source.smiles), first, replace=False)]
    seconds: list[float] = []
    while len(rows) < experiments:
        begun = time.process_time()
        rows += choose(rows, [source.values[i] for i in rows], min(batch, experiments - len(rows)), seed)
        seconds.append(time.process_time() - begun)
    found = np.cumsum([source.smiles[i] in best for i in rows]).tolist()
    return {"library": source.name, "method": method, "batch": batch, "seed": seed, "found": found, "of": len(best),
            "best": np.maximum.accumulate([source.values[i] for i in rows]).tolist(), "seconds": seconds}  # fmt: skip


def costs(smiles: Sequence[str], observations: int, batch: int) -> dict[str, float]:
    """Return what the default takes on one list: to read structures once, and for a batch after that, the second time [s]."""
    import numpy as np

    from controller.engine.thinking_ground import ground_of

    problem = _cached_problem(tuple(smiles))
    begun = time.process_time()
    ground_of(problem)
    ground = time.process_time() - begun
    rows = [int(i) for i in np.random.default_rng(0).choice(len(smiles), observations, replace=False)]
    values = [float(len(smiles[i])) for i in rows]
    choose = _ours(None, tuple(smiles))
    choose(rows, values, batch, 0)
    begun = time.process_time()
    choose(rows, values, batch, 1)
    peak = float(Path("/proc/self/status").read_text(encoding="ascii").partition("VmHWM:")[2].split()[0]) * 1024 / 1e6
    return {"molecules": len(smiles), "first": ground, "batch": time.process_time() - begun, "peak_mb": peak}


def longer(smiles: Sequence[str], n: int) -> list[str]:
    """Return `n` different molecules: those given, and then such with a group in front of them that RDKit can read."""
    from rdkit import Chem, rdBase

    found = dict.fromkeys(smiles)
    with rdBase.BlockLogs():
        for group in _GROUPS:
            for text in smiles:
                if len(found) >= n:
                    return list(found)[:n]
                if text[0] in "CN" and text[1:2] not in ("[", "(") and Chem.MolFromSmiles(group + text) is not None:
                    found[group + text] = None
    return list(found)[:n]


def render(found: list[dict[str, Any]]) -> str:
    """Return the table: the mean share of the best hundredth, and the median processor time of a batch."""
    lines = [f"{'library':12s} {'batch':>5s} {'method':14s} {'seeds':>5s} "
             + " ".join(f"{'after ' + str(n):>9s}" for n in AT) + f" {'s/batch':>8s}"]  # fmt: skip
    for key in dict.fromkeys((f["library"], f["batch"], f["method"]) for f in found):
        those = [f for f in found if (f["library"], f["batch"], f["method"]) == key]
        shares = [
            f"{statistics.fmean(f['found'][n - 1] / f['of'] for f in those):9.3f}" if n <= len(those[0]["found"]) else f"{'–':>9s}"
            for n in AT
        ]
        median = statistics.median(s for f in those for s in f["seconds"] or [0.0])
        lines.append(f"{key[0]:12s} {key[1]:5d} {key[2]:14s} {len(those):5d} {' '.join(shares)} {median:8.2f}")
    return "\n".join(lines)


def run(chosen: argparse.Namespace) -> int:
    """Run the campaigns, print the tables, write the results, and return the exit status."""
    try:
        folder = shared_folder()
        names, methods = chosen.libraries.split(","), chosen.methods.split(",")
        asked = [*((n, tuple(LIBRARIES)) for n in names), *((m, tuple(METHODS)) for m in methods)]
        for name, known in asked:
            if name not in known:
                raise ValueError(f"{name!r}: expected some of {', '.join(known)}")
    except (FileNotFoundError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch

    torch.set_num_threads(1)
    seeds, batches = parse_seeds(chosen.seeds), [int(text) for text in chosen.batches.split(",")]
    lengths = [int(text) for text in chosen.lengths.split(",") if text]
    if chosen.smoke:
        names, seeds, batches, chosen.experiments, lengths = names[:1], seeds[:1], [5], 20, []
    found: list[dict[str, Any]] = []
    for name in names:
        source = library(folder, name)
        for batch in batches:
            for method in methods:
                for seed in seeds:
                    found.append(campaign(source, method, batch, chosen.experiments, seed))
                    reached = f"{found[-1]['found'][-1]} of {found[-1]['of']}"
                    print(f"  {name} {batch} {method} seed {seed}: {reached}", file=sys.stderr, flush=True)
    print(render(found))
    rows = [costs(longer(library(folder, "docking").smiles, n), 200, 10) for n in lengths]
    if rows:
        print(f"\n{'molecules':>10s} {'structures, once [s]':>21s} {'a batch of 10 [s]':>18s} {'memory, peak [MB]':>18s}")
        for row in rows:
            print(f"{row['molecules']:10.0f} {row['first']:21.1f} {row['batch']:18.2f} {row['peak_mb']:18.0f}")
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps({**stamp(), "seeds": seeds, "campaigns": found, "costs": rows}, indent=1), encoding="utf-8")
    print(f"written to {chosen.output}")
    return 0
