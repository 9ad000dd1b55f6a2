"""Has verbs that compute carried out by a process of its own: what they take of memory and time, a server must not give.

`python -m controller.verbs.aside` is that process: a question a line on standard input, an answer a line on standard output, both
JSON. It ends when nothing has been asked for two minutes, and with whoever asks.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
from importlib import import_module
from io import FileIO
from typing import Any

from controller import errors
from controller.errors import LabwrightError
from controller.verbs.stores import Found, find

PATIENCE_S = 300.0
"""A process that has not answered for so long is ended [real s]."""
IDLE_S = 120.0
"""It ends when nothing was asked for so long [real s]."""
VERBS = {
    "why": "verbs.reasons", "sensitivity": "verbs.reasons", "slice_through": "verbs.reasons", "believed_best": "verbs.reasons",
    "forecast": "verbs.foreseeing", "replayed": "verbs.replaying", "figure_told": "verbs.plotting", "asked": "by_hand",
    "told_file": "by_hand", "told_results": "by_hand",
}  # fmt: skip
"""What it carries out, and the module of `controller` that holds it; the process is a program of its own, so it may stand above."""
_PLAIN = (
    errors.UnknownNameError, errors.ConflictError, errors.NothingYetError, errors.StoreError, errors.CampaignLockedError,
    errors.SpaceExhaustedError,
)  # fmt: skip
"""Errors that are made of their text alone."""


class Aside:
    """Asks the process, one question at a time; starts it when it is needed."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def ask(self, found: Found, verb: str, **arguments: Any) -> dict[str, Any]:
        """Return what a verb tells of a campaign.

        Args:
            found: The campaign.
            verb: One of `VERBS`.
            arguments: Of the verb, JSON data.

        Raises:
            LabwrightError: Whatever the verb raises on purpose; or the process has died, or taken longer than five minutes.
        """
        question = {"verb": verb, "url": found.url, "campaign": found.id, "arguments": arguments}
        with self._turn:
            answer = self._answer(verb, json.dumps(question).encode() + b"\n")
        if "error" not in answer:
            return dict(answer["told"])
        if answer["faults"]:
            raise errors.FileFaultsError(answer["faults"])
        kind = getattr(errors, answer["error"], LabwrightError)
        raise kind(answer["text"]) if kind in _PLAIN else LabwrightError(answer["text"])

    def _answer(self, verb: str, question: bytes) -> dict[str, Any]:
        for begun in (False, True):  # one that has just ended for want of questions is followed by another
            process = self._running()
            assert process.stdin is not None  # noqa: S101 - made with pipes
            assert process.stdout is not None  # noqa: S101
            try:
                process.stdin.write(question)
                process.stdin.flush()
                if not select.select([process.stdout], [], [], PATIENCE_S)[0]:
                    self._end()
                    raise LabwrightError(f"{verb} took more than {PATIENCE_S:g} s and was given up; ask on the command line")
                line = process.stdout.readline()
                if line:
                    answer: dict[str, Any] = json.loads(line)
                    return answer
            except BrokenPipeError:
                pass
            self._end()
            if begun or self._closed:
                break
        raise LabwrightError(f"{verb} could not be computed: its process has died twice; its log is that of the server")

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "controller.verbs.aside"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):  # what was not taken any more
                    pipe.close()

    def close(self) -> None:
        """End the process, if it runs, whatever it computes."""
        self._closed = True
        self._end()


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """Carry a question out and return the answer: `{"told"}`, or `{"error", "text", "faults"}` for what is raised on purpose."""
    if question["verb"] not in VERBS:
        raise ValueError(f"verb: expected one of {', '.join(VERBS)}, got {question['verb']!r}")
    try:
        with find([question["url"]], question["campaign"]) as found:
            verb = getattr(import_module(f"controller.{VERBS[question['verb']]}"), question["verb"])
            return {"told": verb(found, **question["arguments"])}
    except LabwrightError as error:
        return {"error": type(error).__name__, "text": str(error), "faults": getattr(error, "faults", [])}


def main(questions: FileIO) -> None:
    """Answer until `questions` end, or none has come for `IDLE_S`."""
    # Answers go to the real standard output; whatever a library prints goes to the log.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while select.select([questions], [], [], IDLE_S)[0] and (line := questions.readline()):
        told = answer(json.loads(line))
        with contextlib.suppress(BrokenPipeError):
            answers.write(json.dumps(told, allow_nan=False).encode() + b"\n")
            answers.flush()


if __name__ == "__main__":
    with open(0, "rb", buffering=0) as unbuffered:  # what has been read ahead, `select` does not see
        main(unbuffered)
