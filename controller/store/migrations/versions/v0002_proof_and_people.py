"""The log gets its hash chain; tables for what people decide: disabled instruments, keys, retracted results."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from controller.store.chain import BEGINNING, link

revision = "0002"
down_revision = "0001"

_PAGE = 2000


def upgrade() -> None:
    op.add_column("experiment", sa.Column("retracted_at", sa.Float(), nullable=True))
    op.add_column("experiment", sa.Column("retracted_reason", sa.String(), nullable=True))
    op.create_table(
        "instrument",
        sa.Column("lab", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("lab", "name", name="pk_instrument"),
    )
    op.create_table(
        "access_key",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("public_key", sa.String(), nullable=False),
        sa.Column("instruments", sa.Text(), nullable=False),
        sa.Column("role", sa.String(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("revoked_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_access_key"),
        sa.UniqueConstraint("public_key", name="uq_access_key_public_key"),
    )
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    _let_the_log_be_changed(on_sqlite)
    op.add_column("event", sa.Column("chain", sa.Text(), nullable=True))
    _chain_what_is_there()
    with op.batch_alter_table("event", table_kwargs={"sqlite_autoincrement": True}) as event:
        event.alter_column("chain", existing_type=sa.Text(), nullable=False)
    _protect_the_log(on_sqlite)


def _chain_what_is_there() -> None:
    connection = op.get_bind()
    page = sa.text(
        "SELECT sequence, campaign, campaign_sequence, id, kind, at, body FROM event "
        "WHERE (campaign, campaign_sequence) > (:campaign, :position) "
        "ORDER BY campaign, campaign_sequence LIMIT :n"
    )
    enter = sa.text("UPDATE event SET chain = :chain WHERE sequence = :sequence")
    campaign, position, chain = "", 0, BEGINNING
    while rows := connection.execute(page, {"campaign": campaign, "position": position, "n": _PAGE}).all():
        chained = []
        for row in rows:
            if row.campaign != campaign:
                campaign, chain = row.campaign, BEGINNING
            position = row.campaign_sequence
            chain = link(chain, campaign, position, row.id, row.kind, row.at, row.body)
            chained.append({"chain": chain, "sequence": row.sequence})
        connection.execute(enter, chained)


def _let_the_log_be_changed(on_sqlite: bool) -> None:
    """Lift what refuses changes of the log, within this transaction: the column that is to prove it must be filled."""
    if on_sqlite:
        op.execute("DROP TRIGGER event_refuses_update")
        op.execute("DROP TRIGGER event_refuses_delete")
    else:
        op.execute("ALTER TABLE event DISABLE TRIGGER event_refuses_change")


def _protect_the_log(on_sqlite: bool) -> None:
    if not on_sqlite:
        op.execute("ALTER TABLE event ENABLE TRIGGER event_refuses_change")
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER event_refuses_{verb.lower()} BEFORE {verb} ON event "
            "BEGIN SELECT RAISE(ABORT, 'events are never changed or deleted'); END"
        )
