"""People with tokens of every sort, entered into a store as the command line enters them."""

from __future__ import annotations

import time

from controller.domain.access import Role
from controller.domain.ids import new_id
from controller.domain.token import AccessToken, digest_of, new_token
from controller.store.opening import Store
from controller.store.tokens import TokenChange

DAY_S = 86400.0


def enter(url: str, name: str, role: Role, *, days: float = 1.0, revoked: bool = False) -> str:
    """Enter a token and return it; with negative `days` it has expired so long ago."""
    secret, now = new_token(), time.time()
    token = AccessToken(new_id(), name, role, digest_of(secret), now, "a test", now + days * DAY_S, now if revoked else None)
    with Store.open(url) as store:
        store.change_tokens(TokenChange(now, enter=token))
    return secret


def everybody(url: str) -> dict[str, str | None]:
    """Enter one token of each sort; who -> token, None for who has none."""
    return {
        "nobody": None,
        "stranger": new_token(),
        "revoked": enter(url, "rex", Role.ADMINISTER, revoked=True),
        "expired": enter(url, "eve", Role.ADMINISTER, days=-1.0),
        **{role.value: enter(url, role.value, role) for role in Role},
    }


def bearer(token: str | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token}"}
