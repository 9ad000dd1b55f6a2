"""`python -m simulators list|serve`: simulated labs by hand, without a campaign's controller starting them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from instruments.clock import ScaledClock, clock_from_text
from instruments.errors import ClockError, KeyFileError
from instruments.transport.keys import read_pair, read_public_key
from simulators.errors import SimulatorError
from simulators.labs.campaign import HandCampaign
from simulators.labs.registry import describe_labs, load_lab
from simulators.serving import serve_lab

EXIT_WRONG = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command.

    Args:
        arguments: The command line; the process's own when left out.

    Returns:
        0 when done, 2 if the lab, its options or the campaign are wrong, else the exit status of the driver that failed.
    """
    asked = _parser().parse_args(arguments)
    if asked.command == "list":
        for name, description in describe_labs().items():
            print(f"{name}: {description}")
        return 0
    try:
        lab, folder = _lab(asked), asked.folder.resolve()
        clock = clock_from_text(asked.clock)
        if isinstance(clock, ScaledClock):
            # A bare speed starts at another moment in each process; the full text makes them share one lab time.
            asked.clock = clock.to_text()
        print(
            f"serving {', '.join(lab['instruments'])} of {asked.lab} for {asked.controller}; logs in {folder}",
            flush=True,
        )
        if asked.key is not None:
            read_pair(asked.key)  # refused here and now, not in the log of each driver
        server_key = None if asked.server_key is None else read_public_key(asked.server_key)
        bad = serve_lab(
            lab, controller=asked.controller, folder=folder, clock=asked.clock, key=asked.key, server_key=server_key
        )
    except (ValueError, ClockError, KeyFileError, SimulatorError) as error:
        print(f"simulators: {error}", file=sys.stderr)
        return EXIT_WRONG
    for name, status in bad.items():
        print(f"simulators: {name} left with status {status}; see {folder / name / 'driver.log'}", file=sys.stderr)
    return next(iter(bad.values()), 0)


def _lab(asked: argparse.Namespace) -> dict[str, Any]:
    expand, module = load_lab(asked.lab)
    if asked.campaign is not None:
        try:
            campaign = HandCampaign.model_validate_json(asked.campaign.read_bytes())
        except OSError as error:
            raise ValueError(f"{asked.campaign}: cannot be read ({error.strerror})") from None
        folder = asked.campaign.parent
    elif hasattr(module, "example_campaign"):
        campaign, folder = module.example_campaign(), Path()
    else:
        raise ValueError(
            f"the lab {asked.lab!r} needs --campaign FILE: a campaign as JSON, with parameters and objectives"
        )
    lab: dict[str, Any] = expand(dict(asked.option), campaign, folder)["lab"]
    return lab


def _option(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value  # plain text needs no quotes


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulators", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="list|serve")
    commands.add_parser("list", help="list the simulated labs that are installed")
    serve = commands.add_parser("serve", help="serve the instruments of one lab until Ctrl-C")
    serve.add_argument("lab", metavar="LAB", help="a name from the list")
    serve.add_argument(
        "--controller", required=True, metavar="URL|FILE", help="tcp://HOST:PORT, or the rendezvous file"
    )
    serve.add_argument("--key", type=Path, metavar="FILE", help="the drivers' key pair, where the controller asks for keys")
    serve.add_argument("--server-key", metavar="KEY|FILE", help="the controller's public key; a rendezvous file holds it too")
    serve.add_argument("--folder", type=Path, default=Path("simulated-lab"), help="where journals and logs are kept")
    serve.add_argument("--campaign", type=Path, metavar="FILE", help="a campaign as JSON; not every lab needs one")
    serve.add_argument("--option", type=_option, action="append", default=[], metavar="NAME=VALUE", help="of the lab")
    serve.add_argument("--clock", default="system", metavar="SPEED[@REAL@LAB]", help="lab time; system by default")
    return parser


if __name__ == "__main__":
    sys.exit(main())
