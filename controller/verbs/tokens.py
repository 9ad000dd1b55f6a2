"""What one can ask of tokens: make, list and revoke them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from controller.errors import UnknownNameError
from controller.verbs.stores import show_url

if TYPE_CHECKING:
    from controller.domain.access import Role
    from controller.domain.token import AccessToken
    from controller.store.reading import Reader

DAYS = 90.0
"""How long a token is valid where nothing is said [days]."""
MOST_DAYS = 3660.0
LINK_MINUTES = 15.0
"""How long a link may wait to be followed [min]."""
SESSION_DAYS = 7.0
"""How long the token that is given for a link is valid [days]."""
_DAY_S = 86400.0


def make_token(url: str, name: str, role: Role, *, days: float, by: str) -> tuple[str, AccessToken]:
    """Make a token and enter it into a store.

    Args:
        url: The store.
        name: Whose it is.
        role: What it allows.
        days: How long it is valid [days].
        by: Who makes it.

    Returns:
        The token, which nobody can show again, and what the store keeps of it.

    Raises:
        ConflictError: If there is a valid one of that name.
    """
    from controller.domain.ids import new_id
    from controller.domain.token import AccessToken, digest_of, new_token
    from controller.store.opening import Store
    from controller.store.tokens import TokenChange

    now, secret = time.time(), new_token()
    made = AccessToken(new_id(), name, role, digest_of(secret), now, by, now + days * _DAY_S)
    with Store.open(url) as store:
        store.change_tokens(TokenChange(now, enter=made))
    return secret, made


def make_link(url: str, name: str, role: Role, *, by: str) -> tuple[str, AccessToken]:
    """Make a link by which one browser is let in, once, within `LINK_MINUTES`.

    Args:
        url: The store.
        name: Whose it is.
        role: What the token that is given for it allows.
        by: Who makes it.

    Returns:
        The link's secret, which nobody can show again, and what the store keeps of it.
    """
    from controller.domain.ids import new_id
    from controller.domain.token import AccessToken, digest_of, new_link
    from controller.store.opening import Store
    from controller.store.tokens import TokenChange

    now, secret, key = time.time(), new_link(), new_id()
    made = AccessToken(key, f"link {name}@page-{key[-6:]}", role, digest_of(secret), now, by, now + LINK_MINUTES * 60.0)
    with Store.open(url) as store:
        store.change_tokens(TokenChange(now, enter=made))
    return secret, made


def follow_link(url: str, text: str) -> tuple[str, AccessToken]:
    """Give a token for a link, once.

    Args:
        url: The store.
        text: The link's secret.

    Returns:
        The token, which nobody can show again, and what the store keeps of it.

    Raises:
        UnknownNameError: If it is no link that is known.
        ConflictError: If it was followed before, or is too old.
    """
    from controller.domain.ids import new_id
    from controller.domain.token import OF_LINK, AccessToken, digest_of, link_of, new_token
    from controller.store.opening import Store
    from controller.store.tokens import TokenChange, access_token

    now, secret = time.time(), new_token()
    with Store.open(url) as store:
        link = link_of(text, [access_token(row) for row in store.reader.access_token_rows()])
        if link is None:
            raise UnknownNameError("this link is not known here")
        made = AccessToken(
            new_id(), link.name.removeprefix("link "), link.role, digest_of(secret), now, f"{OF_LINK}{link.created_by}",
            now + SESSION_DAYS * _DAY_S,
        )  # fmt: skip
        store.change_tokens(TokenChange(now, enter=made, spend=link.id))
    return secret, made


def sign_out(url: str, key: str) -> bool:
    """Let a token cease that was given for a link, and say whether it was such a one: any other may be in use elsewhere.

    Args:
        url: The store.
        key: The token's id.
    """
    from controller.domain.token import OF_LINK
    from controller.store.opening import Store
    from controller.store.tokens import TokenChange, access_token

    with Store.open(url) as store:
        tokens = [access_token(row) for row in store.reader.access_token_rows()]
        given = any(token.id == key and token.created_by.startswith(OF_LINK) for token in tokens)
        if given:
            store.change_tokens(TokenChange(time.time(), revoke=(key,)))
    return given


def list_tokens(opened: Sequence[tuple[str, Reader]]) -> list[dict[str, Any]]:
    """Return the tokens of some stores (URL and reader of each), oldest first: whose, what they allow, until when."""
    from controller.store.reading import iso

    now = time.time()
    rows = []
    for url, reader in opened:
        for row in reader.access_token_rows():
            ended = row["revoked_at"] is not None and row["revoked_at"] <= now
            status = "revoked" if ended else "valid" if now < row["expires_at"] else "expired"
            times = {name: iso(row[name]) for name in ("created_at", "expires_at", "revoked_at")}
            kept = {name: row[name] for name in ("id", "name", "role", "created_by")}
            rows.append({**kept, "status": status, **times, "store": show_url(url)})
    return rows


def revoke_token(url: str, name: str) -> AccessToken:
    """Let a token cease at once.

    Args:
        url: The store.
        name: Its name or id.

    Raises:
        UnknownNameError: If no valid token has it.
    """
    from controller.store.opening import Store
    from controller.store.tokens import TokenChange, access_token

    now = time.time()
    with Store.open(url) as store:
        tokens = [access_token(row) for row in store.reader.access_token_rows()]
        for token in tokens:
            if name in (token.name, token.id) and token.valid(now):
                store.change_tokens(TokenChange(now, revoke=(token.id,)))
                return token
    known = ", ".join(sorted(token.name for token in tokens if token.valid(now))) or "none"
    ended = " (it has ended already)" if any(name in (token.name, token.id) for token in tokens) else ""
    raise UnknownNameError(f"no valid token {name!r} in {show_url(url)}{ended}; valid: {known}")
