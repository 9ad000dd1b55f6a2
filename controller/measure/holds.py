"""Why an instrument is given nothing to do, apart from being busy or away: kept until every reason is gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Hold:
    """One reason. `alarming` says that a person should hear of it."""

    reason: str
    alarming: bool = True


class Holds:
    """The reasons by instrument and by source; a source, an interlock say, gives one reason to any number of instruments."""

    def __init__(self) -> None:
        self._holds: dict[str, dict[str, Hold]] = {}

    def put(self, source: str, holds: Mapping[str, Hold]) -> list[str]:
        """Let `source` hold these instruments, for these reasons, and no others.

        Returns:
            The instruments of which `of` has changed: held now, held for another reason, or free.
        """
        before = {name: self.of(name) for name in [*holds, *(name for name, by in self._holds.items() if source in by)]}
        for name in before:
            by = self._holds.setdefault(name, {})
            if name in holds:
                by[source] = holds[name]
            else:
                del by[source]
            if not by:
                del self._holds[name]
        return [name for name, hold in before.items() if hold != self.of(name)]

    def of(self, instrument: str) -> Hold | None:
        """Return what holds an instrument, None if nothing does; of several reasons one that a person should hear of."""
        held = self._holds.get(instrument, {}).values()
        return next((hold for hold in held if hold.alarming), None) or next(iter(held), None)
