"""Tokens: known by their hash, valid until they are revoked or expire."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations_with_replacement

import pytest

from controller.domain.access import Role
from controller.domain.token import AccessToken, digest_of, is_token, new_token, token_of


def known(secret: str, name: str = "ada") -> AccessToken:
    return AccessToken(name, name, Role.LOOK, digest_of(secret), 1000.0, "ada@bench", 2000.0)


def test_token_is_found_by_what_it_is_and_by_nothing_else() -> None:
    mine, other = new_token(), new_token()
    list_ = [known(other, "ben"), known(mine)]
    assert token_of(mine, list_) == list_[1]
    for wrong in ("", mine[:-1], mine + "x", mine.upper(), new_token(), digest_of(mine), "labwright_" + "ä" * 43, mine + "\n"):
        assert token_of(wrong, list_) is None


def test_token_has_256_random_bits_and_a_word_that_tells_what_it_is() -> None:
    made = {new_token() for _ in range(100)}
    assert len(made) == 100
    assert all(is_token(one) and one.startswith("labwright_") and len(one) == 53 for one in made)


def test_what_is_kept_shows_neither_token_nor_hash() -> None:
    secret = new_token()
    assert secret not in repr(known(secret))
    assert digest_of(secret) not in repr(known(secret))


@pytest.mark.parametrize(
    ("revoked_at", "now", "status"),
    [
        (None, 1999.9, "valid"), (None, 2000.0, "expired"), (1500.0, 1499.9, "valid"), (1500.0, 1500.0, "revoked"),
        (1500.0, 9e9, "revoked"),
    ],
)  # fmt: skip
def test_token_ends_at_its_moment(revoked_at: float | None, now: float, status: str) -> None:
    token = replace(known(new_token()), revoked_at=revoked_at)
    assert (token.status(now), token.valid(now)) == (status, status == "valid")


def test_each_role_includes_those_before_it() -> None:
    for lower, higher in combinations_with_replacement(Role, 2):
        assert higher.includes(lower)
        assert lower.includes(higher) is (lower is higher)
