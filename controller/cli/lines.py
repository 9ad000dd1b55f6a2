"""Progress as plain lines, for logs, pipes and screen readers."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TextIO

from controller.cli.render import clean, text_of
from controller.verbs.tasks import SHORT

if TYPE_CHECKING:
    from controller.domain.campaign import Definition
    from controller.engine.snapshot import Snapshot


class LineDisplay:
    """Prints a line whenever something has changed.

    Args:
        definition: The campaign.
        store: The store's address, for people.
        out: Where lines go.
    """

    def __init__(self, definition: Definition, store: str, out: TextIO) -> None:
        self._out = out
        self._finished = -1
        self._best = ""
        self._status = ""
        self._doing = ""
        self._alarms: list[str] = []
        self._tasks: set[str] = set()
        twins = f" ({', '.join(definition.lab.twins)})" if definition.lab.twins else ""
        data = f"SIMULATED data{twins}" if definition.simulated else "real instruments"
        self._print(f"{definition.name}: {definition.budget.experiments} experiments, {data}, store {store}")

    def update(self, snapshot: Snapshot) -> None:
        """Print what is new in `snapshot`."""
        finished = n_finished(snapshot)
        if snapshot.status != self._status:
            self._status = snapshot.status
            self._print(f"campaign is {snapshot.status}" + (f": {snapshot.reason}" if snapshot.reason else ""))
        if self._finished < 0 and snapshot.doing and snapshot.doing != self._doing:
            self._doing = snapshot.doing
            self._print(snapshot.doing)
        if finished != self._finished and (finished or self._finished >= 0):
            self._finished = finished
            occurring = ", ".join(f"{n} {status}" for status, n in snapshot.counts.items() if n)
            best = best_text(snapshot)
            self._print(f"{finished}/{snapshot.budget}  {occurring}" + (f"  {best}" if best != self._best else ""))
            self._best = best
        tasks = {str(item["task"]): item for item in snapshot.running if item.get("task")}
        for task, item in tasks.items():
            if task not in self._tasks:
                of = f"experiment {item['experiment']}, step {item['step']}"
                self._print(f"{of} waits for a person: labwright task answer {task[-SHORT:]}")
        self._tasks = set(tasks)
        for alarm in [a for a in snapshot.alarms if a not in self._alarms]:
            self._print(f"ALARM {alarm}")
        self._alarms = list(snapshot.alarms)

    def _print(self, text: str) -> None:
        # A full disk under the log, or a reader that has gone, is no reason to end a campaign: the store holds it all.
        with contextlib.suppress(OSError):
            print(clean(text), file=self._out, flush=True)


def n_finished(snapshot: Snapshot) -> int:
    """Return how many experiments have come to an end that counts against the budget."""
    ended = sum(snapshot.counts.get(status, 0) for status in ("completed", "failed", "abandoned", "unknown"))
    return ended - snapshot.imported


def best_text(snapshot: Snapshot) -> str:
    """Return the best so far on one line, or how many are on the front."""
    if not snapshot.best:
        return ""
    first = snapshot.best[0]
    if snapshot.front:
        return f"{len(snapshot.best)} on the Pareto front"
    return f"best {text_of(first['objectives'])} (experiment {first['experiment']})"
