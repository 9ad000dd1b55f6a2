"""The list of tokens is kept in the store: by hash alone, changed as a whole or not at all, never shortened."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.domain.access import Role
from controller.domain.token import AccessToken, digest_of, new_token
from controller.errors import ConflictError
from controller.store.opening import Store
from controller.store.tokens import TokenChange, access_token
from tests.controller.store.test_access import enter_beside


def token(name: str = "ada", role: Role = Role.OPERATE) -> AccessToken:
    secret = new_token()
    return AccessToken(f"id-{secret[-12:]}", name, role, digest_of(secret), 1000.0, "ada@bench", 2000.0)


def listed(store: Store) -> list[AccessToken]:
    return [access_token(row) for row in store.reader.access_token_rows()]


def test_token_comes_back_as_it_was_entered(store: Store) -> None:
    made = [token(), token("ben", Role.LOOK)]
    for one in made:
        store.change_tokens(TokenChange(1000.0, enter=one))
    assert sorted(listed(store), key=lambda t: t.name) == made


def test_revoked_token_stays_on_the_list_and_keeps_its_moment(store: Store) -> None:
    made = token()
    store.change_tokens(TokenChange(1000.0, enter=made))
    store.change_tokens(TokenChange(1100.0, revoke=(made.id,)))
    store.change_tokens(TokenChange(1200.0, revoke=(made.id,)))
    assert listed(store) == [replace(made, revoked_at=1100.0)]


def test_two_processes_cannot_enter_valid_tokens_of_one_name_in_the_same_moment(store: Store) -> None:
    with pytest.raises(ConflictError, match="there is a valid token 'ada'"):
        enter_beside(store, TokenChange(1000.0, enter=token()), lambda: store.change_tokens(TokenChange(1000.0, enter=token())))
    assert len(listed(store)) == 1


def test_second_valid_token_of_a_name_is_refused_until_the_first_has_ended(store: Store) -> None:
    store.change_tokens(TokenChange(1000.0, enter=token()))
    with pytest.raises(ConflictError, match="labwright tokens revoke ada"):
        store.change_tokens(TokenChange(1500.0, enter=token()))
    second = replace(token(), expires_at=3000.0)
    store.change_tokens(TokenChange(2000.0, enter=second))  # the first has expired
    store.change_tokens(TokenChange(2100.0, revoke=(second.id,)))
    store.change_tokens(TokenChange(2100.0, enter=replace(token(), expires_at=3000.0)))
    assert sorted(t.status(2100.0) for t in listed(store)) == ["expired", "revoked", "valid"]


def test_change_by_another_process_is_seen_by_an_open_store(store: Store) -> None:
    made = token()
    with Store.open(store.url) as other:
        other.change_tokens(TokenChange(1000.0, enter=made))
        assert listed(store) == [made]
        other.change_tokens(TokenChange(1001.0, revoke=(made.id,)))
        assert not listed(store)[0].valid(1001.0)


def test_change_whose_answer_was_lost_is_not_made_twice(store: Store) -> None:
    change = TokenChange(1000.0, enter=token())
    store.change_tokens(change)
    with store._engine.begin() as connection:
        assert change.find_applied(connection) == {}
        assert TokenChange(1000.0, enter=token()).find_applied(connection) is None
