"""`labwright tokens`: who may speak over HTTP. A token is shown once, or put into a file; the store keeps its hash alone."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.options import Json, Store
from controller.cli.render import Column, print_json, print_rows
from controller.errors import ConflictError
from controller.verbs.stores import readers, show_url, store_urls
from controller.verbs.tokens import DAYS, LINK_MINUTES, MOST_DAYS

app = typer.Typer()


class RoleName(StrEnum):
    """What a token allows, as in `domain.access` (which commands that only look need not import)."""

    LOOK = "look"
    OPERATE = "operate"
    ADMINISTER = "administer"


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Whose it is; ada, or ada@phone beside it.", show_default=False)],
    role: Annotated[RoleName, typer.Option("--role", help="What it allows; each role includes those before it.")] = RoleName.LOOK,
    days: Annotated[float, typer.Option(max=MOST_DAYS, help="How long it is valid [days].")] = DAYS,
    file: Annotated[
        Path | None,
        typer.Option(help="Put it there, for its owner only, and do not show it; curl -H @FILE uses it.", show_default=False),
    ] = None,
    store: Store = None,
    json: Json = False,
) -> None:
    """Make a token and show it, this once; a daemon at work takes it up by itself."""
    from controller.domain.access import Role
    from controller.store.reading import iso
    from controller.verbs.requests import who
    from controller.verbs.tokens import make_token, revoke_token

    _check_label(name)
    if not days > 0.0:
        raise typer.BadParameter(f"{days:g} is not more than 0", param_hint="--days")
    url = store_urls(store)[0]
    if file is not None:
        _check_new(file)
    secret, made = make_token(url, name, Role(role.value), days=days, by=who())
    if file is not None:
        try:
            _write_private(file, f"Authorization: Bearer {secret}\n")
        except OSError as error:
            revoke_token(url, made.id)
            raise ConflictError(f"{file} cannot be written: {error.strerror}; the token was revoked again") from error
    told = {
        "name": name, "role": role.value, "id": made.id, "expires_at": iso(made.expires_at), "store": show_url(url),
        **({"file": str(file)} if file is not None else {"token": secret}),
    }  # fmt: skip
    if json:
        print_json(told)
        return
    where = f"in {file}, for its owner only" if file is not None else "shown this once; the store keeps its hash alone"
    print(f"{role.value} token of {name}, valid until {told['expires_at']}, {where}")
    if file is None:
        print(secret)


@app.command()
def link(
    name: Annotated[str | None, typer.Argument(help="Whose it is; by default your own name.", show_default=False)] = None,
    role: Annotated[RoleName, typer.Option("--role", help="What the page allows by it.")] = RoleName.OPERATE,
    store: Store = None,
    json: Json = False,
) -> None:
    """Make a link to the live page: it lets one browser in, once, within a quarter of an hour."""
    from controller.cli.links import own_name, page_link
    from controller.domain.access import Role

    whose = name or own_name()
    _check_label(whose)
    url = store_urls(store)[0]
    made = page_link(url, whose, Role(role.value))
    if json:
        print_json({"link": made, "name": whose, "role": role.value, "store": show_url(url)})
    else:
        print(f"It lets one browser in, once, within {LINK_MINUTES:g} minutes, as {whose} with the role {role.value}:\n{made}")


@app.command("list")
def list_tokens(store: Store = None, json: Json = False) -> None:
    """List tokens: whose, what they allow, until when. The tokens themselves are in no store."""
    from controller.verbs.tokens import list_tokens as listed

    with readers(store_urls(store)) as opened:
        rows = listed(opened)
    shown = ("name", "role", "status", "created_at", "created_by", "expires_at", "revoked_at", "store")
    print_rows(
        rows, [Column(column) for column in shown], as_json=json, title="Tokens",
        empty="No tokens yet: nobody can speak over HTTP; labwright tokens new NAME --role look|operate|administer makes one.",
    )  # fmt: skip


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME|ID", help="Name or id of a token.", show_default=False)],
    store: Store = None,
    json: Json = False,
) -> None:
    """Let a token cease at once."""
    from controller.verbs.tokens import revoke_token

    url = store_urls(store)[0]
    token = revoke_token(url, name)
    if json:
        print_json({"revoked": token.id, "name": token.name, "store": show_url(url)})
    else:
        print(f"{token.name}: revoked; a daemon at work refuses it within half a second")


def _check_label(name: str) -> None:
    from pydantic import TypeAdapter, ValidationError

    from controller.domain.base import Label

    try:
        TypeAdapter(Label).validate_python(name)
    except ValidationError:
        raise typer.BadParameter(
            f"{name!r} is not a name: letters, digits and . _ + @ -, for example ada@phone", param_hint="NAME"
        ) from None


def _check_new(file: Path) -> None:
    if file.exists():
        raise ConflictError(f"{file} is there already; name another file, or remove it first")
    if not file.absolute().parent.is_dir():
        raise ConflictError(f"{file} cannot be written: there is no folder {file.absolute().parent}")


def _write_private(file: Path, content: str) -> None:
    """Write a file that only its owner can read, from its first moment, and that is nobody else's."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
