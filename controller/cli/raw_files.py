"""`labwright experiment files`: list and copy the raw files that an experiment left behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from controller.cli.completing import experiment_numbers
from controller.cli.options import CampaignName, Json, Store
from controller.cli.render import Column, print_rows, waiting
from controller.verbs.raw_files import shown_size
from controller.verbs.stores import find, find_experiment, store_urls

COLUMNS = (
    Column("step"), Column("attempt"), Column("name"), Column("shown_size", "size"), Column("media_type", "kind"),
    Column("shown_hash", "SHA-256"), Column("where"), Column("place", "path"),
)  # fmt: skip


def shown(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return raw files with what a table shows of size, hash and place."""
    return [
        {
            **row, "shown_size": shown_size(row["size"]), "shown_hash": row["sha256"][:16] + "…",
            "place": row.get("copied") or row["path"],
        }
        for row in rows
    ]  # fmt: skip


def files(
    campaign: CampaignName,
    number: Annotated[
        str,
        typer.Argument(
            metavar="NUMBER", help="Number or id of an experiment.", show_default=False, autocompletion=experiment_numbers
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Copy them there, as STEP/NAME.", show_default=False)
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="DIR", help="Take those that are not here, but with their driver, from this folder, by their hash.",
            show_default=False,
        ),
    ] = None,
    store: Store = None,
    json: Json = False,
) -> None:  # fmt: skip
    """List the raw files of an experiment, such as spectra and images; with --output copy them, each proven by its hash."""
    from controller.verbs.raw_files import copy_files, files_of, hand_in

    with find(store_urls(store), campaign) as found:
        if source is not None:
            with waiting("reading files", quiet=json):
                rows = hand_in(found, number, source)
        if output is not None:
            with waiting("copying", quiet=json):
                rows = copy_files(found, number, output)
        elif source is None:
            rows = files_of(found, find_experiment(found, number))
    if not json:
        rows = shown(rows)
    print_rows(rows, COLUMNS, as_json=json, title=f"Raw files of experiment {number} of {found.name}",
               empty=f"Experiment {number} of {found.name} has no raw files.")  # fmt: skip
