"""After the storm: what the devices wrote down, what the drivers' journals hold, and what the store says of it."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller.store.reading import open_reader
from tests.chaos.bench import CAMPAIGN, Bench
from tests.chaos.devices import read_log


@dataclass
class Books:
    """What was found. `lost` and `repeated` and `wrong` name each fault; all three are empty when the books balance."""

    completed: int = 0
    unknown: int = 0
    interrupted: int = 0
    """Irreversible actions that were begun and whose outcome nobody can know."""
    attempts: int = 0
    lost: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def balanced(self) -> bool:
        return not (self.lost or self.repeated or self.wrong)


def examine(bench: Bench) -> Books:
    """Compare store, journals and devices of a campaign that has ended."""
    books = Books()
    with closing(open_reader(bench.store)) as reader:
        experiments = {e["id"]: e for e in reader.experiments(CAMPAIGN)}
        attempts = {a["id"]: a for a in reader.attempts(CAMPAIGN)}
    books.attempts = len(attempts)
    statuses = Counter(e["status"] for e in experiments.values())
    books.completed, books.unknown = statuses.pop("completed", 0), statuses.pop("unknown", 0)
    if statuses:
        books.wrong.append(f"experiments neither completed nor unknown: {dict(statuses)}")
    if books.completed + books.unknown != bench.experiments:
        books.lost.append(f"{books.completed} completed and {books.unknown} unknown of {bench.experiments} experiments")
    _compare_devices(bench, experiments, attempts, books)
    _compare_journals(bench, attempts, books)
    _compare_unknown(experiments, attempts, books)
    audit: Any = bench.ask("campaign", "audit", CAMPAIGN)
    if not audit["balanced"] or audit["differences"]:
        books.wrong.append(f"audit: {audit}")
    return books


def _compare_devices(bench: Bench, experiments: dict[str, Any], attempts: dict[str, Any], books: Books) -> None:
    """Count in the devices' own logs what was really begun."""
    began: Counter[str] = Counter()
    by_step: dict[tuple[str, str], list[str]] = {}
    for path in bench.device_logs():
        for attempt in (line["attempt"] for line in read_log(path) if line["event"] == "began"):
            began[attempt] += 1
            if attempt not in attempts:
                books.wrong.append(f"{path.parent.name} began attempt {attempt}, which the store never committed")
            elif began[attempt] == 1:
                found = attempts[attempt]
                by_step.setdefault((found["experiment"], found["step"]), []).append(attempt)
    books.repeated += [f"attempt {attempt} was begun {n} times" for attempt, n in began.items() if n > 1]
    for (experiment, step), begun in by_step.items():
        if step != "weigh" and len(begun) > 1:  # weighing may be done again, in an attempt of its own
            number = experiments[experiment]["number"]
            books.repeated.append(f"step {step} of experiment {number} was begun in {len(begun)} attempts")
    for experiment in experiments.values():
        if experiment["status"] == "completed":
            missing = [step for step in ("react", "cut", "weigh") if (experiment["id"], step) not in by_step]
            books.wrong += [f"experiment {experiment['number']} is completed, {step} never began" for step in missing]


def _compare_journals(bench: Bench, attempts: dict[str, Any], books: Books) -> None:
    """Whatever a driver finished must be in the store, with the same values."""
    for path in sorted(bench.folder.glob("**/labs/chaos/*/journal.db")):
        for attempt, outcome in _outcomes(path):
            stored = attempts.get(attempt)
            if stored is None:
                books.lost.append(f"{path.parent.name}: attempt {attempt} is in the journal and not in the store")
            elif outcome["kind"] == "succeeded":
                values = {name: value["value"] for name, value in outcome["values"].items()}
                known = {m["name"]: m["value"] for m in stored["measurements"]}
                if stored["status"] != "succeeded" or values != known:
                    books.lost.append(f"{path.parent.name}: attempt {attempt} gave {values}; stored: {stored['status']} {known}")
            elif stored["status"] not in ("faulted", "unknown", "cancelled"):
                books.wrong.append(f"{path.parent.name}: attempt {attempt} is {outcome['code']}; stored: {stored['status']}")
            if path.parent.name == "mill" and outcome.get("code") == "interrupted":
                books.interrupted += 1
                if stored is not None and stored["status"] != "unknown":
                    books.lost.append(f"mill: attempt {attempt} was interrupted; stored: {stored['status']}, not unknown")


def _outcomes(journal: Path) -> list[tuple[str, dict[str, Any]]]:
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT attempt, outcome FROM attempts WHERE outcome IS NOT NULL").fetchall()
    return [(attempt, json.loads(outcome)) for attempt, outcome in rows]


def _compare_unknown(experiments: dict[str, Any], attempts: dict[str, Any], books: Books) -> None:
    """Unknown are those experiments, and no others, of which an attempt is unknown: one of the mill's, which cannot tell."""
    unknown = [a for a in attempts.values() if a["status"] == "unknown"]
    books.wrong += [f"attempt {a['id']} at the {a['instrument']} is unknown" for a in unknown if a["instrument"] != "mill"]
    of_attempts = {a["experiment"] for a in unknown}
    of_experiments = {e["id"] for e in experiments.values() if e["status"] == "unknown"}
    if of_attempts != of_experiments:
        numbers = sorted(experiments[e]["number"] for e in of_attempts ^ of_experiments)
        books.wrong.append(f"attempts and experiments disagree on what is unknown: experiments {numbers}")
    if len(unknown) != books.interrupted:
        books.wrong.append(f"{books.interrupted} interrupted in the mill's journal, {len(unknown)} unknown in the store")
