"""The short form of `make fuzz`: changed frames and changed files, which give answers or errors of their own, and nothing else."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from tests.fuzz.frames import frames
from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import TARGETS, codec

pytestmark = pytest.mark.timeout(180)


def test_changed_frames_are_refused_or_read_and_leave_nothing_in_memory() -> None:
    n = 30_000
    taken, before = 0, 0
    for i, frame in enumerate(frames(n, seed=7)):
        if i == n // 2:  # the caches of pydantic are full by then
            tracemalloc.start()
            before = tracemalloc.get_traced_memory()[0]
        taken += codec(frame)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert n // 100 < taken < n // 2, "changes that nobody notices, or none that are read"
    assert grown < 2_000_000, f"{grown} bytes"


@pytest.mark.parametrize("name", [name for name in TARGETS if name != "codec"])
def test_changed_files_give_answers_or_errors_of_their_own(name: str) -> None:
    rng = random.Random(3)
    good = SEEDS[name]
    for _ in range({"campaign": 300}.get(name, 3000)):
        data = rng.choice(good)
        for _ in range(rng.choice((1, 1, 2, 4, 8))):
            at, length = rng.randrange(len(data) + 1), rng.randrange(1, 9)
            other = rng.choice(good)
            others = other[rng.randrange(len(other)) :][:40]
            piece = rng.choice((b"", rng.randbytes(length), data[at : at + 30] * 2, others, b"\x00", b"9" * 400))
            data = data[:at] + piece + data[at + rng.choice((0, length)) :]
        TARGETS[name](data)
