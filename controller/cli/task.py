"""`labwright task`: what people are asked to do, and their answers."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from controller.cli.completing import task_ids
from controller.cli.options import Json, Store
from controller.cli.render import Column, clean, print_facts, print_json, print_rows, text_of
from controller.verbs.stores import readers, store_urls

app = typer.Typer()

Task = Annotated[
    str | None,
    typer.Argument(
        metavar="TASK", help="Id of a task, or its end; by default the only one that waits.", show_default=False,
        autocompletion=task_ids,
    ),
]
FAILED, SKIPPED = "failed", "skip"


@app.command("list")
def list_tasks(
    every: Annotated[bool, typer.Option("--all", help="Also those that have ended.")] = False,
    store: Store = None,
    json: Json = False,
) -> None:
    """List what waits to be done by people, due first."""
    from controller.verbs import tasks

    with readers(store_urls(store)) as opened:
        rows = tasks.every(opened) if every else tasks.waiting(opened)
    columns = [
        Column("short", "task"), Column("status"), Column("campaign"), Column("experiment"), Column("step"), Column("instrument"),
        Column("what", "to do"), Column("asked_at", "asked"), Column("due_at", "due"), Column("overdue", "late"),
        Column("by", "answered by"), Column("store"),
    ]  # fmt: skip
    empty = "No tasks yet: they appear when a step of a protocol is done by a person." if every else "Nothing waits for a person."
    print_rows(rows if json else [_flat(row) for row in rows], columns, as_json=json, title="Tasks", empty=empty)


@app.command()
def show(task: Task = None, store: Store = None, json: Json = False) -> None:
    """Show a task: what is to be done, what is to be answered, and what became of it."""
    from controller.verbs import tasks

    row = tasks.show(store_urls(store), _which(store, task))
    if json:
        print_json(row)
        return
    _print(row)


@app.command()
def answer(
    task: Task = None,
    values: Annotated[
        list[str] | None,
        typer.Option("--values", metavar="NAME=VALUE", help="A value with its unit, 'mass=3.2 ± 0.1 mg'; once for each."),
    ] = None,
    files: Annotated[
        list[str] | None, typer.Option("--file", metavar="NAME=PATH", help="A photo or another file that is asked for.")
    ] = None,
    failed: Annotated[str, typer.Option("--failed", metavar="WHY", help="It could not be done: the experiment fails.")] = "",
    skip: Annotated[str, typer.Option("--skip", metavar="WHY", help="It is not done: the experiment is cancelled.")] = "",
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Kept beside the values.")] = "",
    store: Store = None,
    json: Json = False,
) -> None:
    """Answer a task: with --values, or field by field in the terminal. Where nothing is to be filled in, --values done does it."""
    from controller.verbs import tasks
    from controller.verbs.requests import user

    urls, key = store_urls(store), _which(store, task)
    said, paths = _pairs(values or [], "--values"), {k: Path(v) for k, v in _pairs(files or [], "--file").items()}
    given: Mapping[str, Any] | None = said if values is not None else None
    if given is None and not (paths or failed or skip):
        given, paths, failed, skip, note = _ask_fields(tasks.show(urls, key), note)
    row = tasks.answer(urls, key, by=user(), values=given, files=paths, failed=failed, skipped=skip, note=note)
    if json:
        print_json(row)
    else:
        print(f"{row['task'][-tasks.SHORT :]}: {clean(row['text'])}")
    if row["status"] == "late" or (not row["taken"] and row["answer"] is None):
        raise typer.Exit(1)


def _which(store: str | None, task: str | None) -> str:
    """Return the id that was given, or that of the only task that waits."""
    from controller.errors import ConflictError
    from controller.verbs import tasks

    if task is not None:
        return task
    with readers(store_urls(store)) as opened:
        rows = tasks.waiting(opened)
    if len(rows) == 1:
        return str(rows[0]["task"])
    if not rows:
        raise ConflictError("nothing waits for a person; labwright task list --all shows what did")
    there = ", ".join(f"{row['task'][-tasks.SHORT :]} ({row['action']})" for row in rows[:5])
    raise ConflictError(f"{len(rows)} tasks wait; say which: {there}")


def _pairs(texts: list[str], option: str) -> dict[str, str]:
    from controller.errors import ConflictError

    found: dict[str, str] = {}
    for text in texts:
        if text.strip() == "done" and option == "--values":
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ConflictError(f"{option} {text!r} is not NAME=VALUE")
        if name.strip() in found:
            raise ConflictError(f"{option} gives {name.strip()!r} twice")
        found[name.strip()] = value.strip()
    return found


def _ask_fields(row: dict[str, Any], note: str) -> tuple[dict[str, Any] | None, dict[str, Path], str, str, str]:
    """Ask a person field by field, each until it can be taken; return values, files, why failed, why skipped, and a note."""
    from controller.errors import ConflictError
    from instruments.tasks.form import FormField, read_form

    if not _somebody_is_there():
        names = " ".join(f"--values '{name}=…'" for name in row["fields"]) or "--values done"
        raise ConflictError(f"here is nobody to ask; give the values: labwright task answer {row['task'][-6:]} {names}")
    _print(row)
    print(f"\nEach value with its unit, if it is another. {FAILED!r}: it could not be done. {SKIPPED!r}: it is not done.\n")
    values: dict[str, Any] = {}
    files: dict[str, Path] = {}
    plain = {name: {k: v for k, v in content.items() if k != "expected"} for name, content in row["fields"].items()}
    fields = {name: FormField.model_validate(content) for name, content in plain.items()}
    for name, field in fields.items():
        while True:
            said = input(f"{name}, {clean(field.expected())}{' (may be left out)' if field.optional else ''}: ").strip()
            if said.lower() == FAILED:
                return None, {}, _why("Why could it not be done? "), "", note
            if said.lower() == SKIPPED:
                return None, {}, "", _why("Why is it not done? "), note
            if field.type == "file":
                if said and not Path(said).is_file():
                    print(f"  there is no file {said!r}")
                    continue
                files |= {name: Path(said)} if said else {}
            else:
                _, faults = read_form({name: field}, {name: said})
                if faults:
                    print(f"  {clean(faults[0])}")
                    continue
                values[name] = said
            break
    if not fields:
        said = input(f"Done? Enter, {FAILED!r} or {SKIPPED!r}: ").strip().lower()
        if said in (FAILED, SKIPPED):
            why = _why("Why? ")
            return None, {}, why if said == FAILED else "", why if said == SKIPPED else "", note
    return values, files, "", "", note or input("Anything to note? ").strip()


def _somebody_is_there() -> bool:
    return sys.stdin.isatty()


def _why(question: str) -> str:
    while True:
        if said := input(question).strip():
            return said


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    from controller.verbs.tasks import SHORT

    given = row["answer"] or (row["late_answers"][0] if row["late_answers"] else None)
    return {
        **row, "short": row["task"][-SHORT:], "what": row["instructions"].partition("\n")[0][:60], "overdue": row["late"] or None,
        "by": given["by"] if given else None,
    }  # fmt: skip


def _print(row: dict[str, Any]) -> None:
    from controller.verbs.tasks import SHORT

    of = "" if row["experiment"] is None else f"experiment {row['experiment']} of {row['campaign']}, step {row['step']}"
    arguments = {name: f"{text_of(a['value'])}{' ' + a['unit'] if a['unit'] else ''}" for name, a in row["arguments"].items()}
    print_facts(
        {
            "status": row["status"], "for": of, "instrument": f"{row['instrument']} in {row['lab']}", "with": arguments,
            "asked": row["asked_at"], "due": f"{text_of(row['due_at'])}{', late' if row['late'] else ''}",
            "waited for until": row["ends_at"], "ended": row["ended_at"], "because": row["why"],
            "refused answers": row["refused_answers"] or None, "id": row["task"], "store": row["store"],
        },
        title=f"Task {row['task'][-SHORT:]}",
    )  # fmt: skip
    print(f"\n{clean(row['instructions'])}")
    if row["fields"]:
        rows = [
            {"value": name, "expected": f["expected"], "about": f["description"], "may be left out": f["optional"] or None}
            for name, f in row["fields"].items()
        ]
        columns = [Column("value"), Column("expected"), Column("may be left out"), Column("about")]
        print_rows(rows, columns, as_json=False, title="To answer")
    for given in [*([row["answer"]] if row["answer"] else []), *row["late_answers"]]:
        facts = {name: f"{text_of(v['value'])}{' ' + v['unit'] if v['unit'] else ''}" for name, v in given["values"].items()}
        late = given is not row["answer"] or row["status"] == "late"
        print_facts(
            {**facts, {"failed": "could not be done", "skipped": "is not done"}.get(given["kind"], "reason"): given["reason"],
             "note": given["note"], "by": given["by"], "at": given["at"]},
            title="\nAnswer that came too late" if late else "\nAnswer",
        )  # fmt: skip
