"""Frames: JSON text of at most one mebibyte, validated completely before anything looks at it.

Reading a frame costs bounded time and memory, whoever wrote it: size and number of entries are looked at before it is parsed.
"""

from __future__ import annotations

import json
import re
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from instruments.errors import FrameTooLargeError, MalformedFrameError
from instruments.protocol.messages import FromController, FromDriver, Message
from instruments.protocol.values import shorten

MAX_FRAME = 1024 * 1024
"""Largest frame [bytes]."""
MAX_ENTRIES = 20_000
"""Most entries of all lists and mappings of a frame together: a mebibyte of `[],` would cost seconds to validate."""
_ALWAYS_SMALL = 16 * 1024
_MOST_FAULTS = 20
"""Beyond this many faults only their number is told: listing them costs more than finding them."""
# Possessive, and content with a text that never ends: no input makes it look at a byte twice.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)

_FROM_DRIVER: TypeAdapter[FromDriver] = TypeAdapter(Annotated[FromDriver, Field(discriminator="type")])
_FROM_CONTROLLER: TypeAdapter[FromController] = TypeAdapter(Annotated[FromController, Field(discriminator="type")])


def encode(message: Message) -> bytes:
    """Write a message as a frame.

    Args:
        message: Any message; already validated, since messages are immutable.

    Returns:
        UTF-8 JSON.

    Raises:
        FrameTooLargeError: If it would be larger than `MAX_FRAME`, or have more than `MAX_ENTRIES`.
    """
    frame = message.model_dump_json().encode()
    if len(frame) > MAX_FRAME:
        raise FrameTooLargeError(f"{message.type}: {len(frame)} bytes, the wire takes {MAX_FRAME}; send fewer values")
    if has_too_many_entries(frame):
        raise FrameTooLargeError(f"{message.type}: the wire takes {MAX_ENTRIES} entries at most; send fewer values")
    return frame


def decode_from_driver(frame: bytes) -> FromDriver:
    """Read a frame that a driver sent.

    Args:
        frame: Any bytes.

    Returns:
        The message.

    Raises:
        FrameTooLargeError: If it is larger than `MAX_FRAME`, or has more than `MAX_ENTRIES`.
        MalformedFrameError: If it is no message of a driver.
    """
    _check_size(frame)
    try:
        return _FROM_DRIVER.validate_json(frame)
    except ValidationError as error:
        raise MalformedFrameError(_explain(error)) from error


def decode_from_controller(frame: bytes) -> FromController:
    """Read a frame that a controller sent.

    Args:
        frame: Any bytes.

    Returns:
        The message.

    Raises:
        FrameTooLargeError: If it is larger than `MAX_FRAME`, or has more than `MAX_ENTRIES`.
        MalformedFrameError: If it is no message of a controller.
    """
    _check_size(frame)
    try:
        return _FROM_CONTROLLER.validate_json(frame)
    except ValidationError as error:
        raise MalformedFrameError(_explain(error)) from error


def protocol_of_hello(frame: bytes) -> int | None:
    """Return the protocol version of a frame that is a hello of any version, else None.

    A hello of another version may have other fields, so it cannot be decoded, yet its sender deserves an answer.
    """
    # Only what says so at its beginning is parsed at all: most of what reaches this function is garbage.
    if len(frame) > MAX_FRAME or b'"hello"' not in frame[:_ALWAYS_SMALL] or has_too_many_entries(frame):
        return None
    try:
        content = json.loads(frame)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or content.get("type") != "hello":
        return None
    version = content.get("protocol")
    return version if isinstance(version, int) and not isinstance(version, bool) else None


def _check_size(frame: bytes) -> None:
    if len(frame) > MAX_FRAME:
        raise FrameTooLargeError(f"frame of {len(frame)} bytes, the wire takes {MAX_FRAME}")
    if has_too_many_entries(frame):
        raise FrameTooLargeError(f"frame of more than {MAX_ENTRIES} entries")


def has_too_many_entries(frame: bytes) -> bool:
    """Say whether a frame holds more than `MAX_ENTRIES` list items and mapping keys, by counting, without parsing it.

    Args:
        frame: Any bytes of at most `MAX_FRAME`. What is no JSON gets any answer; it is refused one way or the other.
    """
    if len(frame) <= _ALWAYS_SMALL or _n_openings(frame) <= MAX_ENTRIES:
        return False
    # An entry has at most two texts, and each of these two quotes that no backslash precedes.
    if frame.count(b'"') - frame.count(b'\\"') > 4 * (MAX_ENTRIES + 1):
        return True
    return _n_openings(_STRING.sub(b"", frame)) > MAX_ENTRIES  # texts may hold as many commas as they like


def _n_openings(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def _explain(error: ValidationError) -> str:
    n_faults = error.error_count()
    if n_faults > _MOST_FAULTS:
        return f"not a message: {n_faults} faults"
    # The input is left out: it is untrusted, and it may be large.
    details = error.errors(include_url=False, include_input=False, include_context=False)
    first = details[0]
    place = ".".join(str(part) for part in first["loc"]) or "frame"
    return shorten(f"not a message: {place}: {first['msg']} ({n_faults} faults)", 300)
