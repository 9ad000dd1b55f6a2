"""`labwright doctor`: is this machine fit to run a laboratory?"""

from __future__ import annotations

import typer

from controller.cli.options import Json, Store
from controller.cli.render import Column, print_rows
from controller.verbs.stores import store_urls


def doctor(store: Store = None, json: Json = False) -> None:
    """Check this machine and say what to do about what is wrong; exit code 1 when something essential is."""
    from controller.cli.health import examine

    findings = examine(store_urls(store))
    columns = [Column("check"), Column("result"), Column("detail"), Column("remedy", "what to do")]
    print_rows([f.as_row() for f in findings], columns, as_json=json, title="This machine")
    if any(f.result == "failed" for f in findings):
        raise typer.Exit(1)
