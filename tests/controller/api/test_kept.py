"""Answers that are kept: made once for all who ask, and not at all where making them failed."""

from __future__ import annotations

import asyncio

import pytest

from controller.api import kept as module
from controller.api.kept import MOST, Kept


async def test_all_who_ask_at_once_get_the_answer_that_is_made_once() -> None:
    kept, made, go = Kept(), [], asyncio.Event()

    async def make() -> bytes:
        made.append(1)
        await go.wait()
        return b"x"

    first, *others = [asyncio.create_task(kept.get("a", make)) for _ in range(5)]
    await asyncio.sleep(0)
    first.cancel()  # who asked first goes away
    go.set()
    assert await asyncio.gather(*others) == [b"x"] * 4
    assert await kept.get("a", make) == b"x"
    assert made == [1]


async def test_what_fails_is_told_and_tried_again() -> None:
    kept, tries = Kept(), []

    async def make() -> bytes:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("no")
        return b"x"

    with pytest.raises(ValueError, match="no"):
        await kept.get("a", make)
    assert await kept.get("a", make) == b"x"


async def test_what_was_asked_for_longest_ago_makes_room() -> None:
    kept, made = Kept(), []

    async def make() -> bytes:
        made.append(1)
        return b"x"

    for key in range(MOST + 1):
        await kept.get(key, make)
    await kept.get(MOST, make)
    assert len(made) == MOST + 1
    await kept.get(0, make)
    assert len(made) == MOST + 2


async def test_long_answers_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 100)
    kept, made = Kept(), []

    async def ask(key: int, length: int) -> None:
        async def make() -> bytes:
            made.append(key)
            return b"x" * length

        assert await kept.get(key, make) == b"x" * length
        await asyncio.sleep(0)  # what is done is settled in the next turn of the loop

    for key in (1, 2, 3):
        await ask(key, 40)
    await ask(3, 40)
    await ask(2, 40)
    assert made == [1, 2, 3]
    await ask(1, 40)  # made room for the third
    assert made == [1, 2, 3, 1]
    await ask(4, 1000)  # longer than all that is kept: it is there until something else is made
    await ask(4, 1000)
    assert made == [1, 2, 3, 1, 4]
