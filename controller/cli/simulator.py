"""`labwright simulator`: the labs that are not there."""

from __future__ import annotations

import os
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.options import Json
from controller.cli.render import Column, print_rows

app = typer.Typer()


@app.command("list")
def list_simulators(json: Json = False) -> None:
    """List the simulated labs that are installed."""
    rows = []
    for entry in sorted(entry_points(group="labwright.simulators"), key=lambda e: e.name):
        module = sys.modules.get(entry.module) or __import__(entry.module, fromlist=["describe"])
        describe = getattr(module, "describe", None)
        rows.append({"simulator": entry.name, "description": describe() if describe else "", "module": entry.module})
    print_rows(rows, [Column("simulator"), Column("description")], as_json=json, title="Simulated labs")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def serve(
    ctx: typer.Context,
    lab: Annotated[str, typer.Argument(metavar="LAB", help="Name of a simulated lab.", show_default=False)],
    controller: Annotated[str, typer.Option(help="tcp://HOST:PORT, or a rendezvous file.", show_default=False)],
    key: Annotated[Path | None, typer.Option(help="File of the drivers' key pair, where the controller asks for keys.")] = None,
    server_key: Annotated[
        str | None, typer.Option(metavar="KEY|FILE", help="The controller's public key; a rendezvous file holds it too.")
    ] = None,
) -> None:
    """Serve the instruments of a simulated lab by hand; further options go to the simulator."""
    command = [
        sys.executable, "-m", "simulators", "serve", lab, "--controller", controller, *(["--key", str(key)] if key else []),
        *(["--server-key", server_key] if server_key else []), *ctx.args,
    ]  # fmt: skip
    sys.stdout.flush()
    os.execv(sys.executable, command)  # the simulator takes this process's place, so that signals reach it
