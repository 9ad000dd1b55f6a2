"""Instruments that are switched off are kept in the store: the newest word counts."""

from __future__ import annotations

import asyncio

from controller.store.opening import Store
from controller.store.switches import Switch


def switch(instrument: str, *, enabled: bool, reason: str = "", lab: str = "bench-1") -> Switch:
    return Switch(lab, instrument, enabled, reason, "ada@bench", 1000.0)


def test_newest_word_counts_and_other_labs_are_not_touched(store: Store) -> None:
    assert store.disabled("bench-1") == {}
    store.switch_now(switch("reactor", enabled=False, reason="leaks\0"))
    store.switch_now(switch("reactor", enabled=False, reason="still leaks", lab="bench-2"))
    assert store.disabled("bench-1") == {"reactor": "disabled by ada@bench: leaks\N{REPLACEMENT CHARACTER}"}
    asyncio.run(store.switch(switch("reactor", enabled=True, reason="repaired")))
    assert store.disabled("bench-1") == {}
    assert list(store.disabled("bench-2")) == ["reactor"]
    assert [(r["lab"], r["name"], r["enabled"], r["reason"]) for r in store.reader.instrument_rows()] == [
        ("bench-1", "reactor", True, "repaired"),
        ("bench-2", "reactor", False, "still leaks"),
    ]
