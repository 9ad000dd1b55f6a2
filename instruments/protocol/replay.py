"""Replays a recording: the same sessions, given the same, must answer the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from instruments.errors import InstrumentError, RecordingError
from instruments.protocol.codec import decode_from_driver
from instruments.protocol.controller_session import ControllerSession, Expected
from instruments.protocol.messages import Command, Finished
from instruments.protocol.outputs import ControllerOutput
from instruments.protocol.recording import WHATS, plain_output

Record = Mapping[str, Any]
"""One line of a recording, read again."""


@dataclass(frozen=True)
class Difference:
    """The first step that went otherwise than it was recorded."""

    number: int
    """Of the step, from 1."""
    record: Record
    """What was recorded."""
    replayed: list[Any]
    """What the session answered now; an error it raised as its text."""


@dataclass(frozen=True)
class Replayed:
    """What became of a replay."""

    steps: int
    chapters: int
    difference: Difference | None


def replay(records: Iterable[Record]) -> Replayed:
    """Give the recorded inputs to new sessions and compare what they answer.

    What precedes the first chapter cannot be replayed and is passed over. Which outcomes were acknowledged before a chapter
    began is not recorded; that is taken from what was answered, for attempts that the chapter has said nothing of before.

    Args:
        records: A recording's lines, in order; those that are no steps of sessions are passed over.

    Returns:
        How much was replayed, and the first difference, where the replay ends.

    Raises:
        RecordingError: If a line is not of the form that `recording` writes.
    """
    stage: _Stage | None = None
    steps = chapters = 0
    for line, record in enumerate(records, start=1):
        try:
            if record["what"] == "chapter":
                stage, chapters = _Stage(record), chapters + 1
            elif stage is not None and record["what"] in WHATS:
                steps += 1
                replayed = stage.take(record)
                if replayed != record["out"]:
                    return Replayed(steps, chapters, Difference(steps, record, replayed))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RecordingError(
                f"line {line} of the recording cannot be replayed: {error!r}; was it changed, or written by "
                "another version?"
            ) from error
    return Replayed(steps, chapters, None)


class _Stage:
    """The sessions of one chapter, as they were when it began."""

    def __init__(self, chapter: Record) -> None:
        self._chapter = chapter
        self._sessions: dict[str, ControllerSession] = {}
        self._spoken_of: set[str] = set()
        for name, kept in chapter["instruments"].items():
            session = self._session(name, Expected(**kept["expected"]))
            session.restore(kept["state"])

    def _session(self, name: str, expected: Expected | None = None) -> ControllerSession:
        if name not in self._sessions:
            self._sessions[name] = ControllerSession(
                name, session=self._chapter["session"], expected=expected, **self._chapter["timing"]
            )
        return self._sessions[name]

    def take(self, record: Record) -> list[Any]:
        session = self._session(record["instrument"])
        try:
            outputs = self._answer(session, record)
        except InstrumentError as error:
            return [str(error)]
        return [json.loads(json.dumps(plain_output(output))) for output in outputs]

    def _answer(self, session: ControllerSession, record: Record) -> list[ControllerOutput]:
        given, now = record["given"], float(record["now"])
        match record["what"]:
            case "heard":
                message = decode_from_driver(json.dumps(given).encode())
                if isinstance(message, Finished):
                    self._assume_acknowledged(session, message.attempt, record["out"])
                return session.handle(record["boot"], message, now)
            case "tick":
                return session.tick(now)
            case "cut":
                return session.cut(given["reason"])
            case "command":
                self._spoken_of.add(given["attempt"])
                return session.command(Command.model_validate(given), now)
            case "acknowledge":
                self._spoken_of.add(given["attempt"])
                return session.acknowledge(given["attempt"])
            case "inquire":
                return session.inquire(given["attempts"], now)
            case "cancel":
                return session.cancel(given["attempt"], now)
            case "stop":
                return session.stop(given["request"], given["mode"], now)
            case "resume":
                return session.resume(now)
        return session.shutdown(given["mode"])

    def _assume_acknowledged(self, session: ControllerSession, attempt: str, out: list[Any]) -> None:
        if attempt not in self._spoken_of and [o.get("send", {}).get("type") for o in out] == ["acknowledge"]:
            session.restore_acknowledged(attempt)
        self._spoken_of.add(attempt)
