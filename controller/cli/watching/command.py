"""The command `campaign watch`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from controller.cli.completing import campaign_names
from controller.cli.options import Store
from controller.verbs.stores import store_urls


def watch(
    campaign: Annotated[
        str | None,
        typer.Argument(
            metavar="[CAMPAIGN]", help="Name or id; by default the one at work, or the newest.", show_default=False,
            autocompletion=campaign_names,
        ),
    ] = None,
    store: Store = None,
    plain: Annotated[bool, typer.Option("--plain", help="Lines of text, as into a pipe, until the campaign has ended.")] = False,
) -> None:
    """Watch a campaign live in the terminal, over ssh too; keys pause, resume, stop and abort it. Leaving lets it go on."""
    from controller.cli.watching.looking import Looker

    looker = Looker(store_urls(store), campaign)
    if plain or not (sys.stdout.isatty() and sys.stdin.isatty()):
        from controller.cli.watching.lines import watch_lines

        if code := watch_lines(looker, lambda line: print(line, flush=True)):
            raise typer.Exit(code)
        return
    try:
        from controller.cli.watching.app import Watcher
    except ImportError as error:
        from controller.errors import MissingExtraError

        raise MissingExtraError("textual", "tui", "watching live (--plain does without)") from error
    Watcher(looker).run()
