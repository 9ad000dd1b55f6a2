"""The table: points, faults, and what is promised where they meet; `guarantees.md` shows it, `test_crash_matrix.py` tries it.

`python -m tests.controller.drill.crash.matrix` prints the table for the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from controller.engine.session import LEASE_S

BEGIN: Final = "<!-- Written by python -m tests.controller.drill.crash.matrix; change it there. -->"
END: Final = "<!-- End of what is written. -->"
"""Between these lines the page shows what `table` returns."""

Promise = Literal["once", "asked", "class", "cancelled"]

PROMISES: Final[Mapping[Promise, str]] = {
    "once": "its action is begun once, its result is in the books",
    "asked": (
        "interrupted: a `recover` hook finds out; without one a repeatable action is begun once more (after an abort it is "
        "cancelled), one that consumes or is irreversible is `unknown`, with an alarm"
    ),
    "class": "as *asked*, but no hook can help: the consequence alone decides",
    "cancelled": "its action is ended early, as a person asked, and the experiment is cancelled",
}
"""What each word of the table means for the experiment at the point."""

DOWN_S: Final = 2.0
"""How long it takes until a process that was killed is started again [virtual s]."""
TROUBLE_S: Final = 3.0
"""How long the store or the journal takes nothing after it has refused something [virtual s]."""
AGAIN_S: Final = 5.0
"""How long after a message its last copy comes, in the middle of other work [virtual s]."""
LATE_S: Final = 130.0
CUT_S: Final = 1.5 * LEASE_S
JUMP_H: Final = 6

POINTS: Final[Mapping[str, str]] = {
    "proposal made": "the proposer has answered, nobody has heard it",
    "proposal committed": "the experiment is queued in the store",
    "intent committed": "the attempt is in the store, its command has not left",
    "command sent": "the command is on its way",
    "accepted": "*accepted* is in the driver's journal; another action runs, so it waits",
    "acceptance sent": "the driver's word of it is on its way",
    "acceptance committed": "that it was accepted is in the store",
    "begun at once": "of an experiment whose driver is free: *accepted* and *started* are one entry of its journal",
    "started": "*started* is in the driver's journal, the device does not know yet",
    "start sent": "the driver's word of it is on its way",
    "acting": "the device has begun",
    "start committed": "that it runs is in the store",
    "welcomed back": "the controller died while the device acted; the next one's welcome to the driver is on its way",
    "asked after": "the same; its question what became of the attempt is on its way",
    "answered": "the same; the driver's answer is on its way",
    "come back": "the driver died while the device acted; the next one's first word to the controller is on its way",
    "recovered": "the same; what became of the action is in its journal",
    "finished": "*finished*, with the result, is in the driver's journal",
    "result sent": "the result is on its way",
    "result committed": "the result is in the store, nobody has heard so",
    "acknowledgement sent": "the acknowledgement is on its way",
    "acknowledged": "*acknowledged* is in the driver's journal",
    "refitted": "the proposer has been given the result for its next answer",
    "campaign finished": "the end of the campaign is in the store",
    "campaign stopped": "a person's wish to stop the campaign is in the store, while the device acts",
    "campaign aborted": "a person's wish to abort the campaign is in the store, while the device acts; no driver has heard it",
    "instrument stopped": "a person's stop of the instrument is on its way, while the device acts",
}
"""Each named point of the walk, and what has happened when it is reached; the next thing has not."""

FAULTS: Final[Mapping[str, str]] = {
    "controller killed": f"`kill -9`; started again {DOWN_S:g} s later",
    "driver killed": "the same, of the driver; half a line and half a page are left at the ends of its files",
    "both killed": "the same, of both at once",
    "lost": "the next message in each direction is lost",
    "doubled": f"the next message in each direction comes twice at once, and once more after {AGAIN_S:g} s",
    "reordered": "the next message in each direction is overtaken by the one behind it",
    "late": f"the next message in each direction comes {LATE_S:g} s late",
    "cut": f"no message passes for {CUT_S:g} s; the lease is {LEASE_S:g} s",
    "store full": f"the disk under the store takes nothing for {TROUBLE_S:g} s",
    "store locked": f"another program holds the store for {TROUBLE_S:g} s",
    "store gone": f"the store's file is away for {TROUBLE_S:g} s",
    "journal full": f"the disk under the driver's journal takes nothing for {TROUBLE_S:g} s",
    "clock forward": f"the clock on the wall is set {JUMP_H} hours forward",
    "clock back": f"the clock on the wall is set {JUMP_H} hours back",
    "second controller": "another controller is started on the same campaign, and one of another campaign on the same lab",
    "older journal": "the driver is killed, and its journal put back as it was when the experiment was proposed",
    "older driver": "the driver is killed; in its place an older version comes, of another protocol, and after that its own",
    "older claims": "the driver is killed; in its place an older version comes, which declares the action repeatable",
}
"""Each fault, and what it is."""

_KILL = "tests/integration/test_kill.py::test_"
_ROWS = "tests/chaos/test_rows.py::test_"
_STORE = "tests/controller/store/test_trouble.py::test_"
_STORM = "tests/chaos/test_chaos.py::test_books_balance_after_a_storm_on_sqlite"

IN_EARNEST: Final[Mapping[str, tuple[str, ...]]] = {
    "controller killed": (f"{_KILL}campaign_completes_each_experiment_once_when_the_controller_is_killed",),
    "driver killed": (f"{_KILL}campaign_completes_each_experiment_once_when_drivers_are_killed",),
    "both killed": (f"{_KILL}running_experiment_is_adopted_when_controller_and_driver_are_killed_together",),
    "lost": (_STORM,),
    "doubled": (
        "tests/instruments/transport/test_curve.py::test_frames_doubled_within_a_live_connection_cost_only_the_connection",
    ),
    "reordered": (f"{_ROWS}messages_that_overtake_each_other_cost_nothing_but_time",),
    "late": (_STORM,),
    "cut": (f"{_ROWS}connection_cut_for_longer_than_the_lease_costs_nothing_but_time",),
    "store full": (f"{_STORE}full_disk_holds_and_goes_on_when_there_is_room",),
    "store locked": (f"{_STORE}locked_store_holds_and_goes_on_when_it_is_free",),
    "store gone": (f"{_STORE}restarted_server_is_found_again", f"{_STORE}commit_in_doubt_is_written_once"),
    "journal full": (_STORM,),
    "clock forward": (f"{_ROWS}clocks_that_jump_by_hours_change_nothing_but_times",),
    "clock back": (f"{_ROWS}clocks_that_jump_by_hours_change_nothing_but_times",),
    "second controller": (
        f"{_ROWS}second_controller_is_refused_while_the_first_is_frozen",
        f"{_ROWS}controllers_on_two_copies_keep_each_to_its_own_drivers",
    ),
    "older journal": (f"{_ROWS}older_copy_of_a_journal_repeats_nothing",),
    "older driver": (f"{_ROWS}older_version_of_a_driver_repeats_nothing",),
    "older claims": (f"{_ROWS}older_version_of_a_driver_repeats_nothing",),
}
"""Tests that let the same fault strike real processes, sockets and servers, at no point in particular."""

CONTROLLER_DIED: Final = ("welcomed back", "asked after", "answered")
"""Points of the way back after the controller has died while the device acted: the fault is the second one."""
DRIVER_DIED: Final = ("come back", "recovered")
"""The same, after its driver has died."""
_RUNNING = ("begun at once", "started", "start sent", "acting", "start committed", *CONTROLLER_DIED)
_WHILE_ACTING = ("campaign stopped", "campaign aborted", "instrument stopped")


def _everywhere(promise: Promise, *exceptions: Mapping[str, Promise]) -> dict[str, Promise]:
    """Return a fault's column: the promise, but what the driver's own death before it has done already, and the exceptions."""
    column: dict[str, Promise] = dict.fromkeys(POINTS, promise) | _at(DRIVER_DIED, "asked")
    for exception in exceptions:
        column |= exception
    return column


def _at(points: tuple[str, ...], promise: Promise) -> dict[str, Promise]:
    return dict.fromkeys(points, promise)


_ENDED_EARLY = _at(("instrument stopped",), "class") | _at(("campaign aborted",), "cancelled")
_UNHEARD = _at(("campaign aborted",), "once")  # nobody tells the driver before what it does has ended
_ABORTED = _at(("campaign aborted",), "asked")
_DRIVER_DIES = _everywhere("once", _at((*_RUNNING, *_WHILE_ACTING), "asked"))

CELLS: Final[Mapping[str, Mapping[str, Promise]]] = {
    "controller killed": _everywhere("once", _ENDED_EARLY, _UNHEARD),
    "driver killed": _DRIVER_DIES | _ENDED_EARLY | _ABORTED,
    "both killed": _DRIVER_DIES,
    "lost": _everywhere("once", _ENDED_EARLY),
    "doubled": _everywhere("once", _ENDED_EARLY),
    "reordered": _everywhere("once", _ENDED_EARLY),
    "late": _everywhere("once", _ENDED_EARLY),
    "cut": _everywhere("once"),  # the stop never gets through in time: what ran has finished
    "store full": _everywhere("once", _ENDED_EARLY),
    "store locked": _everywhere("once", _ENDED_EARLY),
    "store gone": _everywhere("once", _ENDED_EARLY),
    "journal full": _everywhere("once", _ENDED_EARLY),
    "clock forward": _everywhere("once", _ENDED_EARLY),
    "clock back": _everywhere("once", _ENDED_EARLY),
    "second controller": _everywhere("once", _ENDED_EARLY),
    "older journal": _everywhere(
        "once",
        _at(("acceptance sent", "acceptance committed", *_RUNNING, "finished", *_WHILE_ACTING, *DRIVER_DIED), "class"),
        _at(("begun at once",), "once"),  # nobody has heard of it, and the device has not begun: it is sent again
    ),
    "older driver": _DRIVER_DIES | _ENDED_EARLY | _ABORTED,
    "older claims": _DRIVER_DIES | _ENDED_EARLY | _ABORTED,
}
"""What is promised: fault -> point -> promise."""

WITHOUT: Final[Mapping[tuple[str, str], str]] = {}
"""Cells that make no sense, and why: (point, fault) -> reason."""


def target_of(point: str) -> int:
    """Return the number of the experiment that is looked at: the second waits behind the first at its driver."""
    return 1 if point == "begun at once" else 2


def table() -> str:
    """Return the matrix and its words as Markdown."""
    reasons = list(dict.fromkeys(WITHOUT.values()))
    lines = ["| point | " + " | ".join(FAULTS) + " |", "|---" * (len(FAULTS) + 1) + "|"]
    for point in POINTS:
        words = [_word(point, fault, reasons) for fault in FAULTS]
        lines.append(f"| **{point}** | " + " | ".join(words) + " |")
    lines += ["", *(f"- *{word}*: {meaning}." for word, meaning in PROMISES.items())]
    lines += [f"- –{number}: {reason}." for number, reason in enumerate(reasons, start=1)]
    lines += ["", "| point | reached when |", "|---|---|", *(f"| {name} | {text} |" for name, text in POINTS.items())]
    lines += ["", "| fault | what it is | with real processes, sockets and servers |", "|---|---|---|"]
    lines += [f"| {name} | {text} | {_named(IN_EARNEST[name])} |" for name, text in FAULTS.items()]
    return "\n".join(lines)


def _named(tests: tuple[str, ...]) -> str:
    return ", ".join(f"`{test}`" for test in tests) or "–"


def _word(point: str, fault: str, reasons: list[str]) -> str:
    reason = WITHOUT.get((point, fault))
    return CELLS[fault][point] if reason is None else f"–{reasons.index(reason) + 1}"


if __name__ == "__main__":
    print(table())
