"""`labwright bundle`: evidence bundles, which `campaign export --format crate` writes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from controller.cli.options import Json
from controller.cli.render import clean, mark, print_json, waiting

app = typer.Typer()


@app.callback()
def bundle() -> None:
    """Check evidence bundles."""


@app.command()
def check(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A bundle, or the folder it was unpacked into.", show_default=False)
    ],
    head: Annotated[
        str | None,
        typer.Option(metavar="HASH", help="A head of the log written down earlier: the log must contain it.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Check an evidence bundle by itself, without a store: checksums, the chain of the log, and that the tables say what it says.

    Exit code 1 when anything differs.
    """
    from controller.verbs.bundle.checking import check_bundle

    with waiting("checking", quiet=json):
        checked = check_bundle(file, head)
    if json:
        print_json(checked.told())
    else:
        parts = " + ".join(f"{n} {status}" for status, n in checked.counts.items()) or "none"
        lines = [f"{checked.campaign} ({mark(checked.simulated)} data): {sum(checked.counts.values())} experiments = {parts}"]
        lines += checked.differences
        if checked.sound:
            lines += [
                f"Sound: {checked.n_files} files are as they were written, and the tables say what the log says.",
                f"The hash chain holds over {checked.n_events} events; its head is {checked.head}",
            ]
            lines += [f"The head given is that of event {checked.given_at}."] if checked.given_at is not None else []
        lines.append(f"The whole bundle, to be written down elsewhere: {checked.digest}")
        print(clean("\n".join(lines)))
    if not checked.sound:
        raise typer.Exit(1)
