"""What an objective keeps to, as straight lines: at least, at most, and the target."""

from __future__ import annotations

from typing import Literal

from controller.domain.objective import Objective
from controller.figures.figure import Rule


def bounds(objective: Objective, along: Literal["x", "y"] = "y") -> list[Rule]:
    """Return a line for each bound of an objective; that of a lower one is named below it, so that close ones stay readable."""
    said = ((objective.at_least, "at least"), (objective.at_most, "at most"), (objective.target, "target"))
    return [
        Rule(
            series="", colour="ink", along=along, value=bound, label=f"{word} {bound:g}",
            side="below" if word == "at least" else "above",
        )
        for bound, word in said if bound is not None
    ]  # fmt: skip
