"""`labwright campaign ask` and `tell`: a campaign that people carry out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.options import Device, DeviceOption, Json, Store
from controller.cli.render import Column, print_json, print_rows
from controller.verbs.stores import find, show_url, store_urls

if TYPE_CHECKING:
    from controller.domain.campaign import Definition

Campaign = Annotated[
    str, typer.Argument(metavar="CAMPAIGN|FILE", help="Name or id of a campaign, or a campaign file.", show_default=False)
]


def ask(
    campaign: Campaign,
    n: Annotated[int, typer.Option("-n", "--number", min=1, max=1000, help="How many experiments.")] = 1,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="The plan: .csv, .xlsx, or .html to be printed.", show_default=False),
    ] = None,
    again: Annotated[
        bool, typer.Option("--open", help="Ask for none; the plan of all that were asked for and are not told yet.")
    ] = False,
    store: Store = None,
    device: DeviceOption = Device.AUTO,
    json: Json = False,
) -> None:
    """Ask for the next experiments, to be carried out by hand; they are booked, and count as under way until they are told.

    The campaign is paused meanwhile: no daemon carries out what people carry out.
    """
    from controller.verbs.plan_files import check_format, write_plan

    if output is not None:
        check_format(output)
    from controller.by_hand import ask_plan  # torch: not before the rest is known to be right

    definition, url = _known(campaign, store)
    plan = ask_plan(definition, url, 0 if again else n, device=device.value)
    if output is not None:
        write_plan(output, plan)
    if json:
        print_json({**plan.told(), "file": None if output is None else str(output)})
        return
    if output is None:
        rows = [{"experiment": row["experiment"], **row["parameters"], "source": row["source"]} for row in plan.rows]
        names = plan.definition.problem.parameters
        columns = [Column("experiment"), *(Column(name, _heading(plan.definition, name)) for name in names), Column("source")]
        print_rows(rows, columns, as_json=False, title=f"To be done for {definition.name}", empty="Nothing is open.")
    else:
        print(f"{output}: {len(plan.rows)} experiments of {definition.name}")
        if output.suffix.lower() != ".html":
            print(f"Fill it in, then: labwright campaign tell {campaign} {output}")
    print(f"{plan.left} more fit into the budget. Everything is in {show_url(url)}")


def tell(
    campaign: Campaign,
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan as it was filled in, .csv or .xlsx.", show_default=False)],
    store: Store = None,
    json: Json = False,
) -> None:
    """Take in what people have measured. Every cell is checked first, and nothing is taken where one is wrong.

    Rows without a result stay open. The same plan told again changes nothing; a value that was changed is refused.
    """
    from controller.by_hand import tell_plan
    from controller.verbs.requests import user

    definition, url = _known(campaign, store)
    taken = tell_plan(definition, url, plan, by=user())
    if json:
        print_json(taken.told())
        return
    words = {"completed": taken.completed, "failed": taken.failed, "known already": taken.unchanged, "still open": taken.empty}
    said = ", ".join(f"{len(numbers)} {word}" for word, numbers in words.items() if numbers) or "the plan is empty"
    print(f"{taken.campaign}: {said}; the campaign is {taken.status}, {taken.left} left in its budget")
    if taken.left and taken.status != "completed":
        print(f"Go on with: labwright campaign ask {campaign} -n {min(taken.left, max(1, len(taken.completed)))} -o {plan.name}")


def _heading(definition: Definition, name: str) -> str:
    from controller.files.plans import heading

    return heading(name, getattr(definition.problem.parameters[name], "unit", None))


def _known(campaign: str, store: str | None) -> tuple[Definition, str]:
    """Return what is searched, and the store that it is kept in."""
    from controller.verbs.logs import read_definition

    if Path(campaign).suffix.lower() in (".yaml", ".yml", ".json"):
        from controller.cli.run import store_for
        from controller.files.loading import load_campaign
        from controller.verbs.earlier import earlier_reader

        definition = load_campaign(Path(campaign), read_campaign=earlier_reader(store_urls(store)))
        return definition, store_for(definition, store)
    with find(store_urls(store), campaign) as found:
        return read_definition(found), found.url
