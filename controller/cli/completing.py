"""What the shell offers when somebody presses Tab: names of campaigns, experiments, instruments and parameters, from the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import typer

from controller.errors import LabwrightError

if TYPE_CHECKING:
    from controller.verbs.stores import Found

Offers = list[tuple[str, str]]
_NEWEST = 50


def campaign_names(ctx: typer.Context, incomplete: str) -> Offers:
    """Return the campaigns whose names begin so, newest first, each with its status."""
    from controller.verbs.stores import readers

    try:
        with readers(_urls(ctx)) as opened:
            rows = [row for _, reader in opened for row in reader.campaign_rows()]
    except LabwrightError:  # a store that cannot be read: the command will say so
        return []
    rows.sort(key=lambda row: float(row["created_at"]), reverse=True)
    return [(row["name"], row["status"]) for row in rows if row["name"].startswith(incomplete)]


def experiment_numbers(ctx: typer.Context, incomplete: str) -> Offers:
    """Return the newest experiments of the campaign that was named, with their status."""
    with _campaign(ctx) as found:
        rows = [] if found is None else found.reader.newest_experiment_rows(found.id, _NEWEST)
    return [(str(r["number"]), r["status"]) for r in rows if str(r["number"]).startswith(incomplete)]


def parameter_names(ctx: typer.Context, incomplete: str) -> Offers:
    """Return the parameters of the campaign that was named."""
    with _campaign(ctx) as found:
        parameters: dict[str, Any] = {} if found is None else found.reader.definition(found.id)["problem"]["parameters"]
    return [(name, p.get("unit") or p["type"]) for name, p in parameters.items() if name.startswith(incomplete)]


def instrument_names(ctx: typer.Context, incomplete: str) -> Offers:
    """Return the instruments that any campaign uses."""
    from controller.verbs.instruments import list_instruments
    from controller.verbs.stores import readers

    try:
        with readers(_urls(ctx)) as opened:
            rows, _ = list_instruments(opened)
    except LabwrightError:
        return []
    return list({r["instrument"]: (r["instrument"], r["lab"]) for r in rows if r["instrument"].startswith(incomplete)}.values())


def task_ids(ctx: typer.Context, incomplete: str) -> Offers:
    """Return the ends of the ids of tasks that wait, each with what is to be done."""
    from controller.verbs.stores import readers
    from controller.verbs.tasks import SHORT, waiting

    try:
        with readers(_urls(ctx)) as opened:
            rows = [(row["task"][-SHORT:], str(row["action"])) for row in waiting(opened)]
    except LabwrightError:
        return []
    return [row for row in rows if row[0].startswith(incomplete)]


def _urls(ctx: typer.Context) -> list[str]:
    from controller.verbs.stores import store_urls

    return store_urls(ctx.params.get("store"))


@contextmanager
def _campaign(ctx: typer.Context) -> Iterator[Found | None]:
    """Find the campaign that stands on the line already; None where there is none, or none of that name."""
    from controller.verbs.stores import find

    with ExitStack() as stack:
        found = None
        if name := ctx.params.get("campaign"):
            with suppress(LabwrightError):
                found = stack.enter_context(find(_urls(ctx), name))
        yield found
