"""Puts the command line together: nouns, their order in the help, and what an expected error looks like."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from controller.cli import demo, doctor, drill, files, run
from controller.cli.render import complain
from controller.cli.tables import offer_csv
from controller.errors import LabwrightError, StoreError
from instruments.errors import InstrumentError

EXIT_CODES = (
    "Exit codes: 0 done · 1 error · 2 wrong input · 3 paused or stopped before completion · "
    "4 held by another controller · 5 store · 130 interrupted"
)
BEGIN, STEER, EXTEND, KEEP = "Begin", "Look and steer", "Extend", "Keep in order"

NOUNS = {
    "campaign": ("Campaigns: start, look at, steer, export.", STEER),
    "experiment": ("Experiments: list, look at, settle.", STEER),
    "instrument": ("Instruments of the campaigns in the store.", STEER),
    "task": ("What people are asked to do: list, show, answer.", STEER),
    "daemon": ("The controller in the background.", STEER),
    "recording": ("What instruments and controller said and decided in the last hours: list, show, replay.", STEER),
    "driver": ("Drivers of instruments: write a new one, check it, serve it.", EXTEND),
    "simulator": ("Labs that are not there: list, serve.", EXTEND),
    "keys": ("Who may speak: make, list, revoke and rotate keys.", KEEP),
    "tokens": ("Who may speak over HTTP: make, list and revoke tokens.", KEEP),
    "notify": ("Who is told of what while nobody looks: try it out, list what was told.", KEEP),
    "db": ("Stores: upgrade, check, back up.", KEEP),
    "bundle": ("Evidence bundles of campaigns: check one without a store.", KEEP),
}
"""Noun -> what it is about, and its panel in the help. Its commands are in the module of its name."""


_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
"""A disk that is full, or takes nothing: what can be met by any file that is written, and is no fault of the program."""


class Noun(TyperGroup):
    """A noun whose commands are imported when one of them is asked for: the help of the whole needs none.

    Its module holds them as `app`, or names them in `COMMANDS`: then only the module of the one that is given is imported.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands."""
        self._load()
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return one command."""
        named = self._named()
        if cmd_name in named:
            return self._command(cmd_name, *named[cmd_name])
        self._load()  # all of them: a name that is like none is answered with those that come near
        return super().get_command(ctx, cmd_name)

    def _load(self) -> None:
        for name, where in self._named().items():
            self._command(name, *where)
        if not self.commands:
            self.commands = get_group(self._module().app).commands
            for command in self.commands.values():
                offer_csv(command, self.name)

    def _module(self) -> Any:
        return import_module(f"controller.cli.{self.name}")

    def _named(self) -> Mapping[str, tuple[str, str, str]]:
        return getattr(self._module(), "COMMANDS", {})

    def _command(self, name: str, module: str, function: str, panel: str) -> Any:
        if name not in self.commands:
            one = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            one.command(name, rich_help_panel=panel)(getattr(import_module(f"controller.cli.{module}"), function))
            self.commands[name] = get_command(one)
            offer_csv(self.commands[name], self.name)
        return self.commands[name]


class Labwright(TyperGroup):
    """The whole command line; errors raised on purpose become a message and the exit code of their class."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, (about, panel) in NOUNS.items():
            self.commands[name] = Noun(name=name, help=about, rich_help_panel=panel, no_args_is_help=True)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what was raised on purpose never shows a traceback."""
        try:
            return super().invoke(ctx)
        except LabwrightError as error:
            code = error.exit_code
            complain(error, code, as_json=bool(ctx.meta.get("json")))
        except InstrumentError as error:
            code = 1
            complain(error, code, as_json=bool(ctx.meta.get("json")))
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            full = StoreError(f"{_named(error)}: {error.strerror}; make room, then give the command again: it goes on where it was")
            code = full.exit_code
            complain(full, code, as_json=bool(ctx.meta.get("json")))
        raise typer.Exit(code)


def _named(error: OSError) -> str:
    return "a file of Labwright's could not be written" if error.filename is None else f"{error.filename} could not be written"


app = typer.Typer(
    cls=Labwright,
    help="Closed-loop control of autonomous laboratories: propose, dispatch, measure, learn, day and night.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    # Pretty tracebacks print local variables, and with them the passwords of stores.
    pretty_exceptions_enable=False,
)


@app.callback()
def labwright() -> None:
    """Closed-loop control of autonomous laboratories: propose, dispatch, measure, learn, day and night."""


app.command(rich_help_panel=BEGIN)(files.init)
app.command(rich_help_panel=BEGIN)(files.validate)
app.command(rich_help_panel=BEGIN)(run.run)
app.command(rich_help_panel=BEGIN)(demo.demo)
app.command(rich_help_panel=BEGIN)(doctor.doctor)
app.command(rich_help_panel=BEGIN)(files.schema)
app.command(rich_help_panel=KEEP)(drill.drill)
