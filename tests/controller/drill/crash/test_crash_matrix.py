"""Every cell of the crash matrix: the fault strikes at its point, and what is promised comes true, for every consequence."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from controller.domain.campaign import CampaignStatus
from controller.domain.experiment import ExperimentStatus
from controller.domain.state import Experiment
from controller.store import connecting
from tests.controller.drill.crash.cell import EXPERIMENTS, Cell, Told
from tests.controller.drill.crash.matrix import CELLS, DRIVER_DIED, FAULTS, POINTS, WITHOUT, Promise, target_of
from tests.controller.drill.crash.world import play
from tests.controller.drill.mutations import MUTATIONS

_S = ExperimentStatus

DEATHS = ("driver killed", "both killed", "older journal", "older driver", "older claims")
"""Faults after which a `recover` hook is asked."""

EVIDENCE: Mapping[str, tuple[str, ...]] = {
    "controller killed": ("controller was killed",),
    "driver killed": ("rig was killed",),
    "both killed": ("controller was killed", "rig was killed"),
    "lost": ("lost: ",),
    "doubled": ("doubled: ",),
    "reordered": ("a message was overtaken by ",),
    "late": ("late: ",),
    "cut": ("both sides have noticed the cut",),
    "store full": ("refused: (sqlite3.OperationalError) disk I/O error",),
    "store locked": ("refused: (sqlite3.OperationalError) database is locked",),
    "store gone": ("refused: [Errno 2] No such file or directory",),
    "journal full": ("refused: journal ",),
    "clock forward": ("the clock was set",),
    "clock back": ("the clock was set",),
    "second controller": ("sent away: campaign matrix is held by", "sent away: lab 'bench' is used by another controller"),
    "older journal": ("rig was killed", "the journal was put back"),
    "older driver": ("rig was killed", "the older driver was refused"),
    "older claims": ("rig was killed", "the older driver claims that the action is repeatable"),
}
"""What must be found among the deeds of each fault: that it struck at all."""

MESSAGES: Mapping[str, str] = {
    "command sent": "command", "acceptance sent": "accepted", "start sent": "started", "result sent": "finished",
    "welcomed back": "welcome", "asked after": "inquire", "answered": "report", "come back": "hello",
    "acknowledgement sent": "acknowledge", "instrument stopped": "stop",
}  # fmt: skip
"""Points that are a message, which the message faults must have hit."""


@pytest.fixture(autouse=True)
def _no_waiting_for_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "BUSY_S", 0.0)  # these would be real seconds, in which virtual ones stand still


@pytest.mark.parametrize(
    ("point", "fault"),
    [pytest.param(p, f, id=f"{p} x {f}") for p in POINTS for f in FAULTS if (p, f) not in WITHOUT],
)
def test_cell_keeps_its_promise(point: str, fault: str) -> None:
    cells = [Cell(point, fault, consequence) for consequence in ("repeatable", "consumes", "irreversible")]
    if fault in DEATHS or point in DRIVER_DIED:
        cells.append(Cell(point, fault, "irreversible", hook=True))
    for cell in cells:
        told = play(cell)
        try:
            check(cell, told)
        except AssertionError as error:
            error.add_note("\n".join([str(cell), *told.trace]))
            raise


@pytest.mark.parametrize(
    ("bug", "point", "fault"),
    [
        ("acknowledge before commit", "result sent", "controller killed"),
        ("journal not flushed", "finished", "driver killed"),
        ("retry of an irreversible action", "acting", "driver killed"),
        ("retry of an irreversible action", "acting", "older journal"),
        ("stop queued behind an action", "instrument stopped", "doubled"),
    ],
)
def test_planted_bug_turns_its_cell_red(bug: str, point: str, fault: str) -> None:
    cell = Cell(point, fault, "irreversible")
    check(cell, play(cell))
    with MUTATIONS[bug]():
        told = play(cell)
    check_that_it_struck(cell, told)
    with pytest.raises(AssertionError):
        check(cell, told)


def check(cell: Cell, told: Told) -> None:
    check_that_it_struck(cell, told)
    check_books(cell, told)
    check_promise(cell, told, CELLS[cell.fault][cell.point])
    check_bystanders(cell, told)


def check_that_it_struck(cell: Cell, told: Told) -> None:
    assert told.reached_at is not None, "the point was never reached"
    for evidence in EVIDENCE[cell.fault]:
        assert any(deed.startswith(evidence) for deed in told.struck), (evidence, told.struck)
    if cell.fault in ("lost", "doubled", "late") and cell.point in MESSAGES:
        assert told.struck[0] == f"{cell.fault}: {MESSAGES[cell.point]}"


def check_books(cell: Cell, told: Told) -> None:
    assert told.broken == []  # the audit, the journals and everything else that a rehearsal looks at
    log, tables = told.counts
    assert log == tables
    assert told.state.status is (CampaignStatus.FAILED if cell.point == "campaign aborted" else CampaignStatus.COMPLETED)
    assert sorted(told.experiments()) == list(range(1, EXPERIMENTS + 1))
    cancelled = [e for e in told.experiments().values() if e.status is _S.CANCELLED]
    assert bool(cancelled) == (cell.point in ("campaign stopped", "campaign aborted"))
    waited = [e for e in cancelled if cell.point == "campaign stopped" or e.number == EXPERIMENTS]
    assert [e.number for e in waited if told.begun(e)] == [], "something was begun after the stop"


def check_promise(cell: Cell, told: Told, promise: Promise) -> None:
    target = told.experiments()[target_of(cell.point)]
    if promise == "once" or (promise == "asked" and cell.hook):
        assert (target.status, told.begun(target)) == (_S.COMPLETED, 1)
    elif promise == "cancelled":
        assert (target.status, told.begun(target)) == (_S.CANCELLED, told.begun_before)
    else:
        check_class(cell, told, target, told.begun_before)


    if cell.fault == "journal full" and cell.point in ("intent committed", "command sent"):
        assert "refused" in told.alarms, "an instrument that takes nothing is something to hear of"


def check_class(cell: Cell, told: Told, experiment: Experiment, begun_before: int) -> None:
    """What was cut short is begun once more where that may be, and unknown where it may not."""
    if cell.consequence == "repeatable" and cell.point == "campaign aborted":
        assert (experiment.status, told.begun(experiment)) == (_S.CANCELLED, begun_before)
    elif cell.consequence == "repeatable":
        assert (experiment.status, told.begun(experiment)) == (_S.COMPLETED, begun_before + 1)
    else:
        assert (experiment.status, told.begun(experiment)) == (_S.UNKNOWN, begun_before)
        assert experiment.id in told.alarms["attempt_unknown"]


def check_bystanders(cell: Cell, told: Told) -> None:
    """What was elsewhere is done once, unless it ran in the driver that died, or a stop or an older journal took it away."""
    hit = {told.state.attempts[key].experiment for key in told.cut_short}
    for number, experiment in told.experiments().items():
        begun = told.begun(experiment)
        if cell.consequence != "repeatable":
            assert begun <= 1, f"experiment {number} was begun {begun} times"
        if number == target_of(cell.point) or experiment.status is _S.CANCELLED:
            continue
        if experiment.status is _S.UNKNOWN:
            assert cell.consequence != "repeatable"
            assert experiment.id in hit or cell.fault == "older journal"
            assert experiment.id in told.alarms["attempt_unknown"]
        elif experiment.id not in hit and cell.fault != "older journal":
            assert (experiment.status, begun) == (_S.COMPLETED, 1)
        else:
            assert experiment.status is _S.COMPLETED
            assert 1 <= begun <= 2
