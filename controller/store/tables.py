"""The tables as SQLModel classes: the log, and typed rows that are derived from it for reading.

Table classes of SQLModel do not validate; rows come from validated events only (see `projection.py`). Times are lab time
[s since 1970-01-01 UTC]; a column that holds JSON says so.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from controller.store.stored import RARE

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Names of constraints are fixed, so that a migration can name what it changes on every database."""


class Row(SQLModel):
    """Base of all tables; they have their own metadata, apart from tables of other packages that use SQLModel."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=NAMING)


def _json() -> Any:
    return Field(sa_type=Text)


class CampaignRow(Row, table=True):
    """A campaign as it stands."""

    __tablename__ = "campaign"

    id: str = Field(primary_key=True)
    name: str = Field(unique=True)
    status: str
    reason: str
    simulated: bool
    seed: int = Field(sa_type=BigInteger)
    definition_fingerprint: str
    created_at: float
    updated_at: float
    """Time of the newest event."""
    budget_experiments: int


class DefinitionRow(Row, table=True):
    """What a campaign searches and how, in every version it had; the newest one holds."""

    __tablename__ = "definition"

    campaign: str = Field(primary_key=True, foreign_key="campaign.id")
    version: int = Field(primary_key=True)
    fingerprint: str
    body: str = _json()


class PoolRow(Row, table=True):
    """A large list of candidates that definitions refer to; entered when all its parts are there."""

    __tablename__ = "pool"

    sha256: str = Field(primary_key=True)
    """Of the content; see `domain/pool.py`."""
    rows: int
    columns: int
    size: int = Field(sa_type=BigInteger)
    """Of the content [bytes]."""
    parts: int


class PoolPartRow(Row, table=True):
    """Some of the content of a list of candidates."""

    __tablename__ = "pool_part"

    sha256: str = Field(primary_key=True)
    position: int = Field(primary_key=True)
    """0, 1, 2 …"""
    body: bytes
    """Packed by zlib."""


class EventRow(Row, table=True):
    """A fact; rows are only ever added (the database refuses to change or delete one)."""

    __tablename__ = "event"
    __table_args__ = (
        UniqueConstraint("campaign", "campaign_sequence"),
        Index("ix_event_rare", "campaign", "campaign_sequence", sqlite_where=text(RARE), postgresql_where=text(RARE)),
        {"sqlite_autoincrement": True},
    )

    sequence: int | None = Field(
        default=None,
        # SQLite counts upwards by itself only in a column whose type reads INTEGER.
        sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    )
    id: str = Field(unique=True)
    campaign: str = Field(foreign_key="campaign.id")
    campaign_sequence: int
    """Position in the campaign's log: 1, 2, 3 …"""
    kind: str
    at: float
    body: str = _json()
    chain: str = Field(sa_type=Text)
    """Hash over this event and the one before it; see `chain.py`."""


class ExperimentRow(Row, table=True):
    """An experiment as it stands."""

    __tablename__ = "experiment"
    __table_args__ = (UniqueConstraint("campaign", "number"),)

    id: str = Field(primary_key=True)
    campaign: str = Field(foreign_key="campaign.id")
    number: int
    status: str = Field(index=True)
    reason: str
    fault_code: str | None
    fault_message: str | None
    point: str = _json()
    source: str
    proposed_at: float
    started_at: float | None
    ended_at: float | None
    """When it came to rest; empty again while a failed or unknown one goes on."""
    simulated: bool
    n_attempts: int
    retracted_at: float | None
    """When a person took its result out of what the model learns from."""
    retracted_reason: str | None


class ProposalRow(Row, table=True):
    """Why an experiment was proposed."""

    __tablename__ = "proposal"

    experiment: str = Field(primary_key=True, foreign_key="experiment.id")
    body: str = _json()


class ObservationRow(Row, table=True):
    """The value of one objective of one completed experiment."""

    __tablename__ = "observation"

    experiment: str = Field(primary_key=True, foreign_key="experiment.id")
    objective: str = Field(primary_key=True)
    value: float
    unit: str | None
    sem: float | None
    at: float


class AttemptRow(Row, table=True):
    """One dispatch of one step, as it stands."""

    __tablename__ = "attempt"
    __table_args__ = (UniqueConstraint("experiment", "step", "ordinal"),)

    id: str = Field(primary_key=True)
    campaign: str = Field(foreign_key="campaign.id", index=True)
    experiment: str = Field(foreign_key="experiment.id")
    step: str
    ordinal: int
    instrument: str
    action: str
    arguments: str = _json()
    units: str = _json()
    status: str
    reason: str
    fault_code: str | None
    fault_message: str | None
    fault_retryable: bool | None
    committed_at: float
    accepted_at: float | None
    started_at: float | None
    ended_at: float | None
    files: str | None = Field(default=None, sa_type=Text)
    """Its raw files as JSON; none where it left none behind."""


class MeasurementRow(Row, table=True):
    """One value that an attempt gave."""

    __tablename__ = "measurement"

    attempt: str = Field(primary_key=True, foreign_key="attempt.id")
    position: int = Field(primary_key=True)
    """1 for the first value of the attempt."""
    name: str
    value_number: float | None
    """A number; 0 or 1 for a truth value."""
    value_text: str | None
    """A text; `false` or `true` for a truth value."""
    unit: str | None
    sem: float | None
    at: float


class AlarmRow(Row, table=True):
    """Something that needs a person's eye."""

    __tablename__ = "alarm"

    event: str = Field(primary_key=True)
    """Id of the event."""
    campaign: str = Field(foreign_key="campaign.id", index=True)
    code: str
    message: str
    experiment: str | None
    attempt: str | None
    at: float


class RequestRow(Row, table=True):
    """What a command asked of the running controller, and its answer; times are real, not lab time."""

    __tablename__ = "request"

    id: str = Field(primary_key=True)
    verb: str
    campaign: str | None
    argument: str = _json()
    asked_by: str
    asked_at: float
    answered_at: float | None
    ok: bool | None
    answer: str | None


class InstrumentRow(Row, table=True):
    """Whether people let an instrument work; one without a row is enabled. Times are real, not lab time."""

    __tablename__ = "instrument"

    lab: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    enabled: bool
    reason: str
    changed_by: str
    changed_at: float


class AccessKeyRow(Row, table=True):
    """A public key and who may speak with it; times are real, not lab time. Keys are revoked, never deleted."""

    __tablename__ = "access_key"

    id: str = Field(primary_key=True)
    kind: str
    """`driver`, `person` or `controller`."""
    name: str
    """Whose it is; a key that takes the place of another has the same."""
    public_key: str = Field(unique=True)
    """In Z85 [40 characters]."""
    instruments: str = _json()
    """A list: what a driver may serve, `INSTRUMENT` or `LAB/INSTRUMENT`."""
    role: str | None
    """What a person may do: `look`, `operate` or `administer`."""
    created_at: float
    created_by: str
    revoked_at: float | None
    """When it ceases, or ceased, to be valid."""


class AccessTokenRow(Row, table=True):
    """A token and what it allows; times are real, not lab time. Tokens are revoked, never deleted."""

    __tablename__ = "access_token"

    id: str = Field(primary_key=True)
    name: str
    """Whose it is."""
    role: str
    """`look`, `operate` or `administer`."""
    digest: str = Field(unique=True)
    """SHA-256 of the token in hexadecimal: the token itself is nowhere."""
    created_at: float
    created_by: str
    expires_at: float
    revoked_at: float | None
