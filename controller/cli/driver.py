"""`labwright driver`: write, check and serve the drivers of instruments."""

from __future__ import annotations

import json as json_module
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from controller.cli.options import Json
from controller.cli.render import Column, print_rows

app = typer.Typer()

Tag = Annotated[
    str, typer.Argument(metavar="DRIVER", help="A driver's tag, module:Class, or file.py:Class.", show_default=False)
]
Options = Annotated[str, typer.Option(help="The driver's options, as a JSON object.")]


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the device, for example syringe_pump.", show_default=False)],
    folder: Annotated[Path, typer.Option("--folder", help="Where to write it.")] = Path(),
) -> None:
    """Write a working, commented driver to begin with, and its test."""
    from instruments.sdk.skeleton import write_skeleton

    for path in write_skeleton(name, folder):
        print(path)


@app.command()
def check(driver: Tag, options: Options = "{}", json: Json = False) -> None:
    """Put a driver through its contract: limits, units, stop, recovery; exit code 1 when it fails one."""
    from instruments.sdk.registry import load_driver
    from instruments.testing import check_driver

    chosen = _options(options)
    driver_class = load_driver(driver)
    results = check_driver(lambda: driver_class(**chosen))
    rows = [{"check": r.name, "result": r.status, "detail": r.message} for r in results]
    print_rows(rows, [Column("check"), Column("result"), Column("detail")], as_json=json, title=f"Driver {driver}")
    if any(row["result"] == "failed" for row in rows):
        raise typer.Exit(1)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def serve(
    ctx: typer.Context,
    driver: Tag,
    instrument: Annotated[str, typer.Option(help="The instrument's name in the lab file.", show_default=False)],
    controller: Annotated[str, typer.Option(help="tcp://HOST:PORT, or a rendezvous file.", show_default=False)],
    journal: Annotated[Path, typer.Option(help="The driver's durable journal; keep it.", show_default=False)],
    options: Options = "{}",
    key: Annotated[Path | None, typer.Option(help="File of the driver's key pair, where the controller asks for keys.")] = None,
    server_key: Annotated[
        str | None, typer.Option(metavar="KEY|FILE", help="The controller's public key; a rendezvous file holds it too.")
    ] = None,
) -> None:
    """Serve an instrument until stopped (further options: python -m instruments serve --help)."""
    chosen = json_module.dumps(_options(options))
    command = [
        sys.executable, "-m", "instruments", "serve", "--driver", driver, "--instrument", instrument,
        "--controller", controller, "--journal", str(journal), "--options", chosen,
        *(["--key", str(key)] if key else []), *(["--server-key", server_key] if server_key else []), *ctx.args,
    ]  # fmt: skip
    sys.stdout.flush()
    os.execv(sys.executable, command)  # the driver takes this process's place, so that signals reach it


def _options(text: str) -> dict[str, Any]:
    try:
        found = json_module.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"not JSON: {error}", param_hint="--options") from None
    if not isinstance(found, dict):
        raise typer.BadParameter(f'must be a JSON object such as {{"port": 3}}, got {text}', param_hint="--options")
    return found
