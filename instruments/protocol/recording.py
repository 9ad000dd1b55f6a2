"""What a controller's session was given and what it answered, as lines of JSON: taken down while it works, replayed afterwards.

A recording is made of *chapters*. Each begins with the state of every session, so that it can be replayed without those before
it, and goes on with one *step* for each message, request or tick that a session took, in order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

from pydantic import BaseModel

from instruments.protocol.controller_session import ControllerSession
from instruments.protocol.outputs import ControllerOutput, Emit

What = Literal["heard", "tick", "cut", "command", "acknowledge", "inquire", "cancel", "stop", "resume", "shutdown"]
"""What a session can be given: a driver's message, time, the end of its link, or a request."""
WHATS: frozenset[str] = frozenset(get_args(What))


@dataclass(frozen=True)
class Step:
    """One thing that a session took."""

    at: float
    """When [s since the Unix epoch]; for people."""
    now: float
    """When, as the session was told [real monotonic s]."""
    instrument: str
    what: What
    given: object
    """The frame as it came (`heard`), the command, or the request's arguments by name; nothing for a tick."""
    outputs: Sequence[ControllerOutput]
    boot_id: str = ""
    """Who sent the frame."""

    def to_line(self) -> bytes:
        """Return the step as one line; a frame is put in as it is, so that nothing is lost in between."""
        given = self.given
        if isinstance(given, bytes):  # it was decoded, so it is JSON: newlines can only be between its parts
            text = given.replace(b"\n", b" ").replace(b"\r", b" ").decode()
        elif isinstance(given, BaseModel):
            text = given.model_dump_json()
        else:
            text = json.dumps(given)
        # Put together by hand: this is done for every message of every driver, and pydantic writes its own fastest.
        out = ",".join(
            json.dumps(plain_output(output), default=_plain)
            if isinstance(output, Emit)
            else f'{{"to": {_quoted(output.boot_id)}, "send": {output.message.model_dump_json()}}}'
            for output in self.outputs
        )
        return (
            f'{{"what": "{self.what}", "at": {self.at!r}, "now": {self.now!r}, "instrument": {_quoted(self.instrument)}, '
            f'"boot": {_quoted(self.boot_id)}, "given": {text}, "out": [{out}]}}\n'
        ).encode()


@dataclass(frozen=True)
class Chapter:
    """The state of every session at one moment.

    Args:
        at: When [s since the Unix epoch].
        session: The id of the controller's process.
        timing: Arguments of every session: `heartbeat_s`, `lease_s`, `resend_s` [real s].
        instruments: By name: what the lab file says of it, and its session's state.
        dropped: Steps before it that could not be taken down.
    """

    at: float
    session: str
    timing: Mapping[str, float]
    instruments: Mapping[str, Mapping[str, Any]]
    dropped: int = 0

    def to_line(self) -> bytes:
        """Return the chapter as one line."""
        return json.dumps({"what": "chapter", **vars(self)}, default=_plain).encode() + b"\n"


def state_of(session: ControllerSession) -> dict[str, Any]:
    """Return what a chapter holds of one session. What it refers to never changes, so it may be written down later."""
    return {"expected": asdict(session.expected), "state": session.state_now()}


def plain_output(output: ControllerOutput) -> dict[str, Any]:
    """Return an output as plain data. Of an event that is what its message does not say anyway."""
    if not isinstance(output, Emit):
        return {"to": output.boot_id, "send": output.message.model_dump(mode="json")}
    event = output.event
    said = {k: v for k, v in vars(event).items() if k != "instrument" and not isinstance(v, BaseModel)}
    return {"emit": type(event).__name__, **said}


@lru_cache(4096)
def _quoted(text: str) -> str:
    return json.dumps(text)


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} is no plain data")
