"""The list of tokens: entered, and taken from a moment on; rows are never deleted, and none holds a token itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import col

from controller.domain.access import Role
from controller.domain.token import AccessToken
from controller.errors import ConflictError
from controller.store.records import plain
from controller.store.sql import take_turn
from controller.store.tables import AccessTokenRow


@dataclass(frozen=True)
class TokenChange:
    """A token is entered, or others cease to be valid at once."""

    now: float
    """Real time [s since 1970-01-01 UTC]."""
    enter: AccessToken | None = None
    revoke: tuple[str, ...] = ()
    """Ids."""
    spend: str | None = None
    """Id of a link, which must still be valid: it ceases with this change, so that no two are let in by it."""

    def apply(self, connection: Connection, ends: Mapping[str, int]) -> Mapping[str, int]:
        """Write the rows.

        Raises:
            ConflictError: If a valid token of its name is on the list, or what is to be spent is not valid any more.
        """
        del ends
        if self.spend is not None:
            take_turn(connection, "the list of tokens")
            spent = connection.execute(
                sa.update(AccessTokenRow)
                .where(
                    col(AccessTokenRow.id) == self.spend, col(AccessTokenRow.revoked_at).is_(None),
                    col(AccessTokenRow.expires_at) > self.now,
                )
                .values(revoked_at=self.now)
            )  # fmt: skip
            if spent.rowcount != 1:
                raise ConflictError("this link was used already, or is too old")
        for key in self.revoke:
            connection.execute(
                sa.update(AccessTokenRow)
                .where(col(AccessTokenRow.id) == key, col(AccessTokenRow.revoked_at).is_(None))
                .values(revoked_at=self.now)
            )
        if self.enter is not None:
            take_turn(connection, "the list of tokens")
            self._refuse_a_second(connection, self.enter)
            values = {**vars(self.enter), "role": self.enter.role.value, "created_by": plain(self.enter.created_by)}
            connection.execute(sa.insert(AccessTokenRow).values(**values))
        return {}

    def _refuse_a_second(self, connection: Connection, token: AccessToken) -> None:
        found = connection.execute(
            sa.select(col(AccessTokenRow.id)).where(
                col(AccessTokenRow.name) == token.name,
                col(AccessTokenRow.revoked_at).is_(None),
                col(AccessTokenRow.expires_at) > self.now,
            )
        ).first()
        if found is not None:
            raise ConflictError(
                f"there is a valid token {token.name!r}: labwright tokens revoke {token.name}, or choose another name, "
                f"for example {token.name}@phone"
            )

    def find_applied(self, connection: Connection) -> Mapping[str, int] | None:
        """Look for the token that was entered; what was only revoked may be revoked again."""
        if self.enter is None:
            return None
        found = connection.execute(sa.select(col(AccessTokenRow.id)).where(col(AccessTokenRow.id) == self.enter.id))
        return None if found.one_or_none() is None else {}


def access_token(row: Mapping[str, Any]) -> AccessToken:
    """Return a token from its row (`Reader.access_token_rows`)."""
    return AccessToken(**{**row, "role": Role(row["role"])})
