"""`--csv`: what a command answers as JSON, as a table for a spreadsheet or a program that takes no JSON (RFC 4180).

Every command that is named here has the option; nothing else needs to know of it. A row of the table is an object of the answer, a
column the path of a value in it (`parameters.temperature`); an answer that is no list becomes two columns, `name` and `value`. An
apostrophe stands before a text that a spreadsheet would take for a formula; numbers are numbers.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Annotated, Any

import typer
from typer.main import get_command

from controller.cli.render import clean
from controller.files.formulas import harmless

Rows = Callable[[Any], Any]


def _whole(content: Any) -> Any:
    return content


def _but_the_definition(content: Any) -> Any:
    return {name: value for name, value in content.items() if name != "definition"}


def _part(name: str) -> Rows:
    return lambda content: content[name]


def _effects(content: Any) -> list[dict[str, Any]]:
    return [{"objective": name, **e} for name, found in content["objectives"].items() for e in found["effects"]]


def _of_figures(content: Any) -> list[dict[str, Any]]:
    tables = ((figure["kind"], figure["table"]) for figure in content["figures"])
    return [{"figure": kind, **dict(zip(table["columns"], row, strict=True))} for kind, table in tables for row in table["rows"]]


TABLES: dict[str, Rows] = {
    "campaign list": _whole, "campaign show": _but_the_definition, "campaign why": _whole, "campaign best": _part("best"),
    "campaign sensitivity": _effects, "campaign slice": _part("values"), "campaign forecast": _part("outlook"),
    "campaign calibration": _part("experiments"), "campaign replay": _part("proposals"), "campaign audit": _whole,
    "experiment list": _whole, "experiment show": _whole, "experiment files": _whole,
    "instrument list": _whole, "daemon status": _whole,
    "recording list": _whole, "driver check": _whole, "simulator list": _whole, "keys list": _whole, "tokens list": _whole,
    "db check": _whole, "db upgrade": _whole, "db backup": _whole, "task list": _whole, "task show": _whole,
    "campaign compare": _part("campaigns"), "campaign plot": _of_figures, "notify list": _whole, "notify test": _whole,
}  # fmt: skip
"""Command -> what of its answer is the table."""

_asked: ContextVar[Rows | None] = ContextVar("csv", default=None)


def _remember(ctx: typer.Context, value: bool) -> None:
    if not value:
        return
    noun = None if ctx.parent is None else ctx.parent.command.name
    token = _asked.set(TABLES[_path(noun, ctx.command.name)])
    ctx.call_on_close(lambda: _asked.reset(token))
    # The command answers as it does with --json, and `print_json` writes it otherwise; errors stay lines of text.
    ctx.default_map = {**(ctx.default_map or {}), "json": True}
    ctx.find_root().meta["csv"] = True


def _carrier(
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV for spreadsheets.", callback=_remember, is_eager=True)] = False,
) -> None:
    """Stand for any command: typer makes options of functions alone."""


def _path(noun: str | None, name: str | None) -> str:
    return f"{noun} {name}"


def offer_csv(command: Any, noun: str | None) -> None:
    """Give a command the option, if it answers with a table."""
    at = next((i for i, p in enumerate(command.params) if p.name == "json"), None)
    if _path(noun, command.name) not in TABLES or at is None:
        return
    alone = typer.Typer(add_completion=False)
    alone.command()(_carrier)
    option = next(p for p in get_command(alone).params if p.name == "csv")
    option.expose_value = False
    command.params.insert(at + 1, option)


def as_asked(content: Any) -> str | None:
    """Return `content` as CSV where that was asked for, else None."""
    rows = _asked.get()
    return None if rows is None else separated(rows(content))


def separated(content: Any) -> str:
    """Return a list of objects, or one object, as CSV: a header, CRLF at the end of each line, quotes where they are needed."""
    if isinstance(content, Mapping):
        rows = [{"name": name, "value": value} for name, value in _flat(content, deep=True)]
    else:
        rows = [dict(_flat(row)) for row in content]
    header = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.writer(out)
    if header:
        writer.writerow(header)
    writer.writerows([_cell(row.get(name)) for name in header] for row in rows)
    return out.getvalue()


def _flat(content: Mapping[str, Any], path: str = "", *, deep: bool = False) -> Iterator[tuple[str, Any]]:
    """Yield path and value of everything in an object; of lists only with `deep`, else each is one value."""
    for name, value in content.items():
        here = f"{path}{name}"
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{here}.", deep=deep)
        elif deep and isinstance(value, Sequence) and not isinstance(value, str) and value:
            yield from _flat({str(i): one for i, one in enumerate(value, 1)}, f"{here}.", deep=True)
        else:
            yield here, value


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple, dict)):
        return clean(json.dumps(value, ensure_ascii=False, default=str)) if value else ""
    return harmless(clean(value)) if isinstance(value, str) else str(value)
