"""Results of campaigns in the store, for those that come after them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from controller.verbs.results import has_result
from controller.verbs.stores import find

if TYPE_CHECKING:
    from controller.domain.knowledge import EarlierCampaign


def earlier_reader(urls: Sequence[str]) -> Callable[[str], EarlierCampaign]:
    """Return what reads the results of a campaign that one of the stores holds.

    What it returns raises `UnknownNameError` where none has it, and `ConflictError` where two have one of that name.
    """

    def read(name: str) -> EarlierCampaign:
        from controller.domain.knowledge import EarlierCampaign

        with find(urls, name) as found:
            rows = [row for row in found.reader.experiments(found.id, "completed") if has_result(row)]
        parameters = list(rows[0]["parameters"]) if rows else []
        objectives = dict.fromkeys(name for row in rows for name in row["objectives"])
        return EarlierCampaign(
            name=name,
            points={p: tuple(row["parameters"][p] for row in rows) for p in parameters},
            values={o: tuple(row["objectives"].get(o) for row in rows) for o in objectives},
        )

    return read
