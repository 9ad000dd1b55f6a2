"""`labwright simulator`: the labs that are not there."""

from __future__ import annotations

import subprocess
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
    lab: Annotated[str, typer.Argument(help="Name of a simulated lab.", show_default=False)],
    controller: Annotated[str, typer.Option(help="tcp://127.0.0.1:PORT, or a rendezvous file.", show_default=False)],
) -> None:
    """Serve the instruments of a simulated lab by hand; further options go to the simulator."""
    command = [sys.executable, "-m", "simulators", "serve", lab, "--controller", controller, *ctx.args]
    raise typer.Exit(subprocess.run(command, check=False, cwd=Path.cwd()).returncode)
