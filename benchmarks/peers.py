"""What other tools need on the same problems, measured again: `python -m benchmarks peers --seeds 0-7`.

The adapters are those of `bench/harness.py` of the folder that `LABWRIGHT_SHARED` names; the tools are those of the extra
`bench`. A campaign ends at its target, since what is compared is the number of experiments until then. What was measured is kept
campaign by campaign, so that an interrupted run goes on; `python -m benchmarks tables` compares with it.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import logging
import sys
import warnings
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks import tables

PATIENCE = 4000.0
"""Seconds [s] after which a campaign is given up, and not counted."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m benchmarks peers`."""
    parser.add_argument("--tools", default="baybe,botorch,ax", help="separated by commas (default: %(default)s)")
    parser.add_argument("--problems", default="all,hartmann6_q4", help="as of `tables` (default: %(default)s)")
    parser.add_argument("--seeds", default="0-7", help="for example 0-7 or 3 (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=tables.KEPT, help="what is there already is kept (default: %(default)s)")


def run(chosen: argparse.Namespace) -> int:
    """Run the campaigns that are not there yet, write each as it ends, and return the exit status."""
    try:
        folder = tables.shared_folder()
        harness = load_harness(folder)
    except (FileNotFoundError, ImportError) as error:
        print(error, file=sys.stderr)
        return 2
    kept: dict[str, Any] = json.loads(chosen.output.read_text()) if chosen.output.exists() else {"peers": []}
    kept["versions"] = kept.get("versions", {}) | versions()
    for seed in tables.parse_seeds(chosen.seeds):
        for name in tables.chosen_problems(harness.P, chosen.problems):
            for tool in chosen.tools.split(","):
                row = row_of(kept["peers"], tool, name)
                if str(seed) in row["seeds"]:
                    continue
                hit, fault = needed(harness, tool, name, seed)
                print(f"  {name} {tool} seed {seed}: {fault or hit or 'missed'}", file=sys.stderr, flush=True)
                if fault is None:
                    row["seeds"][str(seed)] = {"hit": hit}
                    write(chosen.output, kept)
    print(f"written to {chosen.output}")
    return 0


def load_harness(folder: Path) -> ModuleType:
    """Import `bench/harness.py` of the shared folder, with the problems of its `bench/problems.py`.

    Raises:
        FileNotFoundError: If it is not there.
        ImportError: If something that it needs is not installed.
    """
    if not (folder / "bench" / "harness.py").is_file():
        raise FileNotFoundError(f"{folder}/bench/harness.py is not there: it holds the adapters of the other tools")
    with silence(), _beginning_with(folder / "bench"):
        try:
            return importlib.import_module("harness")
        except ModuleNotFoundError as error:
            raise ImportError(f"the harness needs {error.name}, which is not installed: pip install 'labwright[bench]'") from error


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Let no tool warn as long as the block lasts, and undo what it silences itself: the harness ends all logging of a process."""
    level = logging.root.manager.disable
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging.disable(logging.WARNING)
            yield
    finally:
        logging.disable(level)


@contextlib.contextmanager
def _beginning_with(folder: Path) -> Iterator[None]:
    """Look for modules in `folder` first as long as the block lasts; the harness puts itself on the path once more."""
    kept = list(sys.path)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path[:] = kept


def needed(harness: ModuleType, tool: str, name: str, seed: int) -> tuple[int | None, str | None]:
    """Return the experiments that `tool` needs to the target, None if it misses it, and what went wrong, if anything."""
    problem = harness.P.get(name)
    problem.opt = problem.target  # the harness ends a table's campaign at its best row; the target is enough here
    with silence():
        found = harness.run_one(tool, name, seed, PATIENCE)
    return first_hit(found["true"], problem.target), found["err"]


def first_hit(values: list[float], target: float) -> int | None:
    """Return after how many experiments one of them reached the target, or None."""
    return next((i for i, value in enumerate(values, start=1) if value >= target - 1e-12), None)


def row_of(rows: list[dict[str, Any]], tool: str, name: str) -> dict[str, Any]:
    """Return the row of a tool on a problem, a new one at the end if there is none."""
    for row in rows:
        if (row["tool"], row["problem"]) == (tool, name):
            return row
    rows.append({"tool": tool, "problem": name, "seeds": {}})
    return rows[-1]


def merged(recorded: list[dict[str, Any]], again: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of both; where a seed was measured again, what was found then counts."""
    rows = [{**row, "seeds": dict(row["seeds"])} for row in recorded]
    for row in again:
        row_of(rows, row["tool"], row["problem"])["seeds"].update(row["seeds"])
    return rows


def write(path: Path, kept: dict[str, Any]) -> None:
    """Write what is kept, one line for each tool and problem, whole or not at all."""
    rows = ",\n".join(json.dumps(row) for row in sorted(kept["peers"], key=lambda row: (row["problem"], row["tool"])))
    part = path.with_suffix(".part")
    part.write_text(f'{{"versions": {json.dumps(kept["versions"])},\n"peers": [\n{rows}\n]}}\n')
    part.replace(path)


def versions() -> dict[str, str]:
    """Return the versions of the other tools that are installed."""
    found = {}
    for name in ("baybe", "ax-platform", "bofire", "HEBO", "botorch", "gpytorch", "torch"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
