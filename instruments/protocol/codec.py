"""Frames: JSON text of at most one mebibyte, validated completely before anything looks at it."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from instruments.errors import FrameTooLargeError, MalformedFrameError
from instruments.protocol.messages import FromController, FromDriver, Message
from instruments.protocol.values import shorten

MAX_FRAME = 1024 * 1024
"""Largest frame [bytes]."""

_FROM_DRIVER: TypeAdapter[FromDriver] = TypeAdapter(Annotated[FromDriver, Field(discriminator="type")])
_FROM_CONTROLLER: TypeAdapter[FromController] = TypeAdapter(Annotated[FromController, Field(discriminator="type")])


def encode(message: Message) -> bytes:
    """Write a message as a frame.

    Args:
        message: Any message; already validated, since messages are immutable.

    Returns:
        UTF-8 JSON.

    Raises:
        FrameTooLargeError: If it would be larger than `MAX_FRAME`.
    """
    frame = message.model_dump_json().encode()
    if len(frame) > MAX_FRAME:
        raise FrameTooLargeError(f"{message.type}: {len(frame)} bytes, the wire takes {MAX_FRAME}; send fewer values")
    return frame


def decode_from_driver(frame: bytes) -> FromDriver:
    """Read a frame that a driver sent.

    Args:
        frame: Any bytes.

    Returns:
        The message.

    Raises:
        FrameTooLargeError: If it is larger than `MAX_FRAME`.
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
        FrameTooLargeError: If it is larger than `MAX_FRAME`.
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
    if len(frame) > MAX_FRAME:
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


def _explain(error: ValidationError) -> str:
    # The input is left out: it is untrusted, and it may be large.
    details = error.errors(include_url=False, include_input=False, include_context=False)
    first = details[0]
    place = ".".join(str(part) for part in first["loc"]) or "frame"
    return shorten(f"not a message: {place}: {first['msg']} ({len(details)} faults)", 300)
