"""`labwright campaign list` and `show`: what there is, and where it stands."""

from __future__ import annotations

from controller.cli.options import CampaignName, Json, Store
from controller.cli.render import Column, console, mark, print_facts, print_json, print_rows, table
from controller.verbs.stores import find, readers, show_url, store_urls


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


def show(campaign: CampaignName, store: Store = None, json: Json = False) -> None:
    """Show where a campaign stands and what it has reached."""
    from controller.cli.results import (
        NARROW,
        best_table,
        best_title,
        cost_text,
        flat,
        goals_text,
        retracted_text,
        setting_columns,
        stand_ins_text,
    )
    from controller.cli.trust import trust_text
    from controller.verbs.campaigns import look_at

    with find(store_urls(store), campaign) as found:
        view = look_at(found)
    row, counts = found.campaign, found.campaign["counts"]
    definition, experiments, alarms, best = view.definition, view.experiments, view.alarms, view.best
    under_way = [e for e in experiments if e["status"] in ("running", "queued", "unknown")]
    if json:
        print_json(view.told())
        return
    print_facts(
        {
            "status": row["status"], "reason": row["reason"], "data": "SIMULATED" if found.simulated else "real",
            "wanted": goals_text(definition), "experiments": {k: v for k, v in counts.items() if v} or "none yet",
            "intervals": trust_text(view.calibration),
            "stood in": stand_ins_text(experiments), "retracted": retracted_text(experiments), "budget": row["budget_experiments"],
            "cost": cost_text(definition, view.cost), "noted": view.noted,
            "lab": definition["lab"]["lab"], "seed": row["seed"],
            "created": row["created_at"], "last event": row["updated_at"], "id": found.id, "store": show_url(found.url),
        },
        title=f"Campaign {found.name}",
    )  # fmt: skip
    out = console()
    if best:
        title = f"\n{best_title(definition, len(best))}"
        out.print(best_table(best, definition, title=title, width=out.width))
    if under_way:
        columns = [
            Column("number", "experiment"),
            Column("status"),
            *setting_columns(definition, width=out.width - NARROW),
        ]
        out.print(table([flat(e) for e in under_way], columns, title="Under way"))
    if alarms:
        print_rows(
            alarms[-10:],
            [Column("at", "when"), Column("code"), Column("message")],
            as_json=False,
            title="Latest alarms",
        )
