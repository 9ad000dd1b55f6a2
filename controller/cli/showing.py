"""`labwright campaign list` and `show`: what there is, and where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.options import CampaignName, Json, Store
from controller.cli.render import Column, console, mark, print_facts, print_json, print_rows, table
from controller.cli.screen import draw, more_facts
from controller.verbs.stores import find, readers, store_urls

if TYPE_CHECKING:
    from controller.verbs.campaigns import View

MANY = 40
"""So many of the newest points and alarms are shown with `--details`."""


def list_campaigns(store: Store = None, json: Json = False) -> None:
    """List campaigns, newest first."""
    from controller.verbs.campaigns import list_campaigns as listed

    with readers(store_urls(store)) as opened:
        rows = [{**row, "data": mark(row["simulated"])} for row in listed(opened)]
    columns = [
        Column("campaign"), Column("status"), Column("completed"), Column("failed"), Column("unknown"),
        Column("budget_experiments", "budget"), Column("updated_at", "last event"), Column("data"), Column("reason"),
        Column("store"),
    ]  # fmt: skip
    if not json:
        rows = [
            {**row, **row["counts"], "failed": row["counts"]["failed"] + row["counts"]["abandoned"]} for row in rows
        ]
    empty = "No campaigns yet. Begin one with: labwright run FILE, or labwright demo"
    print_rows(rows, columns, as_json=json, title="Campaigns", empty=empty)


def show(
    campaign: CampaignName,
    store: Store = None,
    details: Annotated[
        bool, typer.Option("--details", help="Also all of the best, costs, what stood in, what was retracted, ids.")
    ] = False,
    json: Json = False,
) -> None:
    """Show on one screen where a campaign stands: progress, the best, what runs, alarms, newest points, what to do next."""
    from controller.verbs.overview import overview

    with find(store_urls(store), campaign) as found:
        if json or details:
            from controller.verbs.campaigns import look_at

            view = look_at(found)
        if json:
            print_json(view.told())
            return
        told = overview(found, newest=MANY, alarms=MANY) if details else overview(found)
    out = console()
    whole = details or not out.is_terminal
    out.print(draw(told, height=out.height - 1, whole=whole), soft_wrap=whole)
    if details:
        _print_details(view)


def _print_details(view: View) -> None:
    from controller.cli.results import NARROW, best_table, best_title, flat, setting_columns

    print()
    print_facts(more_facts(view), title="Details")
    out, definition = console(), view.definition
    if view.best:
        title = f"\n{best_title(definition, len(view.best))}"
        out.print(best_table(view.best, definition, title=title, width=out.width))
    if view.under_way:
        columns = [Column("number", "experiment"), Column("status"), *setting_columns(definition, width=out.width - NARROW)]
        out.print(table([flat(e, definition) for e in view.under_way], columns, title="Under way"))
    if view.alarms:
        columns = [Column("at", "when"), Column("code"), Column("message")]
        out.print(table(view.alarms, columns, title="Alarms"))
