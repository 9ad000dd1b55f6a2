"""`labwright notify`: whether messages to people arrive, and what they were told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from controller.cli.options import Json, Store
from controller.cli.render import Column, print_rows
from controller.verbs.stores import store_urls

app = typer.Typer()


Targets = Annotated[list[str] | None, typer.Argument(metavar="[TARGET…]", help="Whom; all by default.", show_default=False)]
File = Annotated[
    Path | None,
    typer.Option("--notify", metavar="FILE", help="The file; by default the one in use, or notify.yaml beside the store.",
                 show_default=False),
]  # fmt: skip


@app.command("test")
def try_targets(
    target: Targets = None,
    notify: File = None,
    store: Store = None,
    json: Json = False,
) -> None:
    """Send a test message to everybody whom a file names; exit code 1 when one did not arrive."""
    from controller.verbs.notifications import rules_in_use
    from controller.verbs.notifications import try_targets as tried

    file = notify if notify is not None else rules_in_use(store_urls(store))
    rows = tried(file, target or ())
    columns = [Column("target"), Column("place", "where"), Column("arrived"), Column("seconds", "took [s]"), Column("problem")]
    print_rows(rows, columns, as_json=json, title=f"Test messages, as {file} says")
    if not all(row["arrived"] for row in rows):
        raise typer.Exit(1)


@app.command("list")
def list_told(
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="The newest so many.")] = 50,
    store: Store = None,
    json: Json = False,
) -> None:
    """List what people were told, or are to be, and whether it arrived."""
    from controller.verbs.notifications import list_told as listed

    rows = listed(store_urls(store), limit=limit, newest=True)
    columns = [
        Column("number", "#"), Column("taken_at", "known since"), Column("target"), Column("campaign"), Column("topic"),
        Column("text"), Column("status"), Column("sent_at"), Column("attempts"),
        Column("next_at", "next attempt"), Column("problem"),
    ]  # fmt: skip
    empty = "Nobody was told of anything yet; docs/how-to/be-told.md shows how."
    print_rows(rows, columns, as_json=json, title="Notifications", empty=empty)
