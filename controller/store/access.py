"""The list of keys: entered, and taken from a moment on; rows are never deleted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import col

from controller.domain.access import AccessKey, KeyKind, Role
from controller.errors import ConflictError
from controller.store.projection import compact
from controller.store.records import plain
from controller.store.sql import take_turn
from controller.store.tables import AccessKeyRow


@dataclass(frozen=True)
class KeyChange:
    """A key is entered, others cease to be valid, or both at once."""

    now: float
    """Real time [s since 1970-01-01 UTC]."""
    enter: AccessKey | None = None
    revoke: Mapping[str, float] = field(default_factory=dict)
    """Id of a key -> when it ceases to be valid; one that ceases earlier anyway is left so."""

    def apply(self, connection: Connection, ends: Mapping[str, int]) -> Mapping[str, int]:
        """Write the rows.

        Raises:
            ConflictError: If the key is on the list already, or a valid one of its name is.
        """
        del ends
        for key, at in self.revoke.items():
            later = sa.or_(col(AccessKeyRow.revoked_at).is_(None), col(AccessKeyRow.revoked_at) > at)
            connection.execute(sa.update(AccessKeyRow).where(col(AccessKeyRow.id) == key, later).values(revoked_at=at))
        if self.enter is not None:
            take_turn(connection, "the list of keys")
            self._refuse_a_second(connection, self.enter)
            values = {
                "id": self.enter.id, "kind": self.enter.kind.value, "name": self.enter.name,
                "public_key": self.enter.public_key, "instruments": compact(list(self.enter.instruments)),
                "role": self.enter.role and self.enter.role.value, "created_at": self.enter.created_at,
                "created_by": plain(self.enter.created_by), "revoked_at": self.enter.revoked_at,
            }  # fmt: skip
            connection.execute(sa.insert(AccessKeyRow).values(**values))
        return {}

    def _refuse_a_second(self, connection: Connection, key: AccessKey) -> None:
        rows = connection.execute(
            sa.select(col(AccessKeyRow.id), col(AccessKeyRow.name), col(AccessKeyRow.public_key)).where(
                sa.or_(
                    col(AccessKeyRow.public_key) == key.public_key,
                    sa.and_(
                        col(AccessKeyRow.kind) == key.kind.value,
                        col(AccessKeyRow.name) == key.name,
                        sa.or_(col(AccessKeyRow.revoked_at).is_(None), col(AccessKeyRow.revoked_at) > self.now),
                    ),
                )
            )
        )
        for row in rows:
            if row.public_key == key.public_key:
                raise ConflictError(
                    f"public key {key.public_key} is on the list already, as {row.name!r}, or was once; make a new pair"
                )
            if row.id not in self.revoke:
                raise ConflictError(
                    f"there is a valid {key.kind} key {key.name!r}: labwright keys rotate {key.name}, or choose another name"
                )

    def find_applied(self, connection: Connection) -> Mapping[str, int] | None:
        """Look for the key that was entered; what was only revoked may be revoked again."""
        if self.enter is None:
            return None
        found = connection.execute(sa.select(col(AccessKeyRow.id)).where(col(AccessKeyRow.id) == self.enter.id))
        return None if found.one_or_none() is None else {}


def access_key(row: Mapping[str, Any]) -> AccessKey:
    """Return a key from its row (`Reader.access_key_rows`)."""
    role = None if row["role"] is None else Role(row["role"])
    instruments = tuple(json.loads(row["instruments"]))
    return AccessKey(**{**row, "kind": KeyKind(row["kind"]), "role": role, "instruments": instruments})
