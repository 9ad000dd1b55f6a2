"""`labwright db`: keep stores in order."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import typer

from controller.cli.options import Json, Store
from controller.cli.render import Column, print_rows
from controller.cli.stores import show_url, store_urls
from controller.errors import LabwrightError
from controller.settings import sqlite_file

app = typer.Typer()

COLUMNS = (Column("store"), Column("result"), Column("schema"), Column("campaigns"), Column("detail"))


@app.command()
def upgrade(store: Store = None, json: Json = False) -> None:
    """Bring stores to this version's schema (a copy of a SQLite file is made first)."""
    from controller.store.schema import prepare
    from controller.store.version import SCHEMA_VERSION

    rows: list[dict[str, Any]] = []
    for url in store_urls(store):
        if store is None and not _exists(url):
            continue
        copy = prepare(url)
        detail = f"the older store was kept as {copy}" if copy else ""
        rows.append({"store": show_url(url), "result": "ok", "schema": SCHEMA_VERSION, "detail": detail})
    print_rows(rows, COLUMNS, as_json=json, title="Upgraded", empty="There is no store yet.")


@app.command()
def check(store: Store = None, json: Json = False) -> None:
    """Check that stores can be read, are whole, and balance in every campaign; exit code 5 when one is not."""
    rows = [_check(url) for url in store_urls(store) if store is not None or _exists(url)]
    print_rows(rows, COLUMNS, as_json=json, title="Stores", empty="There is no store yet.")
    if any(row["result"] != "ok" for row in rows):
        raise typer.Exit(5)


def _check(url: str) -> dict[str, Any]:
    from controller.store.audit import audit
    from controller.store.reading import open_reader
    from controller.store.version import SCHEMA_VERSION

    row: dict[str, Any] = {"store": show_url(url), "result": "failed", "schema": None, "campaigns": None, "detail": ""}
    if not _exists(url):
        return {**row, "detail": "there is no such file"}
    try:
        if damage := _damage(url):
            return {**row, "detail": damage}
        with closing(open_reader(url)) as reader:
            campaigns = reader.campaigns()
            unbalanced = [c["name"] for c in campaigns if not audit(reader, c["id"]).balanced]
    except LabwrightError as error:
        return {**row, "detail": str(error)}
    row.update(schema=SCHEMA_VERSION, campaigns=len(campaigns))
    if unbalanced:
        detail = f"the books of {', '.join(unbalanced)} do not balance; see labwright campaign audit {unbalanced[0]}"
        return {**row, "detail": detail}
    return {**row, "result": "ok", "detail": "whole and balanced"}


def _exists(url: str) -> bool:
    """Say whether a store may be there: a server is only known to be when it answers."""
    file = sqlite_file(url)
    return file is None or file.exists()


def _damage(url: str) -> str:
    """Return what SQLite's own check finds wrong with the file; empty when nothing, or on a server, which checks itself."""
    import sqlite3

    from controller.store.connecting import connect_sqlite_readonly

    file = sqlite_file(url)
    if file is None:
        return ""
    try:
        with closing(connect_sqlite_readonly(file)) as connection:
            found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(5)")]
    except sqlite3.Error as error:
        return f"{error}; restore it from a copy"
    return "" if found == ["ok"] else "; ".join(found)
