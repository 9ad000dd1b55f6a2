"""`labwright campaign export`: take the data away."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.options import CampaignName, Store
from controller.cli.render import clean, console, mark, waiting
from controller.verbs.forms import Format, Table
from controller.verbs.stores import find, store_urls


def export(
    campaign: CampaignName,
    store: Store = None,
    format: Annotated[
        Format | None,
        typer.Option(
            "--format", show_default=False,
            help="csv or parquet: a table; json: everything; xlsx: a spreadsheet; crate: an evidence bundle (RO-Crate, zipped). By "
            "default what --output ends in, else csv.",
        ),
    ] = None,
    table: Annotated[Table, typer.Option("--table", help="Which table, for csv and parquet.")] = Table.EXPERIMENTS,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; by default to the screen.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Take a campaign's data away: as a table, a spreadsheet, or an evidence bundle that proves itself."""
    from controller.errors import ConflictError
    from controller.verbs.export import FORMATS, as_csv, as_json, check_format, format_of
    from controller.verbs.export import export as write

    wanted = "json" if json else format.value if format else (format_of(output) if output is not None else None) or "csv"
    form = check_format(wanted, table.value)
    if output is None and not form.text:
        raise ConflictError(f"{wanted} is no text for a screen; name a file with --output NAME{FORMATS[wanted].ending}")
    with find(store_urls(store), campaign) as found:
        if output is None:
            text = as_json(found) if wanted == "json" else as_csv(found, table.value)
            sys.stdout.write(clean(text) if sys.stdout.isatty() else text)  # a file or a program gets every sign as it is
            return
        with waiting(f"writing {output}", quiet=False):
            write(found, wanted, output, table.value)
    console(error=True).print(f"{found.name} ({mark(found.simulated)} data) written to {output}", markup=False)
