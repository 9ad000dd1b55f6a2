"""What goes wrong in one rehearsal, drawn from its seed before it begins or as it goes along."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

CONTROLLER: Final = "controller"

POINTS: Final = {
    "commit.asked": 30, "commit.made": 30, "frame.to_driver": 60, "frame.to_controller": 90, "journal.accepted": 10,
    "journal.started": 10, "journal.finished": 10, "journal.acknowledged": 10, "device.begun": 10, "proposal.made": 8,
}  # fmt: skip
"""Named points of the walk, at which a process may die, and about how often each is passed in a short campaign."""

TROUBLE_S: Final = 25.0
"""How long things go wrong; then the lab is left in peace and has to come to its end [virtual s]."""


@dataclass(frozen=True)
class Death:
    """A process dies."""

    point: str
    """At this point of the walk, or `time`."""
    when: float
    """The how-manieth time the point is passed; for `time` the second."""
    before: bool = False
    """Whether it dies before what the point names, not after."""
    also: bool = False
    """Whether controller and driver die together."""


@dataclass(frozen=True)
class Window:
    """A stretch of time in which something is not as it should be."""

    begin: float
    end: float
    what: str = ""
    """Instrument, or nothing for all."""

    def holds(self, now: float, what: str = "") -> bool:
        """Say whether it is in force."""
        return self.begin <= now < self.end and self.what in ("", what)


@dataclass
class Plan:
    """All misfortunes of one seed."""

    seed: int
    loss: float
    """Probability that a frame is lost."""
    doubling: float
    lateness_s: float
    """Frames are late by up to so much [virtual s]."""
    very_late: float
    """Probability that a frame is late by minutes."""
    deaths: list[Death]
    cuts: list[Window]
    """No frame passes."""
    full_disks: list[Window]
    """Journals cannot be written."""
    store_away: list[Window]
    """The store cannot be written."""
    jumps: list[tuple[float, float]]
    """When the clock on the wall is set, and by how much [s]."""
    stops: list[Window]
    """An instrument is stopped by a person, and released again."""
    switched_off: list[Window]
    """A person takes an instrument out of service, and puts it back."""
    forgetful: set[str]
    """Instruments whose drivers cannot find out what became of an interrupted action."""
    torn: bool
    """Whether a death leaves half a line, half a page, at the end of every file."""
    ending: str = ""
    """`stop`: a person stops the campaign; `leave`: the controller is told to leave in the middle, and started again."""
    ending_at: float = 0.0
    passed: Counter[str] = field(default_factory=Counter)

    def due(self, point: str, *, before: bool) -> Death | None:
        """Return the death that is due as `point` is passed, if one is; called once before and once after it."""
        if not before:
            self.passed[point] += 1
        count = self.passed[point] + before
        for death in self.deaths:
            if (death.point, death.before) == (point, before) and death.when == count:
                return death
        return None


def draw(seed: int, instruments: list[str]) -> Plan:
    """Return the misfortunes of a seed."""
    rng = random.Random(f"plan {seed}")
    return Plan(
        seed=seed,
        loss=rng.choice([0.0, 0.0, 0.05, 0.2, 0.4]),
        doubling=rng.choice([0.0, 0.1, 0.4]),
        lateness_s=rng.choice([0.0, 0.0, 0.05, 0.5, 3.0]),
        very_late=rng.choice([0.0, 0.0, 0.01, 0.03]),
        deaths=[_death(rng) for _ in range(rng.choice([0, 1, 2, 2, 3, 4]))],
        cuts=[_window(rng, instruments, 20.0) for _ in range(rng.choice([0, 0, 0, 1, 2]))],
        full_disks=[_window(rng, instruments, 5.0) for _ in range(rng.choice([0, 0, 0, 0, 1]))],
        store_away=[_window(rng, [""], 5.0) for _ in range(rng.choice([0, 0, 0, 1]))],
        jumps=[
            (rng.uniform(0.0, TROUBLE_S), rng.choice([-1.0, 1.0]) * 10.0 ** rng.uniform(0.0, 5.0))
            for _ in range(rng.choice([0, 0, 0, 0, 1, 2]))
        ],
        stops=[_stop(rng, instruments) for _ in range(rng.choice([0, 0, 0, 1, 1, 2]))],
        switched_off=[_window(rng, instruments, 10.0) for _ in range(rng.choice([0, 0, 0, 1]))],
        forgetful={name for name in instruments if rng.random() < 0.4},
        torn=rng.random() < 0.5,
        ending=rng.choice(["", "", "", "", "leave", "leave", "stop"]),
        ending_at=rng.uniform(0.5, TROUBLE_S),
    )


def _death(rng: random.Random) -> Death:
    if rng.random() < 0.3:
        return Death("time", rng.uniform(0.1, TROUBLE_S), also=rng.random() < 0.3)
    point = rng.choice(list(POINTS))
    return Death(point, rng.randint(1, POINTS[point]), before=rng.random() < 0.5, also=rng.random() < 0.15)


def _stop(rng: random.Random, instruments: list[str]) -> Window:
    """A stop that lasts long enough to look whether it was obeyed."""
    begin = rng.uniform(0.0, TROUBLE_S)
    return Window(begin, begin + rng.uniform(3.0, 10.0), rng.choice([*instruments, ""]))


def _window(rng: random.Random, names: list[str], longest_s: float) -> Window:
    begin = rng.uniform(0.0, TROUBLE_S)
    return Window(begin, min(begin + rng.uniform(0.5, longest_s), TROUBLE_S), rng.choice([*names, ""]))
