"""`labwright campaign import`: bring earlier results in."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.options import Json, Store, Timeout
from controller.cli.render import clean, print_json, report
from controller.verbs.stores import find, store_urls

if TYPE_CHECKING:
    from controller.domain.campaign import Definition


class Form(StrEnum):
    """Who wrote a table."""

    TABLE = "table"
    LABWRIGHT = "labwright"
    BAYBE = "baybe"
    AX = "ax"
    OLYMPUS = "olympus"


def import_data(
    campaign: Annotated[
        str,
        typer.Argument(
            metavar="CAMPAIGN|FILE", show_default=False,
            help="Name or id of a campaign, or a campaign file: one that the store does not hold yet is entered, paused.",
        ),
    ],
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A CSV, Parquet or XLSX file.", show_default=False)],
    check: Annotated[bool, typer.Option("--check", help="Only say what would be imported.")] = False,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column", metavar="NAME=HEADING", show_default=False,
            help="The column of a parameter or objective, where its heading is another; may be repeated.",
        ),
    ] = None,
    form: Annotated[
        Form | None, typer.Option("--from", help="Who wrote it; found out by default.", show_default=False)
    ] = None,
    sheet: Annotated[
        str | None, typer.Option(help="Of a spreadsheet; by default 'experiments', or the first.", show_default=False)
    ] = None,
    convert: Annotated[bool, typer.Option("--convert", help="Convert units that differ from the campaign's.")] = False,
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="Leave rows out that the campaign does not allow, in place of refusing the file.")
    ] = False,
    store: Store = None,
    timeout: Timeout = 30.0,
    json: Json = False,
) -> None:
    """Bring earlier results in, as experiments of the campaign that cost no budget; all of them, or none.

    Tables as BayBE, Ax and Olympus write them are understood. Every fault is told at once, with its row and column.
    """
    from controller.errors import ConflictError, UnknownNameError
    from controller.verbs.importing import import_into_new, import_results, read_results
    from controller.verbs.logs import read_definition
    from controller.verbs.requests import who

    named: dict[str, str] = {}
    for text in column or []:
        name, equals, heading = text.partition("=")
        if not equals or not name.strip() or not heading.strip():
            raise ConflictError(f"--column {text!r} is no NAME=HEADING; write for example --column yield=Y_obs")
        named[name.strip()] = heading.strip()

    fresh, url = None, ""
    if Path(campaign).suffix.lower() in (".yaml", ".yml", ".json"):
        fresh, url = _loaded(Path(campaign), store)
    try:
        with find([url] if fresh is not None else store_urls(store), fresh.name if fresh is not None else campaign) as found:
            known = read_definition(found)
            if fresh is not None and fresh.fingerprint != known.fingerprint:
                raise ConflictError(f"the store holds another campaign {fresh.name}, of another search; give this one another name")
            results = read_results(
                data, known, form=form and form.value, sheet=sheet, named=named, converting=convert, leaving_out=leave_out
            )
            answer = None if check else import_results(found, results, by=who(), timeout_s=timeout)
    except UnknownNameError:
        if fresh is None:
            raise
        results = read_results(
            data, fresh, form=form and form.value, sheet=sheet, named=named, converting=convert, leaving_out=leave_out
        )
        answer = None if check else import_into_new(url, fresh, results, by=who())
    if answer is not None:
        name, where = (fresh.name, url) if fresh is not None else (found.name, found.url)
        if not json:
            print(clean("\n".join(results.lines())))
        report(name, where, answer, as_json=json, more=results.told())
    elif json:
        print_json({**results.told(), "checked_only": True})
    else:
        print(clean("\n".join([*results.lines(), "Only checked: nothing was changed."])))


def _loaded(path: Path, store: str | None) -> tuple[Definition, str]:
    """Return what a campaign file says, and the store that it belongs in."""
    from controller.cli.run import store_for
    from controller.files.loading import load_campaign
    from controller.verbs.earlier import earlier_reader

    definition = load_campaign(path, read_campaign=earlier_reader(store_urls(store)))
    return definition, store_for(definition, store)
