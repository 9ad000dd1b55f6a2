"""Runs the schema's changes on the connection that `schema.prepare` hands over, inside its transaction."""

from __future__ import annotations

from alembic import context

from controller.store.tables import Row
from controller.store.version import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Row.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,  # SQLite can change a column only by rebuilding its table
)
context.run_migrations()
