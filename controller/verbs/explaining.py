"""What is known of an experiment that nobody can speak for, before a person does: store, journals, instruments, choices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from controller.errors import LabwrightError
from controller.verbs.stores import Found

if TYPE_CHECKING:
    from instruments.protocol.records import AttemptRecord


LOOK_S = 3.0
"""Patience with an instrument that is to be read [s]."""


def explain(found: Found, experiment: dict[str, Any], definition: dict[str, Any], *, by: str) -> dict[str, Any]:
    """Return what is known of an experiment as JSON data.

    Args:
        found: Its campaign.
        experiment: As the reader gives it.
        definition: The campaign's definition as JSON data.
        by: Who asks the controller at work to read the instruments.

    Returns:
        `campaign`, `experiment` (number), `status`, `reason`; `attempts`: of each attempt without a known end its `step`,
        `attempt` (ordinal), `instrument`, `action`, `status`, `reason`, what the driver's journal holds (`journal`, None where
        it holds nothing or is not here) and `meaning`, the instrument's `state` now and what it `reads` (action -> name -> value
        and unit), or why it was not read (`not_read`); `choices`: verdict -> what it means.
    """
    from controller.settings import folder_of
    from controller.verbs.laboratories import status_of

    lab = definition["lab"]["lab"]
    folder = folder_of(found.url) / "labs" / lab
    states = {i["instrument"]: str(i["state"]) for i in status_of(found.url, lab).get("instruments", [])}
    unsettled = [a for a in experiment["attempts_list"] if a["status"] not in ("succeeded", "faulted", "cancelled")]
    looks = _look(found, lab, sorted({a["instrument"] for a in unsettled}), by)
    return {
        "campaign": found.name, "experiment": experiment["number"], "status": experiment["status"],
        "reason": experiment["reason"],
        "attempts": [
            {
                "step": a["step"], "attempt": a["ordinal"], "instrument": a["instrument"], "action": a["action"],
                "status": a["status"], "reason": a["reason"], "committed_at": a["committed_at"],
                **_from_journal(folder / a["instrument"] / "journal.db", a["id"]),
                "state": states.get(a["instrument"], "not at work"),
                "reads": looks.get(a["instrument"], {}).get("readings", {}),
                "not_read": looks.get(a["instrument"], {"problem": "no controller is at work"})["problem"],
            }
            for a in unsettled
        ],
        "choices": _choices(definition),
    }  # fmt: skip


def _look(found: Found, lab: str, instruments: list[str], by: str) -> dict[str, dict[str, Any]]:
    """Have the controller that holds the campaign read instruments; nothing where there is none, or it does not answer."""
    import json

    from controller.store.opening import Store
    from controller.verbs.requests import ask, at_work

    try:
        with Store.open(found.url) as store:
            if not at_work(store, found.name):
                return {}
            argument = {"lab": lab, "instruments": instruments, "timeout_s": LOOK_S}
            answer = ask(store, "instrument.read", found.id, argument, by=by, timeout_s=2 * LOOK_S)
    except LabwrightError as error:  # everything else that is known is told all the same
        return {name: {"problem": str(error)} for name in instruments}
    if answer.waiting:
        return {name: {"problem": answer.text} for name in instruments}
    return {look["instrument"]: look for look in json.loads(answer.text)}


def _from_journal(path: Path, attempt: str) -> dict[str, Any]:
    """Return what a journal holds of an attempt, and what that means."""
    from instruments.errors import JournalError
    from instruments.sdk.journal import JournalReader

    if not path.exists():
        return {"journal": None, "meaning": f"there is no journal at {path}; ask the driver's machine"}
    try:
        with JournalReader(path) as journal:
            record = journal.get(attempt)
    except JournalError as error:
        return {"journal": None, "meaning": str(error)}
    if record is None:
        return {"journal": None, "meaning": "it never heard of this attempt: nothing was begun, unless the journal was replaced"}
    return {"journal": _shown(record), "meaning": _meaning(record)}


def _shown(record: AttemptRecord) -> dict[str, Any]:
    from controller.store.reading import iso

    return {
        "status": record.status, "arguments": record.arguments, "accepted_at": iso(record.accepted_at),
        "started_at": iso(record.started_at), "finished_at": iso(record.finished_at),
        "acknowledged_at": iso(record.acknowledged_at),
        "values": {name: m.value for name, m in getattr(record.outcome, "values", {}).items()},
    }  # fmt: skip


def _meaning(record: AttemptRecord) -> str:
    from instruments.protocol.values import Faulted

    if record.rejected is not None:
        return f"it was turned down ({record.rejected[0]}: {record.rejected[1]}): nothing was begun"
    if isinstance(record.outcome, Faulted):
        began = "after it began" if record.started_at is not None else "before it began"
        return f"it ended {began} ({record.outcome.code.value}): {record.outcome.message}"
    if record.outcome is not None:
        if record.acknowledged_at is None:
            return "it succeeded, and its result waits here: a controller that is at work takes it over without a person"
        return "it succeeded, and the controller has acknowledged its result: run labwright campaign audit"
    if record.started_at is not None:
        return "it began, and no end is noted: its driver is still at it, or died in the middle"
    return "it was accepted and not begun; a driver that comes back begins it"


def _choices(definition: dict[str, Any]) -> dict[str, str]:
    wanted = " ".join(f"--value {name}=…" for name in definition["problem"]["objectives"])
    return {
        "completed": f"it was carried out and you know the result ({wanted}); the model learns from it",
        "failed": "it gave no result; the model learns that it failed there, and labwright experiment retry carries it out "
        "again from its first step: make sure that what it consumes or moves may be repeated",
        "abandoned": "it gave no result and is never tried again; the model learns that it failed there",
    }
