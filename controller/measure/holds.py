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

    def put(self, source: str, holds: Mapping[str, Hold]) -> set[str]:
        """Let `source` hold these instruments, for these reasons, and no others.

        Returns:
            The instruments that nothing holds any longer.
        """
        for instrument, hold in holds.items():
            self._holds.setdefault(instrument, {})[source] = hold
        freed = set()
        for instrument in [name for name, by in self._holds.items() if source in by and name not in holds]:
            del self._holds[instrument][source]
            if not self._holds[instrument]:
                del self._holds[instrument]
                freed.add(instrument)
        return freed

    def of(self, instrument: str) -> Hold | None:
        """Return what holds an instrument, None if nothing does; of several reasons one that a person should hear of."""
        held = self._holds.get(instrument, {}).values()
        return next((hold for hold in held if hold.alarming), None) or next(iter(held), None)
