"""`/v1/tasks`: what people are asked to do, and their answers."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import Path, Query, Request
from pydantic import Field
from starlette.responses import Response

from controller.api.limits import MOST_ROWS
from controller.api.problems import RefusedError
from controller.api.routes.route import Body, Text, desk_of, done, needs, person_of, router, told
from controller.domain.access import Role
from controller.verbs import tasks

routes = router("tasks")

Task = Annotated[str, Path(description="Id of a task, or the end of it.", max_length=64)]
Value = bool | int | float | Annotated[str, Field(max_length=2000)] | None


class Measured(Body):
    """A value with its unit and its standard error."""

    value: float
    unit: Annotated[str, Field(max_length=64)] | None = None
    sem: float | None = Field(None, ge=0.0, description="Standard error, in the same unit.")


class Given(Body):
    """An answer: the values, or why it could not be done, or why it is not done."""

    values: dict[str, Value | Measured] | None = Field(
        None, description="Name -> number [the form's unit], truth value or text; also `3.2 ± 0.1 mL`. `{}` if nothing is asked."
    )  # fmt: skip
    failed: Text = Field("", description="Why it could not be done: the experiment fails.")
    skipped: Text = Field("", description="Why it is not done: the experiment is cancelled.")
    note: Text = Field("", description="Kept beside the values.")


@routes.get("/tasks", summary="List what waits for people", **needs(Role.LOOK))
async def list_tasks(
    request: Request, every: Annotated[bool, Query(alias="all", description="Also those that have ended.")] = False,
    campaign: Annotated[str | None, Query(max_length=200, description="Only of this campaign, by name or id.")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS, description="Rows in one answer.")] = 200,
) -> Response:  # fmt: skip
    """`{"tasks": […], "waiting": N}`: due first; with `all` newest first. `fields` of each is its form."""
    rows = await desk_of(request).look(partial(tasks.every, newest=MOST_ROWS) if every else tasks.waiting)
    wanted = [row for row in rows if campaign in (None, row["campaign"], row["campaign_id"])]
    waiting = sum(row["status"] == "waiting" for row in wanted)
    return told(request, {"tasks": wanted[:limit], "waiting": waiting})


@routes.get("/tasks/{task}", summary="Show a task", **needs(Role.LOOK))
async def show(request: Request, task: Task) -> Response:
    """What is to be done, what is to be answered, and what became of it."""
    desk = desk_of(request)
    return told(request, await desk.look(lambda opened: tasks.show([url for url, _ in opened], task)))


@routes.post("/tasks/{task}/answer", summary="Answer a task", **needs(Role.OPERATE))
async def answer(request: Request, task: Task, body: Given) -> Response:
    """Kept with the name of who answers; `taken` says whether its driver has it, `text` what became of it."""
    desk, by = desk_of(request), person_of(request).by
    values: dict[str, Any] | None = None
    if body.values is not None:
        values = {name: v.model_dump(exclude_none=True) if isinstance(v, Measured) else v for name, v in body.values.items()}

    def carry_out() -> dict[str, Any]:
        return tasks.answer(desk.urls, task, by=by, values=values, failed=body.failed, skipped=body.skipped, note=body.note)

    return done(await desk.steer(carry_out, timeout_s=10.0))


@routes.post("/tasks/{task}/files", summary="Send a file that a task asks for", **needs(Role.OPERATE))
async def attach(request: Request, task: Task) -> Response:
    """The body is the file, of any type. `{"value": "sha256:…"}` is what to give for it in the answer."""
    desk, content = desk_of(request), await request.body()
    if not content:
        raise RefusedError(422, "body: is empty; send the file")
    value = await desk.steer(lambda: tasks.attach_bytes(desk.urls, task, content), timeout_s=10.0)
    return done({"task": task, "value": value})
