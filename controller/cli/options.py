"""Options that several commands share, and the switch that makes errors JSON too."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from controller.cli.completing import campaign_names

STORE_VARIABLE = "LABWRIGHT_STORE"
"""Environment variable that names the store: a password in it stays out of the list of processes."""


class Device(StrEnum):
    """Where the models are computed."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


def remember_json(ctx: typer.Context, value: bool) -> bool:
    """Note on the root context that this call speaks JSON, so that an error does too."""
    root = ctx.find_root()
    root.meta["json"] = value and not root.meta.get("csv")
    return value


Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.", callback=remember_json)]
Store = Annotated[
    str | None,
    typer.Option(
        "--store", metavar="URL", envvar=STORE_VARIABLE, show_default=False, show_envvar=False,
        help=f"A SQLite file or postgresql://…; by default ${STORE_VARIABLE}, or the user's own stores.",
    ),
]  # fmt: skip
CampaignName = Annotated[
    str,
    typer.Argument(metavar="CAMPAIGN", help="Name or id of a campaign.", show_default=False, autocompletion=campaign_names),
]
Timeout = Annotated[float, typer.Option("--timeout", min=0, help="Seconds to wait for the controller's answer.")]
DeviceOption = Annotated[Device, typer.Option("--device", help="Where models are computed.")]
