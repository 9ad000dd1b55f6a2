"""A cell of the matrix, the small campaign in which it happens, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.domain.campaign import Budget, Definition, ProposalPolicy
from controller.domain.lab import InstrumentSpec, LabSpec, StepSpec
from controller.domain.state import CampaignState, Experiment
from instruments.protocol.capabilities import Consequence
from tests.controller.drill.crash.rig import ACTION, INSTRUMENT
from tests.controller.spaces import problem

EXPERIMENTS = 4


@dataclass(frozen=True)
class Cell:
    """A point, a fault, and the sort of action that they meet."""

    point: str
    fault: str
    consequence: Consequence
    hook: bool = False
    """Whether the driver can find out what became of an interrupted action."""


@dataclass
class Told:
    """What came of one cell."""

    state: CampaignState
    """As the durable events tell it."""
    acts: Counter[str]
    """How often the device began each attempt."""
    broken: list[str]
    """Invariants that did not hold."""
    alarms: dict[str, set[str | None]]
    """Code -> experiments."""
    reached_at: float | None
    """When the point was reached [virtual s]."""
    begun_before: int
    """How often the action of the experiment at the point had been begun by then."""
    cut_short: set[str]
    """What was running in the driver when it was killed: attempts."""
    struck: list[str]
    """What the fault did."""
    counts: tuple[Mapping[str, int], Mapping[str, int]]
    """Experiments by status: in the log, in the tables."""
    trace: list[str] = field(default_factory=list)

    def experiments(self) -> dict[int, Experiment]:
        """Return the experiments by number."""
        return {e.number: e for e in self.state.experiments.values()}

    def begun(self, experiment: Experiment) -> int:
        """Return how often the action of an experiment was begun."""
        return sum(n for attempt, n in self.acts.items() if self.state.attempts[attempt].experiment == experiment.id)


def campaign(consequence: Consequence, *, ahead: int = 0) -> Definition:
    """Return a campaign of four experiments, two in flight, on one device that carries them out one after the other.

    Args:
        consequence: Of its one action.
        ahead: How many experiments more are queued.
    """
    rig = InstrumentSpec(driver="tests.controller.drill.crash.rig:Rig", options={"consequence": consequence}, capacity=2)
    step = StepSpec(step="only", instrument=INSTRUMENT, action=ACTION, arguments={"x": "$x"}, gives={"y": "y"})
    return Definition(
        name="matrix", problem=problem({"x": {"type": "continuous", "bounds": (0, 1)}}), batch=2,
        budget=Budget(experiments=EXPERIMENTS), proposals=ProposalPolicy(ahead=ahead),
        lab=LabSpec(lab="bench", instruments={INSTRUMENT: rig}, protocol=(step,), simulated=True),
    )  # fmt: skip
