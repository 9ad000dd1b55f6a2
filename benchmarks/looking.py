"""How long commands that look take on a full store: one campaign of ten thousand experiments among two hundred campaigns.

Whole processes on the wall clock and in processor time, the best of several; beside them `python -c "import typer, rich"`, which no
command line of this kind can be faster than. The store is written as a controller writes it, event by event, in large transactions.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.tables import stamp
from controller.domain.campaign import Budget, CampaignStatus, Definition
from controller.domain.event import (
    AlarmRaised,
    AttemptCommitted,
    AttemptStatusChanged,
    CampaignCreated,
    CampaignStatusChanged,
    Event,
    ExperimentProposed,
    ExperimentStatusChanged,
    Fault,
    Measurement,
    Observation,
)
from controller.domain.experiment import AttemptStatus, ExperimentStatus
from controller.domain.ids import new_id
from controller.domain.lab import InstrumentSpec, LabSpec, StepSpec
from controller.domain.objective import Objective
from controller.domain.parameter import CategoricalParameter, ContinuousParameter
from controller.domain.proposal import Alternative, Novelty, Prediction, Proposal
from controller.domain.space import Problem
from controller.store.opening import Store

LARGE = "large"
"""The campaign with many experiments."""
MOST_SHOW_S = 0.7
START, EACH_S = 1_780_000_000.0, 300.0
_UNIT = 250
_NAMES = ("temperature", "residence_time", "equivalents", "concentration")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m benchmarks looking`."""
    parser.add_argument("--experiments", type=int, default=10_000, help="of the large campaign (default: %(default)s)")
    parser.add_argument("--campaigns", type=int, default=200, help="in the store (default: %(default)s)")
    parser.add_argument("--small", type=int, default=20, help="experiments of each other campaign (default: %(default)s)")
    parser.add_argument("--store", type=Path, help="a store made earlier, or where to make it and keep it")
    parser.add_argument("--repeats", type=int, default=7, help="of each command; the best counts (default: %(default)s)")
    parser.add_argument("--smoke", action="store_true", help="a small store, each command once")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/looking.json"))


def definition(name: str, experiments: int) -> Definition:
    """Return a campaign with four numbers and a solvent, one objective, and two steps."""
    parameters: dict[str, Any] = {name: ContinuousParameter(bounds=(0.0, 100.0)) for name in _NAMES}
    parameters["solvent"] = CategoricalParameter(type="categorical", choices=("DMF", "MeCN", "THF"))
    lab = LabSpec(
        lab=f"lab-{name}", simulated=True,
        instruments={"reactor": InstrumentSpec(driver="sim"), "hplc": InstrumentSpec(driver="sim")},
        protocol=(
            StepSpec(step="react", instrument="reactor", action="run", arguments={"temperature": "$temperature"}),
            StepSpec(step="assay", instrument="hplc", action="measure", after=("react",), gives={"yield": "area"}),
        ),
    )  # fmt: skip
    problem = Problem(parameters=parameters, objectives={"yield": Objective(goal="maximize", unit="percent")})
    return Definition(name=name, problem=problem, budget=Budget(experiments=experiments + 10), seed=7, lab=lab)


def units(made: Definition, experiments: int) -> Iterator[list[Event]]:
    """Return the log of a campaign of `experiments`, one in fifty failed and the last one running, in transactions."""
    campaign, draw = new_id(), random.Random(made.name)
    begun = CampaignCreated(
        campaign=campaign, at=START, name=made.name, definition_fingerprint=made.fingerprint, seed=made.seed, simulated=True
    )
    unit: list[Event] = [begun, CampaignStatusChanged(campaign=campaign, at=START, status=CampaignStatus.RUNNING, reason="begun")]
    for number in range(1, experiments + 1):
        unit += experiment_events(campaign, number, draw, last=number == experiments)
        if number % _UNIT == 0:
            yield unit
            unit = []
    if unit:
        yield unit


def experiment_events(campaign: str, number: int, draw: random.Random, *, last: bool) -> list[Event]:
    """Return the log of one experiment; of the last one as far as it has come."""
    at, experiment = START + EACH_S * number, new_id()
    point: dict[str, Any] = {name: round(draw.uniform(0.0, 100.0), 3) for name in _NAMES}
    point["solvent"] = draw.choice(("DMF", "MeCN"))
    mean = 60.0 - 0.01 * (point["temperature"] - 70.0) ** 2
    proposal = Proposal(
        point=point, source="model" if number > 10 else "space-filling", acquisition=-1.5,
        acquisition_name="log expected improvement",
        predictions={"yield": Prediction(mean=mean, sd=2.0, scale=2.5, freedom=30.0)},
        novelty={"yield": Novelty(spread=0.2, rank=0.3, flagged=False)},
        surrogate={"yield": {"kind": "gp", "weights": [0.1] * 12, "lengthscales": [[1.234567890123] * 5] * 12}},
        runners_up=tuple(Alternative(point=point, acquisition=-2.0 - i) for i in range(3)), data_fingerprint="f" * 64, seconds=0.4,
    )  # fmt: skip
    events: list[Event] = [
        ExperimentProposed(campaign=campaign, at=at, experiment=experiment, number=number, proposal=proposal),
        ExperimentStatusChanged(campaign=campaign, at=at, experiment=experiment, status=ExperimentStatus.QUEUED),
        ExperimentStatusChanged(campaign=campaign, at=at, experiment=experiment, status=ExperimentStatus.RUNNING),
    ]

    def attempt(
        step: str, begun_at: float, took_s: float, fault: Fault | None, *, ends: bool = True, area: float | None = None
    ) -> None:
        key = new_id()
        instrument, action = ("reactor", "run") if step == "react" else ("hplc", "measure")
        events.append(AttemptCommitted(
            campaign=campaign, at=begun_at, attempt=key, experiment=experiment, step=step, ordinal=1, instrument=instrument,
            action=action, arguments={"temperature": point["temperature"]}, units={"temperature": "degC"},
        ))  # fmt: skip
        changed = {"campaign": campaign, "attempt": key, "experiment": experiment}
        events.append(AttemptStatusChanged(**changed, at=begun_at, status=AttemptStatus.RUNNING))
        if ends:
            status = AttemptStatus.SUCCEEDED if fault is None else AttemptStatus.FAULTED
            given = () if area is None else (Measurement(name="area", value=area, unit="percent", sem=0.5),)
            events.append(AttemptStatusChanged(**changed, at=begun_at + took_s, status=status, fault=fault, measurements=given))

    if last:
        attempt("react", at, 200.0, None, ends=False)
        return events
    if number % 50 == 0:
        fault = Fault(code="clog", message="line 3 is blocked", retryable=False)
        attempt("react", at, 90.0, fault)
        events += [
            ExperimentStatusChanged(campaign=campaign, at=at + 90.0, experiment=experiment, status=ExperimentStatus.FAILED,
                                    reason="react faulted: line 3 is blocked", fault=fault),
            AlarmRaised(campaign=campaign, at=at + 90.0, code="failed", message=f"experiment {number} failed: line 3 is blocked",
                        experiment=experiment),
        ]  # fmt: skip
        return events
    value = mean + draw.gauss(0.0, 2.5)
    attempt("react", at, 200.0, None)
    attempt("assay", at + 200.0, 80.0, None, area=value)
    events.append(ExperimentStatusChanged(
        campaign=campaign, at=at + 280.0, experiment=experiment, status=ExperimentStatus.COMPLETED,
        observations={"yield": Observation(value=value, unit="percent", sem=0.5)},
    ))  # fmt: skip
    return events


def make_store(path: Path, *, experiments: int, campaigns: int, small: int) -> None:
    """Write a store with the campaign `large` of so many experiments, and so many campaigns in all."""
    sizes = {LARGE: experiments} | {f"small-{i:03d}": small for i in range(1, campaigns)}
    with Store.open(str(path)) as store:
        for name, n in sizes.items():
            made = definition(name, n)
            for i, unit in enumerate(units(made, n)):
                store.commit_now(unit, definition=made if i == 0 else None)


def commands(store: Path, large: int) -> dict[str, list[str]]:
    """Return what is timed, by name; the first is what all are compared with."""
    looking = {
        "campaign list": ["campaign", "list"],
        "campaign show": ["campaign", "show", LARGE],
        "campaign show, small": ["campaign", "show", "small-001"],
        "campaign show --json": ["campaign", "show", LARGE, "--json"],
        "experiment show": ["experiment", "show", LARGE, str(large // 2)],
        "experiment list": ["experiment", "list", LARGE],
    }
    base = {"import typer, rich": [sys.executable, "-c", "import typer, rich"]}
    return base | {name: [sys.executable, "-m", "controller", *c, "--store", str(store)] for name, c in looking.items()}


def timed(command: Sequence[str]) -> tuple[float, float]:
    """Return the seconds that a process takes: on the wall clock, and of processor time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, timeout=120)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run(chosen: argparse.Namespace) -> int:
    """Make the store, time the commands, print the table, and return 0 when `campaign show`, with `--json` too, keeps its bound."""
    experiments, campaigns, repeats = (60, 3, 1) if chosen.smoke else (chosen.experiments, chosen.campaigns, chosen.repeats)
    with tempfile.TemporaryDirectory() as folder:
        store = chosen.store or Path(folder) / "full.db"
        if not store.exists():
            make_store(store, experiments=experiments, campaigns=campaigns, small=min(chosen.small, experiments))
        found: dict[str, dict[str, float]] = {}
        print(f"{experiments} experiments in one campaign, {campaigns} campaigns; best of {repeats}")
        print(f"{'':>24s} {'wall [s]':>9s} {'processor [s]':>14s} {'of the first':>13s}")
        for name, command in commands(store, experiments).items():
            took = [timed(command) for _ in range(repeats)]
            found[name] = {"wall_s": min(wall for wall, _ in took), "cpu_s": min(cpu for _, cpu in took)}
            share = found[name]["cpu_s"] / next(iter(found.values()))["cpu_s"]
            print(f"{name:>24s} {found[name]['wall_s']:9.3f} {found[name]['cpu_s']:14.3f} {share:13.2f}", flush=True)
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    sizes = {"experiments": experiments, "campaigns": campaigns, "repeats": repeats}
    chosen.output.write_text(json.dumps({**stamp(), **sizes, "most_s": MOST_SHOW_S, "commands": found}, indent=1), encoding="utf-8")
    print(f"written to {chosen.output}")
    shown = max(one["cpu_s"] for name, one in found.items() if name.startswith("campaign show"))
    return 0 if chosen.smoke or shown <= MOST_SHOW_S else 1
