"""A campaign: what is searched, what is wanted, how far it may go, and where it is carried out."""

from __future__ import annotations

import json
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import Field

from controller.domain.base import LATER, Label, Model, Name, Point
from controller.domain.cost import Cost
from controller.domain.desirability import Desirability
from controller.domain.drift import Drift
from controller.domain.fidelity import Fidelity
from controller.domain.knowledge import EarlierSource, Hint, PhysicsSource
from controller.domain.lab import LabSpec
from controller.domain.objective import Objective
from controller.domain.parameter import Parameter
from controller.domain.pool import Pool
from controller.domain.space import Problem, fingerprint
from surrogates.specs import AutoSpec, SurrogateSpec

MOST_LISTED_OUT = 2_000_000
"""Cells of the largest pool whose values count one by one in the fingerprint of a campaign."""


class Budget(Model):
    """When to stop."""

    experiments: Annotated[int, Field(ge=1, le=1_000_000)]
    """Experiments carried out, failed ones included; cancelled ones cost nothing."""
    hours: Annotated[float, Field(gt=0)] | None = None
    """Lab time that the campaign may be at work [h], pauses left out; no new experiment is begun after it."""
    cost: Annotated[float | None, Field(gt=0), LATER] = None
    """What the experiments may cost, in the unit of `cost`; no new one is begun once so much is spent."""


class FailurePolicy(Model):
    """What to do when something goes wrong."""

    attempts: Annotated[int, Field(ge=1, le=20)] = 3
    """Dispatches of one step at most; only what may be repeated safely is ever dispatched again. What an instrument refuses because
    it is stopped, busy or not ready does not count."""
    pause_after: Annotated[int, Field(ge=1)] = 5
    """The campaign pauses after so many failed experiments in a row."""
    stall_factor: Annotated[float, Field(ge=1)] = 1.5
    """An action that takes so many times its declared longest duration raises an alarm while it goes on."""
    deadline_factor: Annotated[float, Field(ge=1)] = 3.0
    """An action that takes so many times its declared longest duration is ended by its driver."""
    distrust: Literal["alarm", "pause", "ignore"] = "alarm"
    """What follows when results lie outside what the model had predicted of them far too often (`labwright campaign calibration`):
    an alarm, an alarm and a pause until a person resumes the campaign, or nothing."""


class ProposalPolicy(Model):
    """How points are proposed."""

    surrogate: SurrogateSpec = AutoSpec()
    """The model; `{kind: auto}` chooses by the number of observations."""
    first_points: Annotated[int, Field(ge=1)] | None = None
    """Space-filling points before the model is used; by default as few as the kind of space needs."""
    ahead: Annotated[int, Field(ge=0, le=100)] | None = None
    """Proposals kept ready beyond the batch; by default none for batch 1 and one for larger batches."""
    patience: Annotated[float, Field(gt=0)] = 60.0
    """After so many real seconds without a proposal a space-filling point stands in."""
    trust_region: Annotated[bool | None, LATER] = None
    """Whether the next point is looked for in a neighbourhood of the best result, which grows with success and shrinks without; by
    default not."""


class CampaignFile(Model):
    """The campaign file as its user writes it."""

    campaign: Label
    """Its name: letters, digits and `_.+@-`, unique in its store."""
    description: str = ""
    """For people."""
    parameters: Annotated[dict[Name, Parameter], Field(min_length=1, max_length=1000)]
    """What may be set: name -> its type and range."""
    context: Annotated[dict[Name, Parameter], Field(max_length=100)] = {}
    """What is given, not chosen, and counts: name -> its type and range, such as the room's humidity. It is told by
    `labwright campaign context NAME humidity=43`, before the first proposal and whenever it changes; the model learns from each
    experiment with what it was when that began, and proposes for what it is now."""
    context_from: dict[Name, str] = {}
    """Context variables that are read, not told: name -> `INTERLOCK.VALUE`, what an interlock of the lab reads all the time."""
    constraints: Annotated[tuple[str, ...], Field(max_length=1000)] = ()
    """What every experiment meets: linear equalities and inequalities such as `a + 2 * b <= 10`; other inequalities, with
    `+ - * / **`, `exp log log10 sqrt abs min max sin cos`, such as `a * b <= 3`; how many parts are used, `count(a, b, c) <= 2`;
    and what holds under a condition only, `temperature <= 95 if solvent == "water"`."""
    candidates: str | None = None
    """A CSV or Parquet file whose rows are the only settings possible (a `table` lab implies its own); up to millions of rows."""
    objectives: Annotated[dict[Name, Objective], Field(min_length=1, max_length=100)]
    """What is measured, and what is wanted of it; with several the whole front between them is looked for. With bounds it is an
    outcome constraint."""
    desirability: Annotated[dict[Name, Desirability], LATER] = {}
    """Combines several objectives into one score instead: how desirable the values of each are."""
    budget: Budget
    """How far the campaign may go."""
    batch: Annotated[int, Field(ge=1, le=1000)] = 1
    """Experiments in flight."""
    allow_replicates: Literal[False, True, "auto"] = False
    """Whether a setting may be proposed again; `auto` measures the best ones again when that tells more than a new setting."""
    cost: Annotated[Cost | None, LATER] = None
    """What an experiment costs: more is then expected of what costs more."""
    drift: Annotated[Drift | None, LATER] = None
    """How measurements drift, and the reference experiments that show it."""
    fidelity: Fidelity | None = None
    """Cheaper ways to carry an experiment out, a simulation or a quick assay, beside the one that counts. Each experiment then has
    a setting `fidelity`, which a step of the protocol takes as `$fidelity`."""
    earlier: Annotated[tuple[EarlierSource, ...], Field(max_length=20)] = ()
    """Earlier campaigns with the same parameters and objectives, on other substrates for example; this one learns from them as far
    as they predict its own results."""
    hints: Annotated[tuple[Hint, ...], Field(max_length=20)] = ()
    """Guesses of where the best lies; they count less with every result."""
    first: Annotated[tuple[Point, ...], Field(max_length=1000)] = ()
    """Settings to be measured before all others, each with every parameter."""
    physics: PhysicsSource | None = None
    """A physical model of what is measured, in a Python file; its parameters are fitted, and what it misses is learned."""
    proposals: ProposalPolicy = ProposalPolicy()
    """How points are proposed."""
    failures: FailurePolicy = FailurePolicy()
    """What to do when something goes wrong."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Of all random numbers: the same seed and the same results give the same proposals."""
    lab: str | dict[str, Any]
    """The path of a lab file, `{simulator: NAME, ...}`, or `{by_hand: true}`: people do it."""


class Definition(Model):
    """A campaign with everything its file points to: enough to run, resume and replay it without any file."""

    name: Label
    description: str = ""
    problem: Problem
    budget: Budget
    batch: int = 1
    proposals: ProposalPolicy = ProposalPolicy()
    failures: FailurePolicy = FailurePolicy()
    seed: int = 0
    context_from: dict[Name, str] = {}
    """Context variable -> `INTERLOCK.VALUE` that it is read from."""
    lab: LabSpec
    format: Literal[1] = 1

    @property
    def ahead(self) -> int:
        """Proposals kept ready beyond the batch."""
        if self.proposals.ahead is not None:
            return self.proposals.ahead
        return 0 if self.batch == 1 else 1

    @property
    def simulated(self) -> bool:
        """Whether a simulated instrument takes part, and its data say so; `lab.simulated` says whether all are."""
        return self.lab.gives_simulated

    @property
    def fingerprint(self) -> str:
        """SHA-256 over everything that decides which experiments are proposed; it never changes during a campaign.

        A pool of up to `MOST_LISTED_OUT` cells counts with its values, as it always did; a larger one by its own hash.
        """
        content = self.model_dump(mode="json", include={"problem", "proposals", "seed"})
        pool = self.problem.pool
        if pool is None or pool.inline or pool.cells > MOST_LISTED_OUT:
            return fingerprint(content)
        content["problem"]["pool"] = None
        return _with_values(json.dumps(content), pool)


@lru_cache(maxsize=2)
def _with_values(content: str, pool: Pool) -> str:
    whole = json.loads(content)
    whole["problem"]["pool"] = {"columns": {name: list(column) for name, column in pool.columns.items()}}
    return fingerprint(whole)


class CampaignStatus(StrEnum):
    """Where a campaign stands."""

    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    COMPLETED = "completed"
    FAILED = "failed"
