"""`labwright recording`: what the wire and the campaigns of a lab did in the last hours, and whether it replays."""

from __future__ import annotations

import json as json_text
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from controller.cli.options import Json, Store
from controller.cli.render import Column, clean, print_json, print_rows
from controller.errors import ConflictError, UnknownNameError
from controller.verbs.stores import show_url, store_urls

app = typer.Typer()

_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_QUIET = frozenset({"heartbeat", "ping", "progress"})
"""Messages that are left out of the picture unless they are asked for."""
_WIDE = 100
"""Characters of a message's summary."""

Lab = Annotated[
    str | None, typer.Argument(metavar="LAB", help="A lab; needed where several have recordings.", show_default=False)
]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="'10 min' ago, or 2026-01-31T12:00:00Z.", show_default=False),
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="The same, for the end.", show_default=False)]
File = Annotated[
    Path | None,
    typer.Option("--file", metavar="FILE", help="What `show --output` wrote, instead of a lab's.", show_default=False),
]


@dataclass(frozen=True)
class _Found:
    """A lab with a recording."""

    lab: str
    url: str
    folder: Path


@app.command("list")
def list_recordings(store: Store = None, json: Json = False) -> None:
    """List the labs that have a recording, and how far back it goes."""
    rows = [_row(found) for found in _recordings(store)]
    columns = [Column(k) for k in ("lab", "first", "last", "megabytes", "folder")]
    print_rows(
        rows, columns, as_json=json, title="Flight recordings",
        empty="No recordings yet: they begin with a lab's first campaign.",
    )  # fmt: skip


@app.command("show")
def show_recording(
    lab: Lab = None,
    since: Since = None,
    until: Until = None,
    instrument: Annotated[str | None, typer.Option(help="Only of this one.", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="With signs of life and progress.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write the window into a file.", show_default=False)
    ] = None,
    file: File = None,
    store: Store = None,
    json: Json = False,
) -> None:
    """Show every message and decision of a window, the last 10 minutes by default.

    --json prints one object a line, --output writes the same into a file: `recording replay --file` takes it.
    """
    wanted = (
        line
        for line in _lines(lab, file, store, since or (None if file else "10 min"), until)
        if instrument is None or line.get("instrument", instrument) == instrument
    )
    if output is not None:
        print(f"{_write(output, wanted)} lines written to {output}")
        return
    empty = True
    for line in wanted:
        empty = False
        if json:
            print_json(line, one_line=True)
        elif text := _picture(line, every):
            print(clean(text))
    if empty and not json:
        print("Nothing was recorded in that time; labwright recording list tells what there is.")


@app.command("replay")
def replay_recording(
    lab: Lab = None,
    since: Since = None,
    until: Until = None,
    file: File = None,
    store: Store = None,
    json: Json = False,
) -> None:
    """Give what was recorded to the same code again and show the first step that goes otherwise; exit code 1 if one does."""
    from instruments.protocol.replay import replay

    result = replay(_lines(lab, file, store, since, until))
    difference = result.difference
    if json:
        shown = None if difference is None else {**vars(difference)}
        print_json({"steps": result.steps, "chapters": result.chapters, "same": difference is None, "difference": shown})
    elif difference is None:
        print(f"{result.steps} steps in {result.chapters} chapters went as they were recorded")
    else:
        print(f"step {difference.number} goes otherwise than it was recorded:")
        print(clean(_picture(difference.record, True)))
        for name, answers in (("recorded", difference.record["out"]), ("replayed", difference.replayed)):
            print(f"  {name}: {json_text.dumps(answers, ensure_ascii=False)}")
    if difference is not None:
        raise typer.Exit(1)


def _recordings(store: str | None) -> list[_Found]:
    from controller.engine.recorder import FOLDER
    from controller.settings import folder_of

    found = []
    for url in store_urls(store):
        for folder in sorted(folder_of(url).glob(f"labs/*/{FOLDER}")):
            found.append(_Found(folder.parent.name, url, folder))
    return found


def _row(found: _Found) -> dict[str, Any]:
    from controller.engine.ring import extent
    from controller.store.reading import iso

    held = extent(found.folder)
    return {
        "lab": found.lab, "first": iso(held.first), "last": iso(held.last), "megabytes": round(held.n_bytes / 1e6, 3),
        "folder": str(found.folder), "store": show_url(found.url),
    }  # fmt: skip


def _lines(lab: str | None, file: Path | None, store: str | None, since: str | None, until: str | None) -> Iterator[dict[str, Any]]:
    from controller.engine.recorder import read_flight, window

    begin = _moment(since) if since else 0.0
    end = _moment(until) if until else float("inf")
    if file is not None:
        return window(_read(file), begin, end)
    return read_flight(_chosen(lab, store).folder, since=begin, until=end)


def _write(file: Path, lines: Iterable[dict[str, Any]]) -> int:
    """Write a window and return how many lines it has."""
    n = 0
    try:
        with file.open("w", encoding="utf-8") as out:
            for line in lines:
                out.write(json_text.dumps(line, ensure_ascii=False) + "\n")
                n += 1
    except OSError as error:
        raise ConflictError(f"{file}: cannot be written ({error.strerror})") from None
    return n


def _read(file: Path) -> Iterator[dict[str, Any]]:
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                record = json_text.loads(line)
                if not isinstance(record, dict) or not {"what", "at"} <= record.keys() or not isinstance(record["at"], int | float):
                    raise ConflictError(f"{file}:{number}: not a line of a recording; labwright recording show --json writes them")
                yield record
    except OSError as error:
        raise ConflictError(f"{file}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise ConflictError(f"{file}: not a recording ({error}); labwright recording show --json writes them") from None


def _chosen(lab: str | None, store: str | None) -> _Found:
    found = _recordings(store)
    hits = [f for f in found if lab in (None, f.lab)]
    if len(hits) == 1:
        return hits[0]
    names = ", ".join(sorted({f.lab for f in found})) or "none yet"
    if not hits:
        raise UnknownNameError(f"no recording of {f'lab {lab!r}' if lab else 'any lab'}; there are: {names}")
    if lab is None:
        raise ConflictError(f"several labs have recordings, say which one: {names}")
    raise ConflictError(f"lab {lab!r} is in {' and '.join(show_url(f.url) for f in hits)}; say which with --store")


def _moment(text: str) -> float:
    """Return a moment [s since the Unix epoch] from how long ago it was, or from a date with time."""
    from datetime import UTC, datetime

    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|min|h|d)\s*", text)
    if match is not None:
        return time.time() - float(match[1]) * _SECONDS[match[2]]
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ConflictError(f"{text!r} is no time; write how long ago, as in '10 min', '2 h', or 2026-01-31T12:00:00Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _picture(line: Mapping[str, Any], every: bool) -> str:
    """Return a line as people read it: when, whose, what was taken, what was answered; empty if it is left out."""
    try:
        return _pictured(line, every)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, OSError) as error:
        raise ConflictError(f"not a line of a recording ({error!r}), it was changed: {json_text.dumps(line)[:_WIDE]}") from None


def _pictured(line: Mapping[str, Any], every: bool) -> str:
    from controller.store.reading import iso

    if line.get("before") and not every:
        return ""
    head, what = iso(line["at"]), line["what"]
    if what == "chapter":
        lost = f"; {line['dropped']} steps were lost until now" if line.get("dropped") else ""
        return f"{head}  ----  chapter of {', '.join(line['instruments']) or 'no instruments'}{lost}"
    if what == "decided":
        return f"{head}  {line['campaign']}  decided {line['event']} {_said(line['given'])}"
    given = line["given"]
    taken = f"<- {given['type']} {_said(given)}" if what == "heard" else f"{what} {_said(given or {})}"
    in_full = what in ("heard", "tick")  # a request's message says what the request said
    answers = [_answer(out, in_full=in_full) for out in line["out"] if every or out.get("send", {}).get("type") not in _QUIET]
    if not every and (not answers if what == "tick" else what == "heard" and given["type"] in _QUIET and not answers):
        return ""
    return f"{head}  {line['instrument']}  {taken.strip()}" + "".join(f"  {answer}" for answer in answers)


def _answer(out: dict[str, Any], *, in_full: bool) -> str:
    if "send" in out:
        return f"-> {out['send']['type']}" + (f" {_said(out['send'])}".rstrip() if in_full else "")
    return f"=> {out['emit']}"


def _said(content: dict[str, Any]) -> str:
    """Return the short fields of a message."""
    skipped = {"type", "capabilities", "campaign", "at", "kind"} | ({"experiment"} if "attempt" in content else set())
    parts = []
    for name, value in content.items():
        if name in skipped or value in (None, "", [], {}):
            continue
        if isinstance(value, dict):
            value = value.get("kind") or json_text.dumps(value, ensure_ascii=False)
        parts.append(f"{name}={value}")
    text = " ".join(parts)
    return text if len(text) <= _WIDE else text[: _WIDE - 1] + "…"
