"""What `labwright validate` does: say what is wrong with a file before anything moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from controller.domain.space import Problem


@dataclass(frozen=True)
class Checked:
    """What there is to say of a file, one line each."""

    faults: list[str]
    """None when it is good."""
    remarks: list[str]
    """What is no fault and still worth a look."""


def check(path: Path, urls: Sequence[str]) -> Checked:
    """Say what is wrong with a campaign, lab or notify file, and what somebody may not have meant.

    Args:
        path: The file.
        urls: Stores with the earlier campaigns that it may name.
    """
    from controller.files.checking import check_file
    from controller.files.structures import remarks
    from controller.verbs.earlier import earlier_reader

    remarked: list[str] = []

    def objection(problem: Problem) -> str | None:
        remarked.extend(remarks(problem))
        return objection_to(problem)

    return Checked(check_file(path, earlier_reader(urls), objection), remarked)


def objection_to(problem: Problem) -> str | None:
    """Say why nothing could be proposed, None if something can."""
    if not problem.rules or problem.pool is not None:
        return None  # what is linear, or listed, is checked without searching
    from controller.design.drawing import draw
    from controller.encoding.space import SearchSpace
    from controller.errors import SpaceExhaustedError

    try:
        draw(SearchSpace.of(problem), 1, 0)
    except SpaceExhaustedError as error:
        return str(error)
    return None
