"""What one can ask of notifications: whether a file can be used, whether messages arrive, and what was told."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controller.errors import ConflictError, FileFaultsError, UnknownNameError
from controller.settings import folder_of
from controller.verbs.stores import show_url

NOTIFY_FILE = "notify.yaml"
"""Beside a store, this file is used without being named."""

if TYPE_CHECKING:
    from controller.domain.notification import NotifyFile


def rules_file(file: Path | None, urls: Sequence[str]) -> Path | None:
    """Return the file by which people are to be told of some stores: the named one, else `notify.yaml` beside the first store.

    Args:
        file: The named one.
        urls: The stores.

    Returns:
        None where none is named and none is there. Nothing is checked: a daemon that starts again must not stay away for that.
    """
    if file is not None:
        return file.absolute()
    beside = folder_of(urls[0]) / NOTIFY_FILE
    return beside if beside.exists() else None


def rules_for_run(file: Path | None, url: str) -> Path | None:
    """As `rules_file`, checked, for one store of which another process may tell already.

    Returns:
        None also where none is named and another process tells of the store.

    Raises:
        FileFaultsError: If it is wrong, or nothing could be sent to one of its targets.
        ConflictError: If it is named, and another process tells of the store.
    """
    rules = rules_file(file, [url])
    if rules is None:
        return None
    check_rules(rules)
    from controller.notify.outbox import Turn

    try:
        with Turn(folder_of(url)):
            return rules
    except ConflictError:
        if file is not None:
            raise
        return None


def check_rules(file: Path) -> NotifyFile:
    """Read a file that says who is told, and check that something can be sent to each target.

    Raises:
        FileFaultsError: With every fault, one line each.
    """
    from controller.files.telling import load_notify
    from controller.notify.sending import objection

    rules = load_notify(file)
    faults = [
        f"{file}: targets.{name}: {said}" for name, target in rules.targets.items() if (said := objection(target, file.parent))
    ]
    if faults:
        raise FileFaultsError(faults)
    return rules


def rules_in_use(urls: Sequence[str]) -> Path:
    """Return the file by which people are told of some stores, or were last, or `notify.yaml` beside the first.

    Raises:
        UnknownNameError: If there is none.
    """
    from controller.notify.outbox import file_of

    for url in urls:
        found = file_of(folder_of(url))
        if found is not None and found.exists():
            return found
    beside = folder_of(urls[0]) / NOTIFY_FILE
    if beside.exists():
        return beside
    raise UnknownNameError(
        f"nobody is told of anything here: write {beside}, or name a file with labwright daemon start --notify FILE"
    )


def try_targets(
    file: Path, names: Sequence[str] = (), on_answer: Callable[[dict[str, Any]], None] | None = None
) -> list[dict[str, Any]]:
    """Send a message to targets that says that it is a test, to all at once, and return what became of each.

    Args:
        file: Says where they are; a target to which nothing can be sent is told of as any other failure.
        names: Of targets; all when none is named.
        on_answer: Called with each row as it is known.

    Returns:
        `target`, `place` (without secrets), `arrived`, `seconds` and `problem` of each, in the order of the file.

    Raises:
        FileFaultsError: If the file is wrong.
        UnknownNameError: If it has no target of a name.
    """
    from controller.domain.ids import new_id
    from controller.files.telling import load_notify
    from controller.notify.sending import NotSentError, place_of, send, trial

    rules = load_notify(file)
    unknown = [name for name in names if name not in rules.targets]
    if unknown:
        raise UnknownNameError(f"{file} has no target {unknown[0]!r}; it has {', '.join(rules.targets)}")
    chosen = {name: target for name, target in rules.targets.items() if not names or name in names}

    def try_one(name: str) -> dict[str, Any]:
        target, began, problem = chosen[name], time.monotonic(), ""
        try:
            send(target, file.parent, trial(name, new_id(), time.time()), ())
        except NotSentError as error:
            problem = str(error)
        row = {
            "target": name, "place": place_of(target, file.parent), "arrived": not problem,
            "seconds": round(time.monotonic() - began, 3), "problem": problem,
        }  # fmt: skip
        if on_answer is not None:
            on_answer(row)
        return row

    with ThreadPoolExecutor(min(16, len(chosen)), thread_name_prefix="try") as pool:
        return list(pool.map(try_one, chosen))


def count_told(url: str) -> tuple[dict[tuple[str, str], int], dict[str, int]]:
    """Return what became of the messages about a store, by target and outcome, and how many notices wait for each target."""
    from controller.notify.outbox import tallies

    return tallies(folder_of(url))


def list_told(urls: Sequence[str], *, after: int = 0, limit: int = 200, newest: bool = False) -> list[dict[str, Any]]:
    """Return what people were told of, or are to be, by number: a row for each notice and target, times as ISO 8601 text.

    Args:
        urls: The stores; numbers count within each.
        after: Only notices with a larger number.
        limit: So many notices of each store at most.
        newest: The last ones instead of the first.
    """
    from controller.notify.outbox import told
    from controller.store.reading import iso

    times = ("taken_at", "next_at", "sent_at")
    return [
        {**row, **{name: iso(row[name]) for name in times}, "store": show_url(url)}
        for url in urls
        for row in told(folder_of(url), after=after, limit=limit, newest=newest)
    ]
