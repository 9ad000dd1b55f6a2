"""`labwright db`: keep stores in order."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from controller.cli.options import Json, Store
from controller.cli.render import Column, followed, print_rows, waiting
from controller.errors import LabwrightError
from controller.settings import sqlite_file
from controller.verbs.stores import show_url, store_urls

app = typer.Typer()

BACKUPS = (
    Column("store"), Column("file"), Column("bytes"), Column("campaigns"), Column("raw_files", "raw files"), Column("detail"),
)  # fmt: skip
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
        with waiting(f"upgrading {show_url(url)}", quiet=json):
            copy = prepare(url)
        detail = f"the older store was kept as {copy}" if copy else ""
        rows.append({"store": show_url(url), "result": "ok", "schema": SCHEMA_VERSION, "detail": detail})
    print_rows(rows, COLUMNS, as_json=json, title="Upgraded", empty="There is no store yet.")


@app.command()
def check(store: Store = None, json: Json = False) -> None:
    """Check that stores can be read, are whole, and balance in every campaign, with the hash chain of the log and the journals.

    Of an archive of a PostgreSQL store the hash chains are walked. Exit code 5 when one is not as it should be.
    """
    rows = [_check(url, quiet=json) for url in store_urls(store) if store is not None or _exists(url)]
    print_rows(rows, COLUMNS, as_json=json, title="Stores", empty="There is no store yet.")
    if any(row["result"] != "ok" for row in rows):
        raise typer.Exit(5)


@app.command()
def backup(
    dest: Annotated[
        Path, typer.Argument(metavar="DEST", help="A file that is not there yet, or a folder.", show_default=False)
    ],
    store: Store = None,
    json: Json = False,
) -> None:
    """Copy stores while they are in use, and read the copies back; a PostgreSQL store becomes an archive for pg_restore.

    Raw files are copied into the folder beside the copy. Exit code 5 when one of them is damaged.
    """
    from controller.errors import ConflictError
    from controller.settings import folder_of
    from controller.store.backup import back_up
    from controller.store.raw_files import copy_all
    from instruments.rawfiles import FILES

    urls = [url for url in store_urls(store) if store is not None or _exists(url)]
    if len(urls) > 1 and not dest.is_dir():
        raise ConflictError(
            f"there are {len(urls)} stores ({', '.join(map(show_url, urls))}): say which with --store, or name a folder that exists"
        )
    rows: list[dict[str, Any]] = []
    for url in urls:
        with waiting(f"copying {show_url(url)}, and reading it back", quiet=json):
            made = back_up(url, dest / _name(url) if dest.is_dir() else dest)
            # After the store: a raw file is there before the log tells of it, so the copy lacks none of those it tells of.
            n_files, problems = copy_all(folder_of(url) / FILES, made.path.with_name(f"{made.path.stem}.files") / FILES)
        rows.append(
            {
                "store": show_url(url), "file": str(made.path), "bytes": made.n_bytes,
                "campaigns": len(made.heads), "heads": made.heads, "raw_files": n_files, "detail": "; ".join(problems),
            }
        )  # fmt: skip
    print_rows(rows, BACKUPS, as_json=json, title="Copied and read back", empty="There is no store yet.")
    if any(row["detail"] for row in rows):
        raise typer.Exit(5)


def _name(url: str) -> str:
    """Return the name of a copy in a folder: the store's, where it is, and the time (UTC)."""
    from datetime import UTC, datetime
    from urllib.parse import urlsplit

    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    file = sqlite_file(url)
    if file is None:
        return f"{urlsplit(url).path.strip('/') or 'labwright'}-{now}.dump"
    of_simulated = "simulated-" if file.parent.name == "simulated" else ""
    return f"{of_simulated}{file.stem}-{now}{file.suffix}"


def _check(url: str, *, quiet: bool) -> dict[str, Any]:
    from controller.settings import folder_of
    from controller.store.archive import heads_of, is_archive
    from controller.store.audit import audit
    from controller.store.backup import damage
    from controller.store.reading import open_reader
    from controller.store.version import SCHEMA_VERSION
    from instruments.rawfiles import FILES

    row: dict[str, Any] = {"store": show_url(url), "result": "failed", "schema": None, "campaigns": None, "detail": ""}
    if not _exists(url):
        return {**row, "detail": "there is no such file"}
    try:
        file = sqlite_file(url)
        if file is not None and is_archive(file):
            detail = "the hash chain of each log in the archive holds; restore it (pg_restore) to balance its books"
            return {**row, "result": "ok", "campaigns": len(heads_of(file)), "detail": detail}
        with waiting("reading all pages", quiet=quiet):
            wrong = damage(file) if file is not None else ""
        if wrong:
            return {**row, "detail": wrong}
        with closing(open_reader(url)) as reader:
            campaigns = reader.campaigns()
            folder = folder_of(url)
            unbalanced = [
                c["name"] for c in followed(campaigns, len(campaigns), "balancing", quiet=quiet)
                if not audit(reader, c["id"], verify=True, labs=folder / "labs", files=folder / FILES).balanced
            ]  # fmt: skip
    except LabwrightError as error:
        return {**row, "detail": str(error)}
    row.update(schema=SCHEMA_VERSION, campaigns=len(campaigns))
    if unbalanced:
        detail = f"the books of {', '.join(unbalanced)} do not balance; see labwright campaign audit {unbalanced[0]} --verify"
        return {**row, "detail": detail}
    return {**row, "result": "ok", "detail": "whole and balanced"}


def _exists(url: str) -> bool:
    """Say whether a store may be there: a server is only known to be when it answers."""
    file = sqlite_file(url)
    return file is None or file.exists()
