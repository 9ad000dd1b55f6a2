"""Claims never exceed an instrument's capacity, and nothing is lost or given back twice."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from controller.measure.allocation import Allocation

INSTRUMENTS = ("reactor", "hplc")
instruments, attempts = st.sampled_from(INSTRUMENTS), st.sampled_from([f"a{i}" for i in range(6)])


class Bench(RuleBasedStateMachine):
    """Claims, holds and releases at random."""

    @initialize(capacities=st.tuples(st.integers(1, 3), st.integers(1, 3)))
    def open(self, capacities: tuple[int, int]) -> None:
        self.capacities = dict(zip(INSTRUMENTS, capacities, strict=True))
        self.allocation = Allocation(self.capacities)
        self.held: dict[str, set[str]] = {name: set() for name in INSTRUMENTS}
        self.forced = 0

    @rule(instrument=instruments, attempt=attempts)
    def claim(self, instrument: str, attempt: str) -> None:
        held, was_free = self.held[instrument], self.allocation.free(instrument)
        fits = attempt in held or len(held) < self.capacities[instrument]
        assert self.allocation.claim(instrument, attempt) is fits
        assert was_free is (len(held) < self.capacities[instrument])
        if fits:
            held.add(attempt)

    @rule(instrument=instruments, attempt=attempts)
    def find_with_the_instrument(self, instrument: str, attempt: str) -> None:
        self.allocation.hold(instrument, attempt)
        self.held[instrument].add(attempt)

    @rule(instrument=instruments | st.just("unknown"), attempt=attempts)
    def release(self, instrument: str, attempt: str) -> None:
        self.allocation.release(instrument, attempt)
        self.held.get(instrument, set()).discard(attempt)

    @invariant()
    def holders_are_who_claimed(self) -> None:
        for name in INSTRUMENTS:
            assert self.allocation.holders(name) == self.held[name]


TestBench = Bench.TestCase
TestBench.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)

moves = st.lists(st.tuples(st.sampled_from(["claim", "release"]), instruments, attempts), max_size=60)


@given(st.dictionaries(instruments, st.integers(1, 3), min_size=2), moves)
def test_claims_never_exceed_capacity(capacities: dict[str, int], moves: list[tuple[str, str, str]]) -> None:
    allocation = Allocation(capacities)
    for verb, instrument, attempt in moves:
        getattr(allocation, verb)(instrument, attempt)
        assert all(len(allocation.holders(name)) <= capacities[name] for name in INSTRUMENTS)


def test_what_is_held_beyond_capacity_keeps_others_out_until_it_is_gone() -> None:
    allocation = Allocation({"reactor": 1})
    for attempt in ("a", "b"):
        allocation.hold("reactor", attempt)
    allocation.release("reactor", "a")
    assert not allocation.claim("reactor", "c")
    allocation.release("reactor", "b")
    assert allocation.claim("reactor", "c")


def test_unknown_instrument_cannot_be_claimed() -> None:
    with pytest.raises(KeyError):
        Allocation({"reactor": 1}).claim("hplc", "a")
