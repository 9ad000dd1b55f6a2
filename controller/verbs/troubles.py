"""What went wrong with an experiment, in words, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.verbs.stores import Found

MEANINGS = {
    "device_fault": "the device itself reported a fault",
    "out_of_limits": "an argument lies outside the limits of the instrument or of its action",
    "timeout": "it took longer than its deadline allows, and its driver ended it",
    "cancelled": "it was cancelled while it ran",
    "stopped": "the instrument was stopped",
    "interrupted": "its driver ended, or was cut off, while it ran; nobody may repeat it unasked",
    "invalid_command": "the driver does not know the action, or not with these arguments",
    "driver_error": "the driver's own code failed; its log says where",
    "measurement_invalid": "what was measured cannot be used",
    "unbound_argument": "an argument of the step takes its value from something that the experiment does not have",
    "unconfirmed": "nobody has confirmed what became of it",
}
"""Code of a fault -> what it means (`instruments.protocol.values.FaultCode`, and those of the engine)."""
_WRONG = ("failed", "unknown", "abandoned")


def trouble_of(found: Found, experiment: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what went wrong and what can be done next, None for an experiment with which nothing did.

    Args:
        found: Its campaign.
        experiment: As the reader gives it, with its attempts.

    Returns:
        `what`: sentences; `next`: `command` and `what` it does, of each that can be given now; `logs`: files to look into.
    """
    wrong = [a for a in experiment["attempts_list"] if a["fault"] is not None or a["status"] == "unknown"]
    if not wrong and experiment["status"] not in _WRONG:
        return None
    what = [_said(a) for a in wrong]
    fault = experiment["fault"]
    if fault is not None and not any(a["fault"] and a["fault"]["message"] == fault["message"] for a in wrong):
        what.append(_sentence("the experiment", fault["code"], fault["message"]))
    if experiment["status"] == "completed":
        what.append("It was tried again, and completed.")
    if experiment["status"] == "failed":
        what.append("It gave no result; the model learns that it failed there.")
    return {"what": what, "next": _next(found, experiment), "logs": _logs(found, {a["instrument"] for a in wrong})}


def _said(attempt: Mapping[str, Any]) -> str:
    where = f"{attempt['step']} on {attempt['instrument']}, attempt {attempt['ordinal']}"
    if attempt["fault"] is None:
        return f"{where}: nobody can say what became of it{': ' + attempt['reason'] if attempt['reason'] else ''}."
    again = " It may be repeated." if attempt["fault"]["retryable"] else ""
    return _sentence(where, attempt["fault"]["code"], attempt["fault"]["message"]) + again


def _sentence(where: str, code: str, message: str) -> str:
    refused = code.removeprefix("rejected.")
    meaning = MEANINGS.get(refused)
    if refused != code:
        meaning = "its driver turned it down before anything was begun" + (f": {meaning}" if meaning else "")
    return f"{where}: {message} ({code}{': ' + meaning if meaning else ''})."


def _next(found: Found, experiment: Mapping[str, Any]) -> list[dict[str, str]]:
    about = f"{found.name} {experiment['number']}"
    choices: list[tuple[str, str]] = []
    match experiment["status"]:
        case "failed":
            choices = [
                (f"experiment retry {about}", "carry it out again, from its first step: make sure that this may be"),
                (f"experiment abandon {about}", "give it up for good"),
            ]
        case "unknown":
            choices = [
                (f"experiment resolve {about} --explain", "what is known of it, and what each answer means"),
                (f"experiment resolve {about} --as completed|failed|abandoned", "say what became of it"),
            ]
    if experiment["status"] in _WRONG:
        choices.append((_recording(found, experiment), "what the instruments were told, and answered"))
    return [{"command": f"labwright {command}", "what": what} for command, what in choices]


def _recording(found: Found, experiment: Mapping[str, Any]) -> str:
    """Return the command that shows what was said on the wire; recordings have real time, simulated labs may have their own."""
    lab = found.reader.definition(found.id)["lab"]
    if lab.get("speed", 1.0) != 1.0 or experiment["started_at"] is None:
        return f"recording show {lab['lab']} --since '1 h'"
    until = f" --until {experiment['completed_at']}" if experiment["completed_at"] else ""
    return f"recording show {lab['lab']} --since {experiment['started_at']}{until}"


def _logs(found: Found, instruments: set[str]) -> list[str]:
    from controller.settings import folder_of

    folder = folder_of(found.url) / "labs" / found.reader.definition(found.id)["lab"]["lab"]
    files = (folder / name / "driver.log" for name in sorted(instruments))
    return [str(file) for file in files if file.exists()]
