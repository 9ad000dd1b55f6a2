"""`labwright instrument`: what the instruments of labs at work are doing, and taking them out of work."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from controller.cli.completing import instrument_names
from controller.cli.options import Json, Store
from controller.cli.render import Column, print_json, print_rows
from controller.verbs.stores import readers, store_urls

app = typer.Typer()

STOP_S, FINISH_S = 5.0, 3600.0
"""Patience with a driver that is to stop now, and with one that may finish what runs [s]."""
Lab = Annotated[str | None, typer.Option("--lab", metavar="LAB", help="The lab, where the name alone is not enough.")]
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="INSTRUMENT", help="Names of instruments.", show_default=False, autocompletion=instrument_names),
]
OneName = Annotated[
    str,
    typer.Argument(metavar="INSTRUMENT", help="Name of an instrument.", show_default=False, autocompletion=instrument_names),
]
Every = Annotated[bool, typer.Option("--all", help="Every instrument that is at work.")]
Timeout = Annotated[float, typer.Option("--timeout", min=0, help="Seconds to wait for each driver.")]


class StopMode(StrEnum):
    """What becomes of the action that runs."""

    NOW = "now"
    FINISH = "finish"


@app.command("list")
def list_instruments(store: Store = None, json: Json = False) -> None:
    """List instruments: driver, limits, the state they are in when a controller is at work, and why nothing is sent to them."""
    from controller.verbs.instruments import list_instruments as listed

    with readers(store_urls(store)) as opened:
        rows, interlocks = listed(opened)
    columns = [
        Column(k) for k in ("instrument", "lab", "driver", "state", "held", "limits", "capacity", "campaigns", "data")
    ]
    print_rows(
        rows, columns, as_json=json, title="Instruments",
        empty="No instruments yet: they appear with the first campaign.",
    )  # fmt: skip
    if interlocks and not json:
        columns = [Column(k) for k in ("interlock", "lab", "state", "reading", "require", "hold", "reason")]
        print_rows(interlocks, columns, as_json=False, title="Interlocks")


@app.command()
def stop(
    names: Names = None,
    every: Every = False,
    lab: Lab = None,
    mode: Annotated[
        StopMode, typer.Option("--mode", help="now: end what runs. finish: let it finish, then hold.")
    ] = StopMode.NOW,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout", min=0, show_default=False,
            help=f"Seconds to wait for each driver: {STOP_S:g}, or an hour for one that may finish what runs.",
        ),
    ] = None,
    store: Store = None,
    json: Json = False,
) -> None:
    """Stop instruments at once and hold them until they are resumed; needs no controller, and goes past one that hangs.

    Each driver confirms for itself. Exit code 1 when one has not: go and look.
    """
    from controller.verbs.laboratories import chosen, stop_all
    from controller.verbs.requests import who

    if timeout is None:
        timeout = STOP_S if mode is StopMode.NOW else FINISH_S
    places = chosen(store_urls(store), names or [], every=every, lab=lab)
    _show("stopped", stop_all(places, mode=mode.value, timeout_s=timeout, by=who()), as_json=json)


@app.command()
def resume(
    names: Names = None, every: Every = False, lab: Lab = None, timeout: Timeout = STOP_S, store: Store = None, json: Json = False
) -> None:
    """Lift the stop that holds instruments; what waits for them goes on."""
    from controller.verbs.laboratories import chosen, resume_all
    from controller.verbs.requests import who

    places = chosen(store_urls(store), names or [], every=every, lab=lab, one_each=True)
    _show("resumed", resume_all(places, timeout_s=timeout, by=who()), as_json=json)


@app.command()
def disable(
    name: OneName,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; everybody will see it.")],
    lab: Lab = None,
    store: Store = None,
    json: Json = False,
) -> None:
    """Dispatch nothing more to an instrument, in any campaign, until it is enabled; what runs there is finished."""
    _switch(name, lab, store, enabled=False, reason=reason, as_json=json)


@app.command()
def enable(
    name: OneName,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for whoever looks later.")] = "",
    lab: Lab = None,
    store: Store = None,
    json: Json = False,
) -> None:
    """Let an instrument work again that a person, or a latched interlock, has disabled."""
    _switch(name, lab, store, enabled=True, reason=reason, as_json=json)


def _switch(name: str, lab: str | None, store: str | None, *, enabled: bool, reason: str, as_json: bool) -> None:
    from controller.verbs.laboratories import switch
    from controller.verbs.requests import who

    where, text = switch(store_urls(store), name, lab, enabled=enabled, reason=reason, by=who())
    word = "enabled" if enabled else "disabled"
    if as_json:
        print_json({"instrument": name, "lab": where, "enabled": enabled, "reason": reason, "answer": text})
    else:
        print(f"{name} in {where} is {word}: {text}")


def _show(word: str, rows: list[dict[str, Any]], *, as_json: bool) -> None:
    shown = [{**row, word: row["confirmed"], "ms": round(1000.0 * row["took_s"])} for row in rows]
    columns = [Column("instrument"), Column("lab"), Column(word), Column("ms"), Column("stuck"), Column("message")]
    print_rows(rows if as_json else shown, columns, as_json=as_json, empty="Nothing is at work: no driver, no controller.")
    if not all(row["confirmed"] for row in rows):
        raise typer.Exit(1)
