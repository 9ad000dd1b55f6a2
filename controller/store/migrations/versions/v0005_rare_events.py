"""An index of the few events that are looked for by kind: what was told of the context, retractions and what took them back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_RARE = sa.text("kind IN ('campaign.context_told', 'experiment.retracted', 'experiment.reinstated')")


def upgrade() -> None:
    op.create_index(
        "ix_event_rare", "event", ["campaign", "campaign_sequence"], sqlite_where=_RARE, postgresql_where=_RARE
    )
