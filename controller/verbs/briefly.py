"""What lists and monitors need to know of every campaign's definition: definitions are large, and there may be hundreds."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from controller.verbs.simulating import is_simulated

if TYPE_CHECKING:
    from controller.store.reading import Reader

MOST = 2000
"""So many are kept; the one asked for longest ago makes room."""


@dataclass(frozen=True)
class Brief:
    """Of one definition."""

    lab: str
    simulated: frozenset[str]
    """Its instruments that are."""
    instruments: dict[str, dict[str, Any]]
    """Name -> driver, limits and capacity, where they are said."""
    goals: dict[str, str]
    """Objective -> `maximize`, `minimize`, `match` …"""


_kept: OrderedDict[tuple[str, int, str], Brief] = OrderedDict()
_guard = Lock()


def briefs(reader: Reader) -> dict[str, Brief]:
    """Return campaign id -> what its newest definition says, of every campaign of a store.

    A version of a definition never changes: each is read and parsed once in the life of a process.

    Raises:
        StoreError: If the store cannot be read.
    """
    found: dict[str, Brief] = {}
    with reader.snapshot():
        for campaign, (version, fingerprint) in reader.definition_versions().items():
            key = (campaign, version, fingerprint)
            with _guard:
                brief = _kept.pop(key, None)
            if brief is None:
                brief = _brief(json.loads(reader.definition_body(campaign, version)))
            with _guard:
                _kept[key] = brief
                while len(_kept) > MOST:
                    _kept.popitem(last=False)
            found[campaign] = brief
    return found


def _brief(definition: dict[str, Any]) -> Brief:
    lab = definition["lab"]
    instruments = {
        name: {said: spec[said] for said in ("driver", "limits", "capacity") if said in spec}
        for name, spec in lab["instruments"].items()
    }  # fmt: skip
    goals = {name: str(o["goal"]) for name, o in definition["problem"]["objectives"].items()}
    simulated = frozenset(name for name in instruments if is_simulated(definition, name))
    return Brief(str(lab["lab"]), simulated, instruments, goals)
