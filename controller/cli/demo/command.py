"""The command: where its files go, which campaign is next, and what is said at the end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.options import Device, DeviceOption
from controller.cli.options import Json as JsonOption

if TYPE_CHECKING:
    from controller.domain.campaign import Definition

CAMPAIGN = Path(__file__).with_name("flow_chemistry.yaml")
STORE = "demo.db"
PAGE_SPEED = 60.0
"""Lab seconds per real second where it is shown on the live page: slow enough to look around."""


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where its files go.")] = Path(
        "demo-output"
    ),
    device: DeviceOption = Device.CPU,
    speed: Annotated[
        float | None, typer.Option(min=0.001, help="Lab seconds per real second.", show_default=False)
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Lines instead of a live display.")] = False,
    page: Annotated[bool, typer.Option("--page", help="Show it on the live page, in a browser.")] = False,
    json: JsonOption = False,
) -> None:
    """See it work: a simulated flow reactor looks for its best compromises, in about a minute."""
    from controller.cli.render import print_json
    from controller.cli.run import EXIT_BY_STATUS, carry_out, print_end, summary
    from controller.settings import normalise_url

    url = normalise_url(str(output / STORE))
    definition, file = prepare(output, url, speed or (PAGE_SPEED if page else None))
    if page:
        from controller.cli.demo.page import show_page

        show_page(definition, url, device=device, as_json=json)
        return
    out = sys.stderr if json else sys.stdout
    print(
        f"A simulated lab: a flow reactor and an HPLC, {definition.budget.experiments} experiments, lab time "
        f"{definition.lab.speed:g} times faster than a clock on the wall.", file=out,
    )  # fmt: skip
    snapshot = carry_out(definition, url, device=device, grace_s=5.0, plain=plain, as_json=json)
    picture = _picture(url, definition.name, output) if snapshot.counts.get("completed") else None
    if json:
        print_json({**summary(snapshot, url), "picture": str(picture) if picture else None}, one_line=True)
    else:
        print_end(definition, snapshot, url, file)
        if picture is not None:
            print(f"The picture:  {picture}")
        print(f"Begin with your own: labwright init my-campaign (this one is in {file})")
    if code := EXIT_BY_STATUS.get(snapshot.status, 3):
        raise typer.Exit(code)


def prepare(output: Path, url: str, speed: float | None) -> tuple[Definition, Path]:
    """Write the campaign file and return the campaign to run.

    The first call begins `flow-demo`. A later one goes on with the newest that is not completed, or begins the next one
    (`flow-demo-2`, with another seed) beside those that are.

    Raises:
        ConflictError: If the folder cannot be made or written.
    """
    from contextlib import closing

    from controller.errors import ConflictError
    from controller.files.loading import load_campaign
    from controller.store.reading import open_reader

    with closing(open_reader(url)) as reader:
        finished = {c["name"] for c in reader.campaigns() if c["status"] in ("completed", "failed")}
    text = CAMPAIGN.read_text(encoding="utf-8")
    number = 1
    while _name(number) in finished:
        number += 1
    file = output / f"{_name(number)}.yaml"
    try:
        output.mkdir(parents=True, exist_ok=True)
        named = text.replace("campaign: flow-demo", f"campaign: {_name(number)}", 1)
        file.write_text(f"{named}seed: {number - 1}\n", encoding="utf-8")
    except OSError as error:
        raise ConflictError(
            f"{output} cannot be written: {error.strerror}; choose another folder with --output"
        ) from error
    return load_campaign(file, speed=speed), file


def _name(number: int) -> str:
    return "flow-demo" if number == 1 else f"flow-demo-{number}"


def _picture(url: str, campaign: str, output: Path) -> Path | None:
    """Draw how it came along and the front that it reached; without matplotlib say so and go on."""
    from controller.errors import MissingExtraError
    from controller.figures.saving import save
    from controller.verbs.plotting import figures
    from controller.verbs.stores import find

    try:
        with find([url], campaign) as found:
            drawn, _ = figures(found, ("progress", "front"))
        return save(drawn, output / f"{campaign}.png")
    except MissingExtraError as error:
        print(f"labwright: {error}", file=sys.stderr)
        return None
