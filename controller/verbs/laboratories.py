"""Finds the instruments of labs by what lies in their folders, and stops, resumes and switches them.

A stop must work when the store does not, so it goes by folders alone: where a driver serves there is its socket. The store is asked
only for drivers without one, which are on another machine, and then by way of the controller.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from controller.errors import ConflictError, LabwrightError, UnknownNameError
from controller.presence import published
from controller.settings import folder_of
from controller.verbs.stores import readers, show_url
from instruments.emergency import SOCKET, Confirmation, Mode, resume, stop

_JOURNAL = "journal.db"
_STORE_S = 3.0
"""Patience with a store, beyond that with the drivers that a controller is asked for through it [real s]."""
_ANSWER_S = 10.0
"""Patience with a controller that is to take note of a switch [s]."""


@dataclass(frozen=True)
class Place:
    """An instrument and where its driver keeps its files; `local` says that the driver runs, or ran, on this machine."""

    url: str
    lab: str
    instrument: str
    local: bool
    controlled: bool
    """Whether a controller is at work in its lab."""

    @property
    def folder(self) -> Path:
        """Return the instrument's folder."""
        return folder_of(self.url) / "labs" / self.lab / self.instrument


def status_of(url: str, lab: str) -> dict[str, Any]:
    """Return what the controller at work in a lab published last, empty when none is."""
    return published(folder_of(url) / "labs" / lab)


def chosen(
    urls: Sequence[str], names: Sequence[str], *, every: bool, lab: str | None, one_each: bool = False
) -> list[Place]:
    """Return the instruments that a command means.

    Args:
        urls: The stores in whose labs they may be.
        names: Of instruments.
        every: All that are at work instead.
        lab: Only of this lab.
        one_each: Refuse a name that several labs have; otherwise all of them are meant.

    Raises:
        UnknownNameError: If no lab has an instrument of a name.
        ConflictError: If nothing or too much is said, or a name means several.
    """
    if bool(names) == every:
        raise ConflictError("say which instruments, by name or with --all (one of the two)")
    places = [p for url in urls for p in _places(url) if lab in (None, p.lab)]
    if every:
        return [p for p in places if p.controlled or (p.folder / SOCKET).exists()]
    found: list[Place] = []
    for name in dict.fromkeys(names):
        hits = [p for p in places if p.instrument == name]
        if not hits:
            known = sorted({p.instrument for p in places})
            close = get_close_matches(name, known, n=3) or known[:5]
            hint = f"did you mean {' or '.join(close)}?" if close else "no driver has been at work here yet"
            raise UnknownNameError(f"no instrument {name!r}{f' in lab {lab}' if lab else ''}; {hint}")
        if one_each and len(hits) > 1:
            labs = " and ".join(f"{p.lab} ({show_url(p.url)})" for p in hits)
            raise ConflictError(f"instrument {name!r} is in {labs}; say which with --lab or --store")
        found += hits
    return found


def _places(url: str) -> list[Place]:
    found = []
    labs = folder_of(url) / "labs"
    for folder in sorted(labs.iterdir()) if labs.is_dir() else ():
        published = {str(i["instrument"]) for i in status_of(url, folder.name).get("instruments", ())}
        local = {f.name for f in folder.iterdir() if (f / _JOURNAL).exists() or (f / SOCKET).exists()} if folder.is_dir() else set()
        found += [Place(url, folder.name, n, n in local, bool(published)) for n in sorted(published | local)]
    return found


def stop_all(places: Sequence[Place], *, mode: Mode, timeout_s: float, by: str) -> list[dict[str, Any]]:
    """Stop instruments, all at once, each by the shortest way there is; return a row for each."""
    rows = _order(
        places, "instrument.stop", {"mode": mode}, timeout_s, by, lambda folders: stop(folders, mode=mode, timeout_s=timeout_s)
    )
    for place, row in zip(places, rows, strict=True):
        if not row["confirmed"] and place.local:
            row["message"] += _note_hold(place)
    return rows


def resume_all(places: Sequence[Place], *, timeout_s: float, by: str) -> list[dict[str, Any]]:
    """Lift the stops of instruments; return a row for each."""
    return _order(places, "instrument.resume", {}, timeout_s, by, lambda folders: resume(folders, timeout_s=timeout_s))


def _order(
    places: Sequence[Place], verb: str, argument: dict[str, Any], timeout_s: float, by: str,
    direct: Callable[[Iterable[Path]], Coroutine[Any, Any, list[Confirmation]]],
) -> list[dict[str, Any]]:  # fmt: skip
    """Reach local drivers over their sockets and the others through their controllers, at the same time.

    A local one without a socket, because there cannot be one in its folder, is asked on both ways.
    """
    near = [place for place in places if place.local]
    far: dict[tuple[str, str], list[Place]] = {}
    for place in places:
        if not place.local or (place.controlled and not (place.folder / SOCKET).exists()):
            far.setdefault((place.url, place.lab), []).append(place)
    began, told = time.monotonic(), dict[Place, Confirmation]()

    def ask_controller(group: list[Place]) -> None:
        told.update(zip(group, _through_controller(group, verb, argument, timeout_s, by), strict=True))

    # Of no thread that the interpreter would wait for at its end: a store that somebody holds lets go of nobody.
    asking = [threading.Thread(target=ask_controller, args=(group,), daemon=True) for group in far.values()]
    for thread in asking:
        thread.start()
    answers: dict[Place, Confirmation] = {}
    if near:
        answers |= zip(near, asyncio.run(direct([place.folder for place in near])), strict=True)
    for thread in asking:
        thread.join(max(0.0, began + timeout_s + _STORE_S - time.monotonic()))
    for place in (place for group in far.values() for place in group):
        answer = told.get(place)
        if answer is None:
            took = time.monotonic() - began
            answer = Confirmation(place.instrument, False, took, message="the store does not let the controller be asked")
        if answer.confirmed or place not in answers:
            answers[place] = answer
    return [{**asdict(answers[p]), "stuck": list(answers[p].stuck), "lab": p.lab} for p in places]


def _through_controller(
    places: Sequence[Place], verb: str, argument: dict[str, Any], timeout_s: float, by: str
) -> list[Confirmation]:
    from controller.store.opening import Store
    from controller.verbs.requests import ask

    names = [place.instrument for place in places]
    question = {"lab": places[0].lab, "instruments": names, "timeout_s": timeout_s, **argument}
    began = time.monotonic()
    try:
        with Store.open(places[0].url) as store:
            answer = ask(store, verb, None, question, by=by, timeout_s=timeout_s + 1.0)
        found = {} if answer.waiting else {a["instrument"]: Confirmation(**a) for a in json.loads(answer.text)}
        missing = answer.text if answer.waiting else "the controller knows no such instrument"
    except (LabwrightError, ValueError) as error:
        found, missing = {}, f"the controller cannot be asked: {error}"
    took = time.monotonic() - began
    return [found.get(name) or Confirmation(name, False, took, message=missing) for name in names]


def _note_hold(place: Place) -> str:
    """Make sure that a driver which is not there now comes up stopped; return what to tell of it."""
    path = place.folder / _JOURNAL
    if not path.exists():
        return ""
    from instruments.errors import JournalError
    from instruments.sdk.journal import Journal

    try:
        journal = Journal(path, instrument=place.instrument)
    except JournalError:
        return "; go and look"
    try:
        journal.hold(uuid.uuid4().hex)
    except JournalError:
        return "; go and look"
    finally:
        journal.close()
    return "; its device was not told, go and look. Its driver will come up stopped"


def switch(urls: Sequence[str], name: str, lab: str | None, *, enabled: bool, reason: str, by: str) -> tuple[str, str]:
    """Enable or disable an instrument and have the controller at work, if there is one, take note.

    Returns:
        The lab, and what became of it.

    Raises:
        UnknownNameError: If no campaign uses such an instrument.
        ConflictError: If several labs have one of that name.
    """
    from controller.store.opening import Store
    from controller.store.switches import Switch
    from controller.verbs.requests import ask

    url, lab = _find(urls, name, lab)
    with Store.open(url) as opened:
        opened.switch_now(Switch(lab, name, enabled, reason, by, time.time()))
        if not status_of(url, lab):
            return lab, "no controller is at work in that lab; the next one honours it"
        answer = ask(opened, "instrument.switched", None, {"lab": lab}, by=by, timeout_s=_ANSWER_S)
    if answer.waiting:
        return lab, f"written down, but {answer.text}"
    return lab, "the controller honours it from now on"


def _find(urls: Sequence[str], name: str, lab: str | None) -> tuple[str, str]:
    with readers(urls) as opened:
        known = {
            (url, entry["lab"], instrument)
            for url, reader in opened
            for campaign in reader.campaigns()
            for entry in [reader.definition(campaign["id"])["lab"]]
            for instrument in entry["instruments"]
        }
    hits = sorted({(url, where) for url, where, instrument in known if instrument == name and lab in (None, where)})
    if not hits:
        names = sorted({instrument for _, where, instrument in known if lab in (None, where)})
        close = get_close_matches(name, names, n=3) or names[:5]
        hint = f"did you mean {' or '.join(close)}?" if close else "instruments appear with the first campaign"
        raise UnknownNameError(f"no instrument {name!r}{f' in lab {lab}' if lab else ''}; {hint}")
    if len(hits) > 1:
        places = " and ".join(f"{where} ({show_url(url)})" for url, where in hits)
        raise ConflictError(f"instrument {name!r} is in {places}; say which with --lab or --store")
    return hits[0]
