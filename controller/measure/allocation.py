"""Who holds which instrument: claims, never more than an instrument's capacity."""

from __future__ import annotations

from collections.abc import Mapping


class Allocation:
    """The claims on the instruments of one lab.

    Args:
        capacities: Actions that each instrument carries out at the same time.
    """

    def __init__(self, capacities: Mapping[str, int]) -> None:
        self._capacities = dict(capacities)
        self._claims: dict[str, set[str]] = {name: set() for name in capacities}

    def free(self, instrument: str) -> bool:
        """Say whether another attempt fits."""
        return len(self._claims[instrument]) < self._capacities[instrument]

    def claim(self, instrument: str, attempt: str) -> bool:
        """Claim a place for `attempt`; False when there is none."""
        if attempt in self._claims[instrument]:
            return True
        if not self.free(instrument):
            return False
        self._claims[instrument].add(attempt)
        return True

    def hold(self, instrument: str, attempt: str) -> None:
        """Book a place for an attempt that is with the instrument already, whether there seems to be room or not."""
        self._claims[instrument].add(attempt)

    def release(self, instrument: str, attempt: str) -> None:
        """Give the place back; harmless when it was not held."""
        self._claims.get(instrument, set()).discard(attempt)

    def holders(self, instrument: str) -> frozenset[str]:
        """Return the attempts that hold `instrument`."""
        return frozenset(self._claims[instrument])
