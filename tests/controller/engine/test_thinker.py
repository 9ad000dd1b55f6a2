"""The proposer process from outside: it answers, it may die, and it is renewed when it swells."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.domain.campaign import ProposalPolicy
from controller.domain.objective import Objective
from controller.domain.parameter import DiscreteParameter
from controller.domain.request import Observations, Observed, Request
from controller.domain.space import Problem
from controller.engine import thinker as room
from controller.engine.thinker import Thinker
from controller.errors import ProposalError, SpaceExhaustedError

pytestmark = pytest.mark.timeout(180)

PROBLEM = Problem(
    parameters={"a": DiscreteParameter(type="discrete", values=(1, 2, 3))}, objectives={"y": Objective(goal="maximize")}
)


def request(*measured: float, n: int = 1) -> Request:
    return Request(
        problem=PROBLEM,
        policy=ProposalPolicy(),
        observed=Observations.of([Observed(point={"a": a}, values={"y": a}) for a in measured]),
        pending=(),
        n=n,
        number=len(measured) + 1,
        seed=1,
        device="cpu",
    )


@pytest.fixture
async def thinker(tmp_path: Path) -> AsyncIterator[Thinker]:
    made = Thinker(tmp_path / "proposer.log")
    yield made
    await made.close()


async def test_answer_is_the_same_after_the_process_was_killed(thinker: Thinker) -> None:
    (first,) = await thinker.propose(request(1.0))
    assert thinker._process is not None
    os.kill(thinker._process.pid, signal.SIGKILL)
    (again,) = await thinker.propose(request(1.0))
    assert again.point == first.point
    assert again.acquisition == first.acquisition


async def test_process_that_hangs_is_ended_and_told_of(thinker: Thinker, monkeypatch: pytest.MonkeyPatch) -> None:
    await thinker.propose(request(1.0))
    assert thinker._process is not None
    os.kill(thinker._process.pid, signal.SIGSTOP)
    monkeypatch.setattr(room, "HANG_S", 0.2)
    with pytest.raises(ProposalError, match="TimeoutError"):
        await thinker.propose(request(1.0))
    monkeypatch.setattr(room, "HANG_S", 60.0)
    assert len(await thinker.propose(request(1.0))) == 1


async def test_exhausted_space_is_told_as_such(thinker: Thinker) -> None:
    with pytest.raises(SpaceExhaustedError):
        await thinker.propose(request(1.0, 2.0, 3.0))


async def test_process_is_renewed_when_it_swells(thinker: Thinker, monkeypatch: pytest.MonkeyPatch) -> None:
    await thinker.propose(request(1.0))
    assert thinker._process is not None
    before = thinker._process.pid
    monkeypatch.setattr(room, "MOST_GROWTH", -1e12)
    await thinker.propose(request(1.0))
    monkeypatch.setattr(room, "MOST_GROWTH", 1e12)
    await thinker.propose(request(1.0))
    assert thinker._process is not None
    assert thinker._process.pid != before


async def test_question_that_is_given_up_leaves_no_answer_to_the_next(thinker: Thinker) -> None:
    await thinker.propose(request(1.0))
    given_up = asyncio.create_task(thinker.propose(request(1.0, 2.0)))  # 3 is left
    await asyncio.sleep(0)  # it has been asked and has not answered
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    (proposal,) = await thinker.propose(request(2.0, 3.0))  # of another campaign: 1 is left
    assert proposal.point == {"a": 1.0}


async def test_process_that_cannot_be_started_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    thinker = Thinker(tmp_path / "a file" / "proposer.log")
    await thinker.start()
    with pytest.raises(ProposalError, match="failed twice"):
        await thinker.propose(request(1.0))
