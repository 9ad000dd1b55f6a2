"""Many rehearsals of one campaign, and what came of each."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from controller.domain.campaign import Budget, Definition
from controller.domain.pool import MOST_INLINE
from controller.domain.space import Problem
from controller.drill import EXPERIMENTS, virtual
from controller.drill.plan import draw
from controller.drill.world import World, fresh_folder
from controller.encoding.space import SearchSpace
from controller.errors import ConflictError
from controller.store.opening import Store
from instruments.sdk.driver import describe_driver
from instruments.sdk.options import build_driver
from instruments.sdk.registry import load_driver

_LONGEST_ACTION_S = 6.0
"""Lab time is scaled so that the longest action takes so long [virtual s]: about as long as a lease."""


@dataclass(frozen=True)
class Rehearsal:
    """What came of one seed."""

    seed: int
    broken: list[str]
    """Invariants that did not hold; empty when all did."""
    counts: dict[str, int]
    n_begun: int
    """Actions that devices carried out."""
    virtual_s: float
    trace: list[str] = field(default_factory=list)


def prepared(definition: Definition, experiments: int = EXPERIMENTS) -> Definition:
    """Return the campaign as it is rehearsed: short, and on a fast clock.

    Raises:
        ConflictError: If an instrument is not simulated.
    """
    if not definition.lab.simulated:
        raise ConflictError(
            f"lab {definition.lab.lab} is not simulated: nothing is rehearsed on real instruments; use --simulate"
        )
    longest = 0.0
    for spec in definition.lab.instruments.values():
        offered = describe_driver(build_driver(load_driver(spec.driver), spec.options))
        longest = max([longest, *(action.duration_s[0] for action in offered.actions.values())])
    lab = definition.lab.model_copy(update={"speed": max(1.0, longest / _LONGEST_ACTION_S)})
    budget = Budget(experiments=min(experiments, definition.budget.experiments))
    return definition.model_copy(
        update={"lab": lab, "budget": budget, "name": "rehearsal", "problem": _smaller(definition.problem)}
    )


def _smaller(problem: Problem) -> Problem:
    """Return `problem` without context, and with so much of a large pool that it travels with it.

    What is rehearsed is not the choice of points, and nobody is there to tell the context.
    """
    problem = problem.model_copy(update={"context": {}}) if problem.context else problem
    if problem.pool is None or problem.pool.inline:
        return problem
    rows = np.arange(MOST_INLINE // len(problem.pool.names))
    return problem.model_copy(update={"pool": problem.pool.take(rows)})


def rehearse(definition: Definition, seed: int, *, trace: bool = False) -> Rehearsal:
    """Rehearse a prepared campaign with the misfortunes of one seed; the same seed gives the same rehearsal.

    Args:
        definition: See `prepared`.
        seed: Of everything that is left to chance.
        trace: Whether to return what happened, line by line, also when nothing was broken.
    """
    plan = draw(seed, list(definition.lab.instruments))
    space = _space(definition.problem.model_dump_json())
    folder = fresh_folder(workplace() / "rehearsal", empty_store())
    worlds: list[World] = []

    async def live(clock: virtual.VirtualTime) -> float:
        begin = clock.monotonic()
        worlds.append(World(definition, plan, clock, folder, space))
        await worlds[0].rehearse()
        return clock.monotonic() - begin

    lasted = virtual.run(live, random.Random(f"ids {seed}"))
    witness = worlds[0].witness
    told = list(witness.trace) if trace or witness.broken else []
    return Rehearsal(seed, witness.broken, witness.state.counts(), witness.n_begun, lasted, told)


def rehearse_many(definition: Definition, seeds: range, jobs: int, *, trace: bool = False) -> Iterator[Rehearsal]:
    """Rehearse a prepared campaign with many seeds, in as many processes as `jobs`; in order of the seeds."""
    before = os.environ.get("PYTHONHASHSEED")
    os.environ["PYTHONHASHSEED"] = "0"  # inherited: the order of a set must be the same in every process
    try:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, mp_context=context) as pool:
            text = definition.model_dump_json()
            yield from pool.map(_rehearse_text, ((text, seed, trace) for seed in seeds), chunksize=4)
    finally:
        if before is None:
            del os.environ["PYTHONHASHSEED"]
        else:
            os.environ["PYTHONHASHSEED"] = before


def _rehearse_text(asked: tuple[str, int, bool]) -> Rehearsal:
    text, seed, trace = asked
    return rehearse(_definition(text), seed, trace=trace)


@lru_cache(maxsize=1)
def _definition(text: str) -> Definition:
    return Definition.model_validate_json(text)


@lru_cache(maxsize=4)
def _space(problem: str) -> SearchSpace:
    return SearchSpace.of(Problem.model_validate_json(problem))


@lru_cache(maxsize=1)
def workplace() -> Path:
    """Return a folder of this process, in memory where the system offers that: nothing has to outlive a rehearsal."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="labwright-drill-", dir=memory if os.access(memory, os.W_OK) else None))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@lru_cache(maxsize=1)
def empty_store() -> Path:
    """Return a store in which nothing is yet, to be copied."""
    path = workplace() / "empty.db"
    Store.open(str(path)).close()
    return path
