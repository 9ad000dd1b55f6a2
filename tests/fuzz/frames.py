"""Frames that nobody sends: honest ones that were changed, without end and the same for the same seed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

from instruments.protocol.capabilities import ActionDescription, ArgumentDescription, Capabilities, ReturnDescription
from instruments.protocol.codec import encode
from instruments.protocol.messages import (
    Accepted,
    Acknowledge,
    Cancel,
    Command,
    Farewell,
    Finished,
    Heartbeat,
    Hello,
    Inquire,
    Message,
    Ping,
    Progress,
    Refuse,
    Rejected,
    Report,
    Resume,
    Shutdown,
    Started,
    StateChanged,
    Stop,
    Stopped,
    Welcome,
    message_types,
)
from instruments.protocol.values import FaultCode, Faulted, MeasuredValue, Succeeded

_OUTCOME = Succeeded(
    values={"yield": MeasuredValue(value=41.5, unit="percent", sem=0.5), "note": MeasuredValue(value="µ “quoted” \\")},
    started_at=1.7e9, finished_at=1.7e9 + 60.0,
)  # fmt: skip
_CAPABILITIES = Capabilities(
    actions={
        "run": ActionDescription(
            arguments={
                "temperature": ArgumentDescription(unit="degC", low=20.0, high=150.0),
                "solvent": ArgumentDescription(kind="str", choices=("DMF", "DMSO"), required=False, default="DMF"),
            },
            returns={"yield": ReturnDescription(unit="percent")},
            duration_s=(1.0, 60.0),
            consequence="consumes",
        )
    }
)
MESSAGES: tuple[Message, ...] = (
    Hello(
        instrument="reactor", driver="scpi", version="1", boot_id="b1", journal_id="j1", simulated=False, lease_s=10.0,
        capabilities=_CAPABILITIES, state="ready", held="s1",
    ),
    Accepted(attempt="a1", duration_s=(1.0, 60.0), conversions={"temperature": "300 kelvin is 26.85 degC"}),
    Rejected(attempt="a1", code="out_of_limits", message="temperature"),
    Started(attempt="a1", at=1.7e9),
    Progress(attempt="a1", fraction=0.5, note="half"),
    Finished(attempt="a1", outcome=_OUTCOME),
    Finished(attempt="a1", outcome=Faulted(code=FaultCode.device_fault, message="no pressure", retryable=True, started_at=1.0)),
    Report(attempt="a1", status="finished", outcome=_OUTCOME),
    Heartbeat(state="busy", running=("a1", "a2"), uptime_s=12.5, held=None, echo=3.25),
    StateChanged(state="faulted", message="no"),
    Stopped(request="s1", stuck=("a1",)),
    Farewell(reason="told to"),
    Welcome(session="c1", heartbeat_s=1.0, lease_s=10.0, limits={"temperature": (20.0, 100.0)}),
    Refuse(code="mismatch", message="no"),
    Command(attempt="a1", action="run", arguments={"temperature": 50, "solvent": "DMF", "dry": True}, units={"temperature": "K"}),
    Acknowledge(attempt="a1"),
    Cancel(attempt="a1"),
    Stop(request="s1", mode="now"),
    Resume(request="s1"),
    Inquire(attempts=("a1", "a2", "a3")),
    Ping(sent_at=1.5),
    Shutdown(mode="when_idle"),
)  # fmt: skip
"""One honest message of each kind."""
assert {type(message) for message in MESSAGES} == set(message_types())

_STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**63, 10**400, 1.0, -0.0, 1e308, "", "a", "a/b", "x" * 65, "\x00", "\ud800", "é", [], {}, [[]],
    {"": None}, ["a"] * 1001, {"type": "hello"}, "NaN", "hello", "m**9**9**9",
)  # fmt: skip
_TOKENS = (
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"1e-999", b"[", b"]", b"{", b"}", b'"', b"\\", b"\\u0000", b"\\ud800", b",", b":",
    b"null", b"true", b"9" * 400, b"0x10", b"\x00", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b'"type":"hello",', b"[" * 300,
)  # fmt: skip


def mutated(frame: bytes, rng: random.Random) -> bytes:
    """Return a frame with one to four changes: of bytes, of parts, or of what it says."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        frame = _changed(frame, rng)
    return frame


def frames(n: int, seed: int) -> Iterator[bytes]:
    """Return `n` frames: honest ones that were changed, parts of two put together, and noise."""
    rng = random.Random(seed)
    honest = [encode(message) for message in MESSAGES]
    for _ in range(n):
        draw = rng.random()
        if draw < 0.9:
            yield mutated(rng.choice(honest), rng)
        elif draw < 0.95:
            first, second = rng.choice(honest), rng.choice(honest)
            yield first[: rng.randrange(len(first))] + second[rng.randrange(len(second)) :]
        else:
            yield rng.randbytes(rng.randrange(200))


def _changed(frame: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(frame) + 1)
    match rng.randrange(7):
        case 0:
            return frame[:at] + rng.randbytes(1) + frame[at + 1 :]
        case 1:
            return frame[:at] + frame[at + rng.randrange(1, 9) :]
        case 2:
            return frame[:at] + rng.choice(_TOKENS) + frame[at:]
        case 3:
            return frame[:at] + frame[max(0, at - rng.randrange(1, 60)) :]
        case 4:
            return frame[:at]
    try:
        content = json.loads(frame)
    except (ValueError, RecursionError):
        return frame + b" "
    return json.dumps(_said_otherwise(content, rng), ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")


def _said_otherwise(content: Any, rng: random.Random) -> Any:
    """Return a tree with one of its values exchanged, removed, repeated or under another name."""
    if isinstance(content, dict) and content and rng.random() < 0.8:
        key = rng.choice(list(content))
        match rng.randrange(4):
            case 0:
                return {k: v for k, v in content.items() if k != key}
            case 1:
                return {**content, rng.choice(("more", "type", "attempt", "")): content[key]}
        return {**content, key: _said_otherwise(content[key], rng)}
    if isinstance(content, list) and content and rng.random() < 0.8:
        at = rng.randrange(len(content))
        return [*content[:at], _said_otherwise(content[at], rng), *content[at:]]
    return rng.choice(_STRANGE)
