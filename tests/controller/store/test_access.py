"""The list of keys is kept in the store: changed as a whole or not at all, read while somebody else writes it, never shortened."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from controller.domain.access import AccessKey, KeyKind, Role
from controller.errors import ConflictError
from controller.store.access import KeyChange
from controller.store.jobs import Job
from controller.store.opening import Store
from controller.store.schema import make_engine
from instruments.transport.keys import new_pair


def key(name: str = "hplc", kind: KeyKind = KeyKind.DRIVER) -> AccessKey:
    pair = new_pair()
    role = Role.OPERATE if kind is KeyKind.PERSON else None
    return AccessKey(f"id-{pair.public}", kind, name, pair.public, ("hplc", "bench/uv"), role, 1000.0, "ada@bench")


def test_key_comes_back_as_it_was_entered(store: Store) -> None:
    made = [key(), key("ada", KeyKind.PERSON)]
    for one in made:
        store.change_keys(KeyChange(1000.0, enter=one))
    assert sorted(store.access_keys(), key=lambda k: k.name) == sorted(made, key=lambda k: k.name)


def test_rotation_enters_one_and_ends_the_other_at_its_moment(store: Store) -> None:
    first, second = key(), replace(key(), created_at=1100.0)
    store.change_keys(KeyChange(1000.0, enter=first))
    store.change_keys(KeyChange(1100.0, enter=second, revoke={first.id: 1160.0}))
    old, new = store.access_keys()
    assert (old.revoked_at, new.revoked_at) == (1160.0, None)
    assert (old.valid(1159.9), old.valid(1160.0)) == (True, False)
    store.change_keys(KeyChange(1120.0, revoke={first.id: 2000.0}))
    assert store.access_keys()[0].revoked_at == 1160.0  # a life is shortened, never lengthened
    store.change_keys(KeyChange(1120.0, revoke={first.id: 1120.0}))
    assert store.access_keys()[0].revoked_at == 1120.0


def test_second_valid_key_of_a_name_is_refused_and_ends_nothing(store: Store) -> None:
    first, other = key(), key("pump")
    for one in (first, other):
        store.change_keys(KeyChange(1000.0, enter=one))
    with pytest.raises(ConflictError, match="labwright keys rotate hplc"):
        store.change_keys(KeyChange(1001.0, enter=key(), revoke={other.id: 1001.0}))
    assert [k.revoked_at for k in store.access_keys()] == [None, None]
    store.change_keys(KeyChange(1002.0, enter=key("hplc", KeyKind.PERSON)))  # a person may have the name of an instrument
    store.change_keys(KeyChange(1003.0, revoke={first.id: 1003.0}))
    store.change_keys(KeyChange(1004.0, enter=key()))


def test_two_processes_cannot_enter_valid_keys_of_one_name_in_the_same_moment(store: Store) -> None:
    with pytest.raises(ConflictError, match="labwright keys rotate hplc"):
        enter_beside(store, KeyChange(1000.0, enter=key()), lambda: store.change_keys(KeyChange(1000.0, enter=key())))
    assert len(store.access_keys()) == 1


def enter_beside(store: Store, first: Job, second: Callable[[], None]) -> None:
    """Do `second` while another process has written `first` and not yet committed it; raises what that raises."""
    engine, failed = make_engine(store.url), []

    def carry_out() -> None:
        try:
            second()
        except ConflictError as error:
            failed.append(error)

    thread = threading.Thread(target=carry_out)
    with engine.connect() as connection, connection.begin():
        first.apply(connection, {})
        thread.start()
        thread.join(0.5)
        assert thread.is_alive(), "it waits for what becomes of the other"
    thread.join(30)
    engine.dispose()
    if failed:
        raise failed[0]


def test_public_key_is_entered_once_for_ever(store: Store) -> None:
    made = key()
    store.change_keys(KeyChange(1000.0, enter=made))
    store.change_keys(KeyChange(1001.0, revoke={made.id: 1001.0}))
    with pytest.raises(ConflictError, match="on the list already"):
        store.change_keys(KeyChange(1002.0, enter=replace(made, id="another", name="pump")))


def test_change_by_another_process_is_seen_by_an_open_store(store: Store) -> None:
    made = key()
    with Store.open(store.url) as other:
        other.change_keys(KeyChange(1000.0, enter=made))
        assert store.access_keys() == [made]
        other.change_keys(KeyChange(1001.0, revoke={made.id: 1001.0}))
        assert not store.access_keys()[0].valid(1001.0)


def test_change_whose_answer_was_lost_is_not_made_twice(store: Store) -> None:
    change = KeyChange(1000.0, enter=key())
    store.change_keys(change)
    with store._engine.begin() as connection:
        assert change.find_applied(connection) == {}
        assert KeyChange(1000.0, enter=key()).find_applied(connection) is None
