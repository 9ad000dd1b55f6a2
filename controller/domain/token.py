"""Tokens: the secrets by which people speak over HTTP, what each allows and until when. A store knows a token by its hash alone.

A *link* is a secret of another form that opens nothing itself: whoever follows it is given a token in exchange, once.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from controller.domain.access import Role

_FORM = re.compile(r"labwright_[A-Za-z0-9_-]{43}", re.ASCII)
"""256 random bits in base64url, after a word by which people and scanners know what they found."""
_LINK = re.compile(r"labwright-link_[A-Za-z0-9_-]{43}", re.ASCII)


OF_LINK = "a link of "
"""So begins who made a token that was given for a link; it belongs to one browser."""


@dataclass(frozen=True)
class AccessToken:
    """What a store knows of a token. Times are real [s since 1970-01-01 UTC]."""

    id: str
    name: str
    """Whose it is, for example `ada`, or `ada@phone` beside it."""
    role: Role
    digest: str = field(repr=False)
    """SHA-256 of the token, in hexadecimal."""
    created_at: float
    created_by: str
    expires_at: float
    revoked_at: float | None = None

    def status(self, now: float) -> str:
        """Return `valid`, `expired` or `revoked`, as it is at `now`."""
        if self.revoked_at is not None and self.revoked_at <= now:
            return "revoked"
        return "valid" if now < self.expires_at else "expired"

    def valid(self, now: float) -> bool:
        """Say whether one may speak with it at `now`."""
        return self.status(now) == "valid"


def new_token() -> str:
    """Return a new token: 256 bits from the system's source of randomness."""
    return f"labwright_{secrets.token_urlsafe(32)}"


def new_link() -> str:
    """Return a new secret for a link: 256 bits from the system's source of randomness."""
    return f"labwright-link_{secrets.token_urlsafe(32)}"


def is_token(text: str) -> bool:
    """Say whether `text` has the form of a token."""
    return _FORM.fullmatch(text) is not None


def digest_of(token: str) -> str:
    """Return what is kept of a token; a hash made to be slow would add nothing, since 256 random bits cannot be guessed."""
    return hashlib.sha256(token.encode("ascii")).hexdigest()


def token_of(text: str, known: Iterable[AccessToken]) -> AccessToken | None:
    """Return the known token that `text` is, None where it is none; how long that takes does not tell how much of it is right."""
    return _known(text, known) if is_token(text) else None


def link_of(text: str, known: Iterable[AccessToken]) -> AccessToken | None:
    """Return the entry of the link that `text` is the secret of, None where it is none; see `token_of`."""
    return _known(text, known) if _LINK.fullmatch(text) is not None else None


def _known(text: str, known: Iterable[AccessToken]) -> AccessToken | None:
    digest, found = digest_of(text), None
    for token in known:
        if hmac.compare_digest(token.digest, digest):
            found = token
    return found
