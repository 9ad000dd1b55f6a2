"""What is fuzzed: each takes any bytes and must give an answer or one of its own errors, nothing else."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from controller.domain.constraint import parse_constraint
from controller.domain.rule import parse_rule
from controller.files.checking import check_file
from controller.files.faults import Faults
from controller.files.tables import read_table
from instruments.bounded import from_json, process_id
from instruments.clock import clock_from_text
from instruments.errors import AddressError, ClockError, ProtocolError, UnitError
from instruments.protocol.codec import MAX_FRAME, decode_from_controller, decode_from_driver, encode, protocol_of_hello
from instruments.protocol.messages import message_types
from instruments.transport.base import Peer
from instruments.transport.rendezvous import read_rendezvous
from instruments.units import check_unit
from simulators.devices.memory import DeviceMemory
from simulators.errors import DeviceLogError

check_unit("furlong")  # imports what knows units, so that no input is slow for it
_FOLDER = tempfile.TemporaryDirectory(prefix="labwright-fuzz-")  # gone with the process
_PLACE = Path(_FOLDER.name)


def codec(data: bytes) -> bool:
    """Read a frame as both sides do; return whether either takes it. What is taken comes back as it was from its own frame."""
    taken = False
    for decode in (decode_from_driver, decode_from_controller):
        try:
            message = decode(data)
        except ProtocolError:
            continue
        assert isinstance(message, message_types())
        again = encode(message)
        assert len(again) <= MAX_FRAME
        assert decode(again) == message
        taken = True
    version = protocol_of_hello(data)
    assert version is None or type(version) is int
    Peer.from_bytes(data[:200])
    return taken


def campaign(data: bytes) -> bool:
    """Read a campaign or lab file; whatever is wrong is told in lines."""
    path = _PLACE / "c.yaml"
    path.write_bytes(data)
    faults = check_file(path)
    assert all(line.isprintable() and len(line) <= 1000 for line in faults)
    return not faults


def table(data: bytes) -> bool:
    """Read a table."""
    path = _PLACE / "t.csv"
    path.write_bytes(data)
    faults = Faults()
    try:
        found = read_table(path, faults)
    except ValueError:
        return False
    assert (found is None) == (len(faults) > 0)
    return found is not None


def expression(data: bytes) -> bool:
    """Read a constraint, a unit and a clock."""
    text = data.decode("utf-8", "replace")
    try:
        constraint = parse_constraint(text)
    except ValueError:
        constraint = None
    with suppress(ValueError):
        assert parse_rule(text).names
    for check, fault in ((check_unit, UnitError), (clock_from_text, ClockError)):
        try:
            check(text)
        except fault:
            continue
    return constraint is not None


def notes(data: bytes) -> bool:
    """Read what lies in a lab's folder: where the controller is, a note with a process, a device's log."""
    path = _PLACE / "note"
    path.write_bytes(data)
    found = None
    with suppress(AddressError):
        found = read_rendezvous(path)
    with suppress(ValueError):
        process_id(from_json(data))
    with suppress(DeviceLogError):
        DeviceMemory(path)
    return found is not None


TARGETS: dict[str, Callable[[bytes], bool]] = {
    target.__name__: target for target in (codec, campaign, table, expression, notes)
}
