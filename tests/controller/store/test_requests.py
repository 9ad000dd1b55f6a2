"""How a command asks the running controller for something, and hears what came of it."""

from __future__ import annotations

import pytest

from controller.errors import ConflictError
from controller.store.opening import Store
from controller.store.reading import open_reader
from controller.store.records import Request


async def test_request_is_seen_by_another_process_and_answered_once(store: Store) -> None:
    with Store.open(store.url) as command:
        first = command.ask("pause", "c-1", {"reason": "lunch", "n": [1, 2.5, None]}, "ada@bench")
        second = command.ask("start", None, {}, "ada@bench")
    pending = store.pending_requests()
    assert [r.id for r in pending] == [first, second]
    assert pending[0] == Request(
        first, "pause", "c-1", {"reason": "lunch", "n": [1, 2.5, None]}, "ada@bench", pending[0].asked_at
    )
    await store.answer(first, "paused\0", ok=True)
    assert [r.id for r in store.pending_requests()] == [second]
    with open_reader(store.url) as reader:
        seen = reader.request(first)
        assert (seen["ok"], seen["answer"]) == (True, "paused\N{REPLACEMENT CHARACTER}")
        assert seen["answered_at"] >= seen["asked_at"]
        assert reader.request(second)["ok"] is None
        assert [r["id"] for r in reader.requests(pending=True)] == [second]
    with pytest.raises(ConflictError, match="answered already"):
        await store.answer(first, "again", ok=False)
    with pytest.raises(ConflictError, match="unknown"):
        await store.answer("nothing", "x", ok=False)


def test_requests_of_a_store_without_any_are_empty(store: Store) -> None:
    assert store.pending_requests() == []


def test_request_that_cannot_be_read_keeps_nobody_from_his_own(store: Store) -> None:
    asked = store.ask("pause", None, {"reason": "lunch"}, "ada")
    broken = store.ask("pause", None, {}, "mallory")
    with open_reader(store.url) as reader, store._engine.connect() as connection:
        connection.exec_driver_sql(f"UPDATE request SET argument = '{{' WHERE id = '{broken}'")
        connection.commit()
        assert reader.request(asked)["argument"] == {"reason": "lunch"}
        assert [(r["id"], r["argument"]) for r in reader.requests()] == [(asked, {"reason": "lunch"}), (broken, {})]
