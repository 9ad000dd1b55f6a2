"""Instruments that people, or a latched interlock, have switched off: written here, honoured by whoever dispatches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import col

from controller.store.records import plain
from controller.store.tables import InstrumentRow


@dataclass(frozen=True)
class Switch:
    """An instrument of a lab is enabled or disabled; `at` is real time [s since 1970-01-01 UTC]. The newest word counts."""

    lab: str
    instrument: str
    enabled: bool
    reason: str
    by: str
    at: float

    def apply(self, connection: Connection, ends: Mapping[str, int]) -> Mapping[str, int]:
        """Write the row, in the place of an earlier one."""
        del ends
        connection.execute(
            sa.delete(InstrumentRow).where(col(InstrumentRow.lab) == self.lab, col(InstrumentRow.name) == self.instrument)
        )
        connection.execute(
            sa.insert(InstrumentRow).values(
                lab=self.lab, name=self.instrument, enabled=self.enabled, reason=plain(self.reason),
                changed_by=plain(self.by), changed_at=self.at,
            )
        )  # fmt: skip
        return {}

    def find_applied(self, connection: Connection) -> Mapping[str, int] | None:
        """Say that it was not applied: writing it again changes nothing."""
        del connection
        return None
