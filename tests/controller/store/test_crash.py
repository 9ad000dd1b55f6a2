"""kill -9 of a writing process leaves whole units only, and all that was acknowledged."""

from __future__ import annotations

import os
import signal
import time

from controller.store.audit import audit
from controller.store.opening import Store
from tests.controller.store.starting import read_line, started

NAMES = ("one", "two", "three")


def test_killed_writer_leaves_whole_units_and_all_that_was_acknowledged(store_url: str) -> None:
    with started("write_for_ever", store_url) as process:
        lines = [read_line(process) for _ in range(10)]
        time.sleep(0.5)
        os.kill(process.pid, signal.SIGKILL)
        assert process.stdout is not None
        rest = process.stdout.read()
        lines += rest[: rest.rfind("\n") + 1].splitlines()  # the last line may be cut
    acknowledged = {name: [line.split()[1] for line in lines if line.startswith(f"{name} ")] for name in NAMES}
    assert sum(len(ids) for ids in acknowledged.values()) > 10
    with Store.open(store_url) as store:
        for name in NAMES:
            stored = {e["id"]: e["status"] for e in store.reader.experiments(name)}
            assert set(acknowledged[name]) <= set(stored)
            # A unit proposes and queues: an experiment that is only proposed would be half a unit.
            assert set(stored.values()) == {"queued"}
            assert len(stored) - len(acknowledged[name]) <= 1
            assert audit(store, name).differences == []
