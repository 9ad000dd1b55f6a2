"""`labwright init`, `validate` and `schema`: the files that users write."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.options import Json
from controller.cli.render import Column, print_json, print_rows


class Kind(StrEnum):
    """The kinds of files."""

    CAMPAIGN = "campaign"
    LAB = "lab"
    NOTIFY = "notify"


def init(
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="A folder; it is made if it is not there.", show_default=False)
    ] = None,
    example: Annotated[
        str | None, typer.Option("--example", metavar="NAME", help="Copy this example with all its files.", show_default=False)
    ] = None,
    list_them: Annotated[bool, typer.Option("--list", help="List the examples and write nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files of the same names.")] = False,
    json: Json = False,
) -> None:
    """Write a campaign and a lab file to begin with, or copy an example."""
    from controller.files.examples import copy_example, examples
    from controller.files.templates import write_templates

    if list_them:
        rows = [{"example": name, "about": about} for name, about in examples().items()]
        print_rows(rows, [Column("example"), Column("about")], as_json=json, empty="This installation has no examples.")
        return
    if folder is None:
        raise typer.BadParameter("name a folder to write to, for example labwright init my-campaign", param_hint="DIR")
    written = copy_example(example, folder, force=force) if example else write_templates(folder, force=force)
    if json:
        print_json([str(path) for path in written])
        return
    for path in written:
        print(path)
    campaign = next((p for p in written if p.stem == "campaign"), folder / "campaign.yaml")
    print(f"Check it with: labwright validate {campaign}\nCarry it out with: labwright run {campaign}")
    if example and folder / "README.md" in written:
        print(f"What it shows: {folder / 'README.md'}")


def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Campaign, lab and notify files.", show_default=False)],
    json: Json = False,
) -> None:
    """Check files: one line per fault, exit code 2 when there is one. Remarks are no faults."""
    from controller.verbs.stores import store_urls
    from controller.verbs.validating import check

    checked = {path: check(path, store_urls(None)) for path in files}
    if json:
        print_json([{"file": str(path), "faults": found.faults, "remarks": found.remarks} for path, found in checked.items()])
    else:
        for path, found in checked.items():
            print("\n".join([*(found.faults or [f"{path}: good"]), *(f"{path}: remark: {text}" for text in found.remarks)]))
    if any(found.faults for found in checked.values()):
        raise typer.Exit(2)


def schema(kind: Annotated[Kind, typer.Argument(help="Which file.", show_default=False)]) -> None:
    """Print the JSON Schema of a file, for editors."""
    from controller.files.schema import campaign_schema, lab_schema, notify_schema

    print_json({Kind.CAMPAIGN: campaign_schema, Kind.LAB: lab_schema, Kind.NOTIFY: notify_schema}[kind]())
