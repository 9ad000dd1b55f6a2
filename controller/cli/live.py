"""The live display of `labwright run`: progress, what runs and until when, the best so far, alarms."""

from __future__ import annotations

from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from controller.cli.lines import n_finished
from controller.cli.render import STYLES, clean, duration
from controller.cli.results import best_table
from controller.verbs.tasks import SHORT

if TYPE_CHECKING:
    from controller.domain.campaign import Definition
    from controller.engine.snapshot import Snapshot

BEST_ROWS = 6
RUNNING_ROWS = 8
ALARM_ROWS = 3
FRAME = 4
"""Characters that the frame takes."""


class LiveDisplay:
    """Draws each snapshot in place; leaves the last one on the screen.

    Args:
        definition: The campaign.
        store: The store's address, for people.
        console: Where to draw; by default stdout.
    """

    def __init__(self, definition: Definition, store: str, console: Console | None = None) -> None:
        self._definition = definition
        self._plain = definition.model_dump(mode="json")
        self._store = store
        self._live = Live(console=console or Console(highlight=False), auto_refresh=False)

    def __enter__(self) -> LiveDisplay:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def update(self, snapshot: Snapshot) -> None:
        """Draw `snapshot`."""
        self._live.update(self.draw(snapshot), refresh=True)

    def draw(self, snapshot: Snapshot) -> RenderableType:
        """Return the picture of `snapshot`."""
        parts: list[RenderableType] = [self._progress(snapshot)]
        if snapshot.running:
            parts += [Text(), _running(snapshot)]
        if snapshot.best:
            parts += [Text(), self._best(snapshot)]
        if snapshot.alarms:
            parts += [Text(), *(Text(f"⚠ {clean(alarm)}", style="yellow") for alarm in snapshot.alarms[-ALARM_ROWS:])]
        title = Text(f" {snapshot.campaign} ", style="bold")
        if snapshot.simulated:
            title.append("SIMULATED ", style="bold magenta")
        away = [i["instrument"] for i in snapshot.instruments if not i["connected"]]
        below = f"{self._store}" + (f" · away: {', '.join(away)}" if away else "")
        return Panel(Group(*parts), title=title, subtitle=Text(f" {below} ", style="dim"), border_style="dim")

    def _progress(self, snapshot: Snapshot) -> RenderableType:
        grid = Table.grid(padding=(0, 2), expand=True)
        grid.add_column(ratio=1)
        grid.add_column(justify="right")
        grid.add_column(justify="right")
        finished = n_finished(snapshot)
        grid.add_row(
            ProgressBar(total=snapshot.budget, completed=min(finished, snapshot.budget)),
            Text(f"{finished}/{snapshot.budget} experiments"),
            Text(f"{duration(snapshot.now - snapshot.started_at)} of lab time"),
        )
        line = Text(snapshot.status, style=STYLES.get(snapshot.status, ""))
        line.append(f" · {clean(snapshot.doing)}" if snapshot.doing else "", style="default")
        troubled = [f"{snapshot.counts[s]} {s}" for s in ("failed", "abandoned", "unknown") if snapshot.counts.get(s)]
        line.append(f" · {', '.join(troubled)}" if troubled else "", style="red")
        return Group(grid, line)

    def _best(self, snapshot: Snapshot) -> RenderableType:
        several = self._definition.problem.several
        title = f"On the Pareto front: {len(snapshot.best)}" if several else "Best so far"
        rows = snapshot.best if len(snapshot.best) <= BEST_ROWS else _spread(snapshot.best, BEST_ROWS)
        return best_table(rows, self._plain, title=title, width=self._live.console.width - FRAME, compact=True)


def _running(snapshot: Snapshot) -> RenderableType:
    result = Table(
        box=None, title="Under way", title_justify="left", title_style="bold", pad_edge=False, padding=(0, 2, 0, 0)
    )
    for heading in ("experiment", "step", "instrument", "status", "for", "until"):
        result.add_column(heading, justify="right" if heading in ("experiment", "for") else "left")
    for item in snapshot.running[:RUNNING_ROWS]:
        status = f"task {item['task'][-SHORT:]} waits" if item.get("task") else str(item["status"])
        result.add_row(
            str(item["experiment"]), Text(str(item["step"])), Text(str(item["instrument"])),
            Text(status, style="yellow" if item.get("task") else STYLES.get(status, "")),
            duration(snapshot.now - item["since"]), _until(item, snapshot.now),
        )  # fmt: skip
    if len(snapshot.running) > RUNNING_ROWS:
        return Group(result, Text(f"and {len(snapshot.running) - RUNNING_ROWS} more", style="dim"))
    return result


def _until(item: dict[str, Any], now: float) -> str:
    if not item.get("expected_s"):
        return ""
    ends = float(item["since"]) + float(item["expected_s"])
    clock = f"{datetime.fromtimestamp(ends, UTC):%H:%M:%S} UTC"
    return f"{clock}, {duration(ends - now)} left" if ends > now else f"{clock}, {duration(now - ends)} late"


def _spread(rows: list[dict[str, Any]], n: int) -> list[dict[str, Any]]:
    """Return `n` rows spread evenly over a front, both ends included."""
    return [rows[round(i * (len(rows) - 1) / (n - 1))] for i in range(n)]
