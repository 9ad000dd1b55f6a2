"""`labwright` as it is, with a lease of a few seconds, and its drivers sent through the proxy of the tests.

`CHAOS_PROXY` is the address that drivers are told; where the controller really listens is written beside, for the proxy.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from controller.__main__ import main
from controller.engine import session
from instruments.transport.rendezvous import write_rendezvous
from instruments.transport.zeromq import ZeroMQServer
from tests.chaos.devices import jump_with, overtake

REAL = "rendezvous.real.json"
HEARTBEAT_S, LEASE_S = 0.25, 3.0
CLOCKS = "CHAOS_CLOCKS"
"""Folder whose files say how far the wall clocks of the `controller` and of the `drivers` are off [s]."""


def write_both(path: Path, address: str, session_id: str = "", server_key: str = "") -> None:
    draft = path.with_name(f".{REAL}.{os.getpid()}")
    draft.write_text(json.dumps({"address": address}), encoding="utf-8")
    draft.replace(path.with_name(REAL))
    write_rendezvous(path, os.environ["CHAOS_PROXY"], session_id, server_key)


if __name__ == "__main__":
    assert session.write_rendezvous is write_rendezvous
    assert (session.HEARTBEAT_S, session.LEASE_S) == (1.0, 10.0)
    session.write_rendezvous = write_both
    jump_with("controller")
    if "CHAOS_OVERTAKE" in os.environ:
        overtake(ZeroMQServer, int(os.environ["CHAOS_OVERTAKE"]))
    session.HEARTBEAT_S, session.LEASE_S = HEARTBEAT_S, LEASE_S
    main()
