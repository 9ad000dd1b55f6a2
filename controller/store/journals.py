"""Compares the books of a campaign with what the drivers wrote down for themselves.

A driver's journal is a second account of the same attempts, kept by another process in another file. Where the two differ, a
result was lost, made up or came twice, or one of the two was changed or replaced by a copy. Drivers and the controller may be
at work meanwhile: what is only on its way is no difference.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from controller.domain.campaign import Definition
from controller.store.reading import Reader
from controller.store.records import plain
from controller.store.stored import measured_value
from instruments.errors import JournalError
from instruments.protocol.records import AttemptRecord
from instruments.protocol.values import READING, Faulted, Succeeded
from instruments.sdk.journal import JournalReader

_AGAIN_S = 0.3
"""Pause before what was found is looked at again: what was on its way has arrived by then [s]."""
_ON_THE_WAY = ("committed", "accepted", "running")

_Row = Mapping[str, Any]


@dataclass
class Comparison:
    """What the journals say of a campaign."""

    differences: list[str] = field(default_factory=list)
    """One line each; empty where store and journals agree."""
    notes: list[str] = field(default_factory=list)
    """What is no difference but good to know: results on their way, journals that are not here, words of people."""
    n_compared: int = 0
    """Attempts that store and journal both know."""


@dataclass(frozen=True)
class _Entry:
    """One attempt in one journal."""

    instrument: str
    record: AttemptRecord


@dataclass
class _Journals:
    """What was found in the journals of a campaign's labs."""

    entries: dict[str, list[_Entry]] = field(default_factory=dict)
    """Attempt -> what each journal that knows it says."""
    absent: dict[str, Path] = field(default_factory=dict)
    """Instruments without a journal here, and where it was looked for."""
    known: set[str] = field(default_factory=set)
    """Every instrument of these labs."""
    damaged: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    """What else could not be looked at."""


def compare(reader: Reader, campaign: str, labs: Path) -> Comparison:
    """Compare a campaign (name or id) with the journals of its instruments.

    Args:
        reader: Of the store.
        campaign: Name or id.
        labs: The folder of the store's labs, `labs/LAB/INSTRUMENT/journal.db`.

    Raises:
        UnknownNameError: If the store holds no such campaign.
        StoreError: If the store cannot be read.
    """
    first = _compare_once(reader, campaign, labs)
    if not first.differences:
        return first
    time.sleep(_AGAIN_S)
    again, before = _compare_once(reader, campaign, labs), set(first.differences)
    again.differences = [line for line in again.differences if line in before]
    return again


def _compare_once(reader: Reader, campaign: str, labs: Path) -> Comparison:
    # The journals first: what they know was committed in the store before it was sent.
    journals = _read_journals(reader, campaign, labs)
    with reader.snapshot():
        key = str(reader.campaign_row(campaign)["id"])
        measured: dict[str, list[_Row]] = {}
        for row in reader.measurement_rows(key):
            measured.setdefault(row["attempt"], []).append(row)
        attempts = {row["id"]: {**row, "measurements": measured.get(row["id"], [])} for row in reader.attempt_rows(key)}
        numbers = {row["id"]: row["number"] for row in reader.experiment_rows(key)}
        known = reader.known_attempts([a for a in journals.entries if a not in attempts])
    found, missed = Comparison(differences=journals.damaged, notes=journals.unread), Counter[str]()
    for attempt, row in attempts.items():
        name = f"experiment {numbers.get(row['experiment'], row['experiment'])}, step {row['step']}, attempt {row['ordinal']}"
        entries = journals.entries.get(attempt, [])
        found.n_compared += bool(entries)
        carried_out = [e for e in entries if e.record.started_at is not None]
        if len(carried_out) > 1:
            places = " and by ".join(entry.instrument for entry in carried_out)
            found.differences.append(f"{name}: carried out more often than once, by {places} as their journals say")
        elif entries:
            _compare_attempt(found, name, row, (carried_out or entries)[0])
        elif row["instrument"] in journals.absent or row["instrument"] not in journals.known:
            missed[row["instrument"]] += 1
        else:
            _without_entry(found, name, row)
    found.differences += _twice(attempts, numbers, journals)
    for attempt, entries in journals.entries.items():
        if attempt not in attempts and attempt not in known:
            found.differences += [_stranger(attempt, entry) for entry in entries if entry.record.rejected is None]
    for instrument, n in missed.items():
        there = f"there is no journal at {journals.absent[instrument]}" if instrument in journals.absent else "its lab is not known"
        found.notes.append(f"{instrument}: {there}; its {n} attempts were not compared")
    return found


def _read_journals(reader: Reader, campaign: str, labs: Path) -> _Journals:
    with reader.snapshot():
        definitions = reader.definition_rows(str(reader.campaign_row(campaign)["id"]))
    journals, places = _Journals(), dict[tuple[str, str], Path]()
    for row in definitions:  # the lab of a campaign may be amended: the journals of every version count
        try:
            lab = Definition.model_validate_json(row["body"]).lab
        except ValidationError:
            where = f"definition version {row['version']}"
            journals.unread.append(f"{where} cannot be read; the journals of its lab were not looked for")
            continue
        places |= {(lab.lab, name): labs / lab.lab / name / "journal.db" for name in lab.instruments}
    for (_, instrument), path in places.items():
        journals.known.add(instrument)
        if not path.exists():
            journals.absent[instrument] = path
            continue
        try:
            with JournalReader(path) as journal:
                for record in journal.records():
                    if not record.attempt.startswith(READING):
                        journals.entries.setdefault(record.attempt, []).append(_Entry(instrument, record))
        except JournalError as error:
            journals.damaged.append(f"{instrument}: {error}")
            journals.absent[instrument] = path
    return journals


def _compare_attempt(found: Comparison, name: str, row: _Row, entry: _Entry) -> None:
    """Say how an attempt differs from what its journal holds."""
    record, outcome, status = entry.record, entry.record.outcome, row["status"]
    journal = f"the journal of {entry.instrument}"
    if record.rejected is not None:
        if status == "succeeded" and not _by_person(row):
            found.differences.append(f"{name}: status is {status!r}, {journal} says that it was turned down")
        return
    if outcome is None:
        if status in ("succeeded", "faulted", "cancelled") and not _by_person(row):
            found.differences.append(f"{name}: status is {status!r}, {journal} has it as {record.phase}")
        return
    if entry.instrument != row["instrument"]:
        found.differences.append(f"{name}: {journal} has it, it was for {row['instrument']}")
    stands = repr(status) + (f" ({row['fault_code']})" if row["fault_code"] else "")
    ended = "succeeded" if isinstance(outcome, Succeeded) else f"faulted ({outcome.code.value})"
    if status in _ON_THE_WAY or (status == "unknown" and isinstance(outcome, Succeeded)):
        if record.acknowledged_at is None:
            found.notes.append(f"{name}: {ended} by {journal}; the result waits there for the controller to take it over")
        else:
            found.differences.append(
                f"{name}: status is {status!r}, {journal} says {ended} and that the controller acknowledged it"
            )
    elif _by_person(row):
        if (status == "succeeded") != isinstance(outcome, Succeeded):
            found.notes.append(f"{name}: a person settled it as {status}, {journal} says {ended}")
    elif isinstance(outcome, Succeeded):
        if status == "succeeded":
            found.differences += _measured(name, row, outcome, journal)
        else:
            found.differences.append(f"{name}: status is {stands}, {journal} says {ended}")
    elif status == "succeeded" or (status != "unknown" and not _same_fault(row, outcome)):
        found.differences.append(f"{name}: status is {stands}, {journal} says {ended}")


def _without_entry(found: Comparison, name: str, row: _Row) -> None:
    """Say that a journal never heard of an attempt that its driver told of; a command turned down leaves no outcome."""
    told = row["status"] in ("accepted", "running", "succeeded") or (
        row["status"] == "faulted" and not (row["fault_code"] or "").startswith("rejected.")
    )
    if told and not _by_person(row):
        found.differences.append(
            f"{name}: status is {row['status']!r}, the journal of {row['instrument']} never heard of it; was it replaced?"
        )


def _twice(attempts: Mapping[str, _Row], numbers: Mapping[str, int], journals: _Journals) -> Iterator[str]:
    """Yield the steps of which the journals hold more than one success."""
    succeeded: Counter[tuple[str, str]] = Counter()
    for attempt, entries in journals.entries.items():
        if attempt in attempts and any(isinstance(e.record.outcome, Succeeded) for e in entries):
            succeeded[attempts[attempt]["experiment"], attempts[attempt]["step"]] += 1
    for (experiment, step), times in succeeded.items():
        if times > 1:
            yield f"experiment {numbers.get(experiment, experiment)}, step {step}: carried out {times} times as the journals say"


def _stranger(attempt: str, entry: _Entry) -> str:
    record = entry.record
    did = {"running": "began", "acknowledged": "finished"}.get(record.phase, record.phase)
    return f"{entry.instrument} {did} attempt {attempt} ({record.action}), of which the store knows nothing"


def _measured(name: str, row: _Row, outcome: Succeeded, journal: str) -> Iterator[str]:
    stored = {m["name"]: (measured_value(m), m["unit"], m["sem"]) for m in row["measurements"]}
    told = {plain(key): (_stored(m.value), m.unit, m.sem) for key, m in outcome.values.items()}
    for key in stored.keys() | told.keys():
        if stored.get(key) != told.get(key):
            yield f"{name}, measured {key}: {_shown(stored.get(key))}, {journal} has {_shown(told.get(key))}"
    kept = {(f["name"], f["sha256"]) for f in json.loads(row["files"] or "[]")}
    for file, digest in sorted(kept ^ {(f.name, f.sha256) for f in outcome.files}):
        yield f"{name}, raw file {file} ({digest[:16]}…): only the {'store' if (file, digest) in kept else 'journal'} tells of it"


def _stored(value: bool | float | str) -> bool | float | str:
    return plain(value) if isinstance(value, str) else value if isinstance(value, bool) else float(value)


def _shown(measured: tuple[Any, str | None, float | None] | None) -> str:
    if measured is None:
        return "nothing"
    value, unit, sem = measured
    return f"{value!r}{f' ± {sem!r}' if sem is not None else ''}{f' {unit}' if unit else ''}"


def _same_fault(row: _Row, outcome: Faulted) -> bool:
    return bool(row["fault_code"] == outcome.code.value)


def _by_person(row: _Row) -> bool:
    """Say whether a person settled it (`engine.resolving`): a driver's success has no reason, its faults other codes."""
    if row["status"] == "succeeded":
        return bool(row["reason"])
    return bool(row["fault_code"] == "resolved")
