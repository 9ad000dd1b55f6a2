"""`python -m instruments serve`: the process of one driver."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from instruments.clock import clock_from_text
from instruments.errors import InstrumentError, JournalLockedError, RefusedError
from instruments.protocol.driver_session import LostPolicy
from instruments.sdk.journal import Journal
from instruments.sdk.options import build_driver
from instruments.sdk.registry import load_driver
from instruments.sdk.server import DriverServer
from instruments.transport.keys import read_public_key
from instruments.transport.zeromq import ZeroMQClient

EXIT_OK, EXIT_WRONG, EXIT_LOCKED, EXIT_REFUSED = 0, 2, 3, 4
log = logging.getLogger("instruments")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve one driver.

    Args:
        arguments: The command line; the process's own when left out.

    Returns:
        0 after leaving as asked, 2 if the driver, its options or the journal are wrong, 3 if another process holds the
        journal, 4 if the controller refuses the driver.
    """
    asked = _parser().parse_args(arguments)
    logging.basicConfig(
        level=asked.log_level.upper(), format=f"%(asctime)s %(levelname)s {asked.instrument}: %(message)s"
    )
    try:
        asyncio.run(_serve(asked))
    except JournalLockedError as error:
        log.error("%s", error)
        return EXIT_LOCKED
    except RefusedError as error:
        log.error("%s", error)
        return EXIT_REFUSED
    except InstrumentError as error:
        log.error("%s", error)
        return EXIT_WRONG
    return EXIT_OK


async def _serve(asked: argparse.Namespace) -> None:
    options = asked.options_file | asked.options
    driver = build_driver(load_driver(asked.driver), options)
    transport = ZeroMQClient(
        asked.controller, instrument=asked.instrument, boot_id=uuid.uuid4().hex, key=asked.key,
        server_key=None if asked.server_key is None else read_public_key(asked.server_key),
    )  # fmt: skip
    journal = Journal(asked.journal, instrument=asked.instrument)
    server = DriverServer(
        driver,
        transport=transport,
        journal=journal,
        clock=clock_from_text(asked.clock),
        limits=asked.limits,
        tag=asked.driver,
        on_lost_controller=asked.on_lost_controller,
        exit_when_orphaned=asked.exit_when_orphaned,
    )
    loop = asyncio.get_running_loop()
    asked_before = False

    def leave() -> None:
        nonlocal asked_before
        server.request_shutdown("now" if asked_before else "when_idle")
        asked_before = True

    # The first signal lets what runs finish; a second one stops it.
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leave)
    log.info("serving %s, journal %s", asked.driver, asked.journal)  # never the options: they may hold secrets
    log.info("left: %s", await server.serve())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m instruments", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="serve")
    serve = commands.add_parser("serve", help="serve one driver")
    serve.add_argument("--driver", required=True, metavar="TAG", help="tag, module:Class or file.py:Class")
    serve.add_argument("--instrument", required=True, metavar="NAME", help="the instrument's name in the lab file")
    serve.add_argument(
        "--controller", required=True, metavar="URL|FILE", help="tcp://HOST:PORT, or the rendezvous file"
    )
    serve.add_argument("--key", type=Path, metavar="FILE", help="the driver's key pair, where the controller asks for keys")
    serve.add_argument("--server-key", metavar="KEY|FILE", help="the controller's public key; a rendezvous file holds it too")
    serve.add_argument("--journal", required=True, type=Path, metavar="FILE", help="the instrument's journal")
    serve.add_argument("--options", type=_json, default={}, metavar="JSON", help="the driver's options")
    serve.add_argument("--options-file", type=_json_file, default={}, metavar="FILE", help="the same, in a JSON file")
    serve.add_argument("--limits", type=_json, default={}, metavar="JSON", help="the lab file's limits")
    serve.add_argument("--clock", default="system", metavar="SPEED[@REAL@LAB]", help="lab time; system by default")
    serve.add_argument(
        "--on-lost-controller", choices=get_args(LostPolicy), help="when the controller is silent; the driver's own by default"
    )
    serve.add_argument("--exit-when-orphaned", action="store_true", help="leave once idle with no controller")
    serve.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    return parser


def _json(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from error
    if not isinstance(content, dict):
        raise argparse.ArgumentTypeError("expected a JSON object of names and values")
    return content


def _json_file(name: str) -> dict[str, Any]:
    try:
        return _json(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{name} cannot be read: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
