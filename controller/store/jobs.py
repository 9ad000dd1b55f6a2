"""What the writer thread writes: units of events, requests and their answers.

A job can be applied, and can be looked up after a connection broke in the middle of a commit, so that nothing is written
twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlmodel import col

from controller.domain.campaign import Definition
from controller.domain.event import CampaignCreated, Event, event_adapter
from controller.domain.ids import new_id
from controller.errors import ConflictError
from controller.store.chain import BEGINNING, link
from controller.store.projection import amend_definition, compact, insert_campaign, project
from controller.store.records import plain
from controller.store.sql import insert
from controller.store.tables import CampaignRow, EventRow, PoolPartRow, PoolRow, RequestRow

Ends = Mapping[str, int]
"""Campaign -> position of the newest event in its log, as this process knows it."""


# Built once: building a statement costs SQLAlchemy more than carrying it out costs SQLite.
_KEY: sa.BindParameter[str] = sa.bindparam("key")
_LOG_END = (
    sa.select(col(EventRow.campaign_sequence), col(EventRow.chain), col(CampaignRow.name))
    .join(CampaignRow, col(CampaignRow.id) == col(EventRow.campaign))
    .where(col(EventRow.campaign) == _KEY)
    .order_by(col(EventRow.campaign_sequence).desc())
    .limit(1)
)


class Job(Protocol):
    """One piece of writing that happens as a whole or not at all."""

    def apply(self, connection: Connection, ends: Ends) -> Ends:
        """Write, within the transaction of `connection`; return the ends of the logs that grew.

        Raises:
            ConflictError: If it contradicts what the store holds.
        """

    def find_applied(self, connection: Connection) -> Ends | None:
        """Return what `apply` returned if it took effect earlier, else None."""


def _refuse_nothing(campaign: str) -> None:
    """Let every campaign be written."""


@dataclass(frozen=True)
class Unit:
    """Events of one campaign that become durable together."""

    events: tuple[Event, ...]
    definition: Definition | None = None
    guard: Callable[[str], None] = _refuse_nothing
    """Called with the campaign's name before writing; raises where this process may no longer write it."""
    ids: tuple[str, ...] = field(init=False)
    bodies: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        if len({event.campaign for event in self.events}) != 1:
            raise ValueError(
                f"a unit holds one or more events of one campaign, got {[e.campaign for e in self.events]}"
            )
        object.__setattr__(self, "ids", tuple(new_id() for _ in self.events))
        # Serialised by whom asks, not by the writer thread: an event that cannot be written fails at once.
        object.__setattr__(self, "bodies", tuple(event_adapter.dump_json(event).decode() for event in self.events))

    def apply(self, connection: Connection, ends: Ends) -> Ends:
        """Write the events and bring the rows up to date."""
        created = self.events[0]
        campaign = created.campaign
        newest = connection.execute(_LOG_END, {"key": campaign}).one_or_none()
        (end, chain, name) = (0, BEGINNING, None) if newest is None else newest
        if name is not None:
            self.guard(name)
        known = ends.get(campaign, end)
        if known != end:
            raise ConflictError(
                f"the log of campaign {campaign} ends at event {end}, this process knows it up to {known}: another program "
                "wrote it (or the store was replaced); read the log again"
            )
        if isinstance(created, CampaignCreated):
            if self.definition is None:
                raise ConflictError(f"campaign {created.name} is created without its definition; pass definition=")
            insert_campaign(connection, created, self.definition)
        elif self.definition is not None:
            amend_definition(connection, campaign, self.definition)
        insert(connection, EventRow, self._rows(end, chain))
        project(connection, zip(self.events, self.ids, strict=True))
        return {campaign: end + len(self.events)}

    def _rows(self, end: int, chain: str) -> list[dict[str, object]]:
        """Return the rows of the events, which continue a log that ends at position `end` with hash `chain`."""
        rows: list[dict[str, object]] = []
        for sequence, (event, key, body) in enumerate(zip(self.events, self.ids, self.bodies, strict=True), start=end + 1):
            chain = link(chain, event.campaign, sequence, key, event.kind, event.at, body)
            rows.append(
                {
                    "id": key,
                    "campaign": event.campaign,
                    "campaign_sequence": sequence,
                    "kind": event.kind,
                    "at": event.at,
                    "body": body,
                    "chain": chain,
                }
            )
        return rows

    def find_applied(self, connection: Connection) -> Ends | None:
        """Look for the unit's last event."""
        found = connection.execute(
            sa.select(col(EventRow.campaign), col(EventRow.campaign_sequence)).where(col(EventRow.id) == self.ids[-1])
        ).one_or_none()
        return None if found is None else {found[0]: found[1]}


@dataclass(frozen=True)
class Question:
    """A request of somebody to the running controller."""

    verb: str
    campaign: str | None
    argument: Mapping[str, Any]
    by: str
    asked_at: float
    id: str = field(default_factory=new_id)

    def apply(self, connection: Connection, ends: Ends) -> Ends:
        """Write the request."""
        connection.execute(
            sa.insert(RequestRow).values(
                id=self.id,
                verb=self.verb,
                campaign=self.campaign,
                argument=compact(dict(self.argument)),
                asked_by=plain(self.by),
                asked_at=self.asked_at,
            )
        )
        return {}

    def find_applied(self, connection: Connection) -> Ends | None:
        """Look for the request."""
        found = connection.execute(sa.select(col(RequestRow.id)).where(col(RequestRow.id) == self.id)).one_or_none()
        return None if found is None else {}


@dataclass(frozen=True)
class Answer:
    """What came of a request; a second answer is refused."""

    request: str
    text: str
    ok: bool
    answered_at: float

    def apply(self, connection: Connection, ends: Ends) -> Ends:
        """Write the answer."""
        changed = connection.execute(
            sa.update(RequestRow)
            .where(col(RequestRow.id) == self.request, col(RequestRow.answered_at).is_(None))
            .values(answered_at=self.answered_at, ok=self.ok, answer=plain(self.text))
        )
        if changed.rowcount != 1:
            raise ConflictError(f"the store holds no open request {self.request}: it is unknown or answered already")
        return {}

    def find_applied(self, connection: Connection) -> Ends | None:
        """Look for this very answer."""
        found = connection.execute(
            sa.select(col(RequestRow.id)).where(
                col(RequestRow.id) == self.request,
                col(RequestRow.answered_at) == self.answered_at,
                col(RequestRow.answer) == plain(self.text),
            )
        ).one_or_none()
        return None if found is None else {}


@dataclass(frozen=True)
class Kept:
    """A row that is entered once, whoever enters it: a list of candidates, or a part of its content."""

    table: type[PoolRow] | type[PoolPartRow]
    values: Mapping[str, Any]

    def apply(self, connection: Connection, ends: Ends) -> Ends:
        """Enter the row, unless it is there."""
        enter = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        connection.execute(enter(self.table).values(**self.values).on_conflict_do_nothing())
        return {}

    def find_applied(self, connection: Connection) -> Ends | None:
        """Return None: entered again, it changes nothing."""
        return None
