"""What `labwright validate` does: say what is wrong with a file before anything moves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from controller.domain.space import Problem


def faults_of(path: Path, urls: Sequence[str]) -> list[str]:
    """Return one line per fault of a campaign, lab or notify file, none when it is good.

    Args:
        path: The file.
        urls: Stores with the earlier campaigns that it may name.
    """
    from controller.files.checking import check_file
    from controller.verbs.earlier import earlier_reader

    return check_file(path, earlier_reader(urls), _objection)


def _objection(problem: Problem) -> str | None:
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
