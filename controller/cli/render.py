"""Prints rows as a table for people or as JSON for programs, and errors for both."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from controller.verbs.readable import readable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from controller.verbs.requests import Answer

T = TypeVar("T")
_PATIENCE_S = 2.0
_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters but tabs and line ends, and those that override the direction of text (UAX #9)."""

_MANY = 300
"""A table of more rows is printed plainly."""
PIPED_WIDTH = 250
"""Columns of a table that goes into a file or a pipe, where nothing tells the width."""

STYLES = {
    "completed": "green", "running": "cyan", "queued": "blue", "proposed": "blue", "paused": "yellow", "stopping": "yellow",
    "failed": "red", "abandoned": "red", "unknown": "bold red", "cancelled": "dim", "draft": "dim",
    "ok": "green", "passed": "green", "skipped": "dim", "warning": "yellow", "simulated": "magenta", "SIMULATED": "bold magenta",
    "ready": "green", "busy": "cyan", "away": "yellow",
}  # fmt: skip
"""Colours of the words that a reader looks for."""


@dataclass(frozen=True)
class Column:
    """One column of a table: the key in the row, and its heading (by default the key)."""

    key: str
    title: str | None = None

    @property
    def heading(self) -> str:
        """What stands above the column."""
        return self.title if self.title is not None else self.key.replace("_", " ")


def text_of(value: object) -> str:
    """Return a value as people read it in a terminal: see `readable`."""
    return readable(value, clean)


def duration(seconds: float) -> str:
    """Return a length of time as people say it: `42 s`, `3 min 05 s`, `2 h 10 min`, `3 d 4 h`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def clean(text: str) -> str:
    """Return `text` without characters that steer a terminal or turn the order of what is read: it may come from outside."""
    return _STEERING.sub("\N{REPLACEMENT CHARACTER}", text)


def console(*, error: bool = False) -> Console:
    """Return a console for stdout or stderr, wide where it is no terminal, so that pipes get whole cells."""
    from rich.console import Console

    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() else PIPED_WIDTH
    return Console(stderr=error, width=width, highlight=False, soft_wrap=False)


def print_json(content: object, *, one_line: bool = False) -> None:
    """Print `content` as JSON, readable by default, on one line on request; as CSV where `--csv` asks for that."""
    from controller.cli.tables import as_asked

    if (table := as_asked(content)) is not None:
        print(table, end="")
        return
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, indent=None if one_line else 2, default=str)
    print(_STEERING.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text))  # JSON's own way of writing them


def print_rows(
    rows: Sequence[Mapping[str, Any]],
    columns: Iterable[Column],
    *,
    as_json: bool,
    title: str | None = None,
    empty: str = "Nothing to show.",
) -> None:
    """Print `rows`: all of each row as JSON, or the named columns as a table.

    Args:
        rows: What there is to show.
        columns: What the table shows of it; columns that are empty in every row are left out.
        as_json: Print JSON.
        title: Stands above the table.
        empty: Printed instead of a table without rows.
    """
    if as_json:
        print_json(list(rows))
        return
    if not rows:
        print(empty)
        return
    if len(rows) > _MANY:
        _print_plainly(rows, columns, title)
    else:
        console().print(table(rows, columns, title=title))


def _print_plainly(rows: Sequence[Mapping[str, Any]], columns: Iterable[Column], title: str | None) -> None:
    """Print a long table without colours, frames and folded cells: ten thousand rows in a second, not in ten."""
    cells = {c: [text_of(row.get(c.key)).replace("\n", " ") for row in rows] for c in columns}
    shown = {c: texts for c, texts in cells.items() if any(texts)}
    right = {c for c in shown if all(_is_number(row.get(c.key)) or row.get(c.key) is None for row in rows)}
    widths = {c: max(len(c.heading), *map(len, texts)) for c, texts in shown.items()}

    def line(texts: Iterable[str]) -> str:
        padded = (t.rjust(widths[c]) if c in right else t.ljust(widths[c]) for c, t in zip(shown, texts, strict=True))
        return "  ".join(padded).rstrip()

    print("\n".join([*([title, ""] if title else []), line(c.heading for c in shown)]))
    print("\n".join(line(texts) for texts in zip(*shown.values(), strict=True)))


def table(rows: Sequence[Mapping[str, Any]], columns: Iterable[Column], *, title: str | None = None) -> Table:
    """Return a rich table of the named columns; numbers stand to the right, known words in their colour."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    shown = [c for c in columns if any(text_of(row.get(c.key)) for row in rows)]
    # Text, not str: rich reads the unit in `temperature [degC]` as a style.
    result = Table(
        box=SIMPLE_HEAD, title=Text(title or "", style="bold") if title else None, title_justify="left", pad_edge=False
    )
    for column in shown:
        numeric = all(_is_number(row.get(column.key)) or row.get(column.key) is None for row in rows)
        result.add_column(Text(column.heading, style="bold"), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        cells = (text_of(row.get(c.key)) for c in shown)
        result.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in cells))
    return result


def print_facts(facts: Mapping[str, Any], *, title: str | None = None) -> None:
    """Print names and values, one pair a line; empty values are left out."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        if text := text_of(value):
            grid.add_row(Text(name, style="bold"), Text(text, style=STYLES.get(text, "")))
    out = console()
    if title:
        out.print(Text(title, style="bold"))
    out.print(grid)


def report(campaign: str, url: str, answer: Answer, *, as_json: bool, more: Mapping[str, Any] | None = None) -> None:
    """Print what became of a request; `more` stands beside it in the JSON."""
    if as_json:
        print_json({**answer.told(campaign, url), **(more or {})})
    else:
        print(f"{campaign}: {clean(answer.text)}")


def mark(simulated: object) -> str:
    """Return what every screen says of data that no real instrument gave."""
    return "simulated" if simulated else "real"


def followed(items: Iterable[T], total: int, doing: str, *, quiet: bool) -> Iterator[T]:
    """Yield `items`, with a bar on stderr that shows how far it is once it has taken two seconds.

    Args:
        items: What comes one after the other.
        total: How many they are.
        doing: What is being done, in a word.
        quiet: Show nothing; nor is anything shown where nobody looks on.
    """
    import time

    out = console(error=True)
    if quiet or not out.is_terminal:
        yield from items
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    began = time.monotonic()
    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, transient=True) as progress:
        task = progress.add_task("", total=total, visible=False)
        for item in items:
            progress.update(task, advance=1, visible=time.monotonic() - began > _PATIENCE_S)
            yield item


@contextmanager
def waiting(doing: str, *, quiet: bool) -> Iterator[None]:
    """Show on stderr that something goes on, and for how long already, once it has taken two seconds.

    Args:
        doing: What is being done, in a few words.
        quiet: Show nothing; nor is anything shown where nobody looks on.
    """
    out = console(error=True)
    if quiet or not out.is_terminal:
        yield
        return
    import threading

    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(TextColumn(doing), BarColumn(), TimeElapsedColumn(), console=out, transient=True) as progress:
        task = progress.add_task("", total=None, visible=False)
        late = threading.Timer(_PATIENCE_S, lambda: progress.update(task, visible=True))
        late.daemon = True
        late.start()
        try:
            yield
        finally:
            late.cancel()


def complain(error: Exception, exit_code: int, *, as_json: bool) -> None:
    """Print an expected error on stderr: one line per fault, or one JSON object."""
    if as_json:
        lines = getattr(error, "faults", None) or [str(error)]
        content = {"error": str(error), "type": type(error).__name__, "exit_code": exit_code, "faults": lines}
        print(json.dumps(content, ensure_ascii=False), file=sys.stderr)
        return
    for line in str(error).splitlines() or [type(error).__name__]:
        print(f"labwright: {clean(line)}", file=sys.stderr)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
