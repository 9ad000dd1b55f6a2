"""`labwright campaign export`: take the data away."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.options import CampaignName, Store
from controller.cli.render import console, mark
from controller.verbs.stores import find, store_urls


class Format(StrEnum):
    """What an export looks like."""

    CSV = "csv"
    JSON = "json"


def export(
    campaign: CampaignName,
    store: Store = None,
    format: Annotated[
        Format, typer.Option("--format", help="csv: a row per experiment; json: everything.")
    ] = Format.CSV,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; by default to the screen.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Write a campaign's experiments to a file."""
    from controller.verbs.export import as_csv, as_json, write_whole

    with find(store_urls(store), campaign) as found:
        text = as_json(found) if json or format is Format.JSON else as_csv(found)
    if output is None:
        print(text, end="")
    else:
        write_whole(output, text)
        console(error=True).print(f"{found.name} ({mark(found.simulated)} data) written to {output}", markup=False)
