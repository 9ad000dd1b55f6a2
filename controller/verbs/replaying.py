"""Derives a campaign's proposals again, and tells whether they are the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from controller.errors import ConflictError, UnknownNameError
from controller.verbs.logs import read_log
from controller.verbs.stores import Found

if TYPE_CHECKING:
    from controller.engine.replaying import Replayed


def replay_campaign(found: Found, numbers: list[int]) -> tuple[int, Iterator[Replayed]]:
    """Return how many proposals are derived again, and what comes of each, one after the other.

    Args:
        found: The campaign.
        numbers: Of the experiments; all that the proposer proposed where there are none.

    Raises:
        UnknownNameError: If there is no such experiment, or it was not proposed by the proposer.
    """
    from controller.engine.replaying import derivable, replay

    definition, events = read_log(found)
    kept = derivable(events)
    if wrong := [n for n in numbers if n not in kept]:
        n = found.reader.experiments(found.id)
        there = f"it has 1 to {len(n)}" if n else "it has none yet"
        source = next((e["source"] for e in n if e["number"] == wrong[0]), None)
        why = f"is a {source} point, which no model proposed" if source else f"does not exist; {there}"
        raise UnknownNameError(f"experiment {wrong[0]} of {found.name} {why}; name another with --number, or leave that out")
    return len(numbers or kept), replay(definition, events, set(numbers) or None)


def replayed(found: Found, numbers: list[int], most: int) -> dict[str, Any]:
    """Derive proposals again and return what came of it, as `replay_told` tells it.

    Args:
        found: The campaign.
        numbers: Of the experiments; all that the proposer proposed where there are none.
        most: More than so many are refused.

    Raises:
        UnknownNameError: As `replay_campaign` does.
        ConflictError: If there are more than `most`.
    """
    total, derived = replay_campaign(found, numbers)
    if total > most:
        raise ConflictError(
            f"{found.name} has {total} proposals, and at most {most} are derived in one answer: name some with number, or use "
            "labwright campaign replay"
        )
    return replay_told(found, list(derived))


def replay_told(found: Found, replayed: list[Replayed]) -> dict[str, Any]:
    """Return what came of a replay as JSON data; `same` is whether each proposal that could be derived is the same bit for bit."""
    rows = sorted(replayed, key=lambda r: r.number)
    changed = {name: list(pair) for r in rows for name, pair in r.changed.items()}
    return {
        "campaign": found.name, "simulated": found.simulated, "same": all(r.same is not False for r in rows),
        "compared": sum(r.same is not None for r in rows), "different": sum(r.same is False for r in rows),
        "not_derived": sum(r.same is None for r in rows), "changed": changed,
        "proposals": [
            {
                "number": r.number, "source": r.source, "same": r.same, "difference": r.difference,
                "changed": {name: list(pair) for name, pair in r.changed.items()},
            }
            for r in rows
        ],
    }  # fmt: skip
