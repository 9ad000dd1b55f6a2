"""`/v1/campaigns/CAMPAIGN/ask`, `/tell`, `/plan`, `/import`: people carry a campaign out, and bring results in."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import Field
from starlette.responses import Response

from controller.api.problems import RefusedError
from controller.api.routes.route import (
    Body,
    Campaign,
    Text,
    Timeout,
    answered,
    desk_of,
    done,
    needs,
    person_of,
    router,
    tagged,
    told,
)
from controller.api.routes.tasks import Measured, Value
from controller.api.routes.written import named
from controller.domain.access import Role
from controller.errors import ConflictError, FileFaultsError
from controller.files.results import FORMS
from controller.verbs.importing import import_results, read_results
from controller.verbs.logs import read_definition
from controller.verbs.plan_files import MEDIA_TYPES, write_plan
from controller.verbs.plans import open_plan
from controller.verbs.stores import Found, find

routes = router("by hand")

MOST_ASKED, MOST_TOLD = 100, 1000
"""Experiments that one request asks for, and tells: of more, a request would keep others waiting too long."""
_LONGEST_NAME = 255  # bytes, on nearly every file system
_COLUMN = re.compile(r"([^=]{1,64})=(.{1,200})")


class PlanForm(StrEnum):
    """How a plan is written."""

    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"
    HTML = "html"


class Ask(Body):
    """How many experiments are wanted."""

    n: int = Field(1, ge=1, le=MOST_ASKED, description="How many.")


class Result(Body):
    """What came of one experiment."""

    experiment: int = Field(ge=1, le=2**31 - 1, description="Its number.")
    values: dict[str, Value | Measured] | None = Field(
        None, description="Objective, and what the lab asks for besides -> number [its unit], or a text: `3.2 ± 0.1 mL`."
    )
    failed: Text = Field("", description="Why it failed; it has no values then.")
    notes: Text = Field("", description="Kept beside the result.")


class Tell(Body):
    """What people have measured."""

    results: list[Result] = Field(min_length=1, max_length=MOST_TOLD)


@routes.post("/campaigns/{campaign}/ask", summary="Ask for experiments to be carried out by hand", **needs(Role.OPERATE))
async def ask(request: Request, campaign: Campaign, body: Ask) -> Response:
    """They are booked and count as under way until they are told; the campaign is paused meanwhile. 423: a controller holds it."""
    return done(await desk_of(request).compute(campaign, "asked", n=body.n))


@routes.get(
    "/campaigns/{campaign}/plan", summary="Take the plan of what was asked for and is not told yet",
    **needs(Role.LOOK, media=("application/json", *MEDIA_TYPES.values())),
)  # fmt: skip
async def plan(request: Request, campaign: Campaign, format: PlanForm = PlanForm.JSON) -> Response:
    """To be filled in (csv, xlsx), printed (html), or shown. Changes nothing."""

    def read(found: Found) -> tuple[bytes, dict[str, Any]]:
        opened = open_plan(found)
        if format is PlanForm.JSON:
            return b"", opened.told()
        with tempfile.TemporaryDirectory(prefix="labwright-") as folder:
            path = Path(folder) / f"plan.{format}"
            write_plan(path, opened)
            return path.read_bytes(), {"name": found.name}

    content, said = await desk_of(request).look_at(campaign, read)
    if format is PlanForm.JSON:
        return told(request, said)
    response = tagged(request, content, MEDIA_TYPES[f".{format}"])
    response.headers["Content-Disposition"] = f'attachment; filename="plan-of-{said["name"]}.{format}"'
    return response


@routes.post("/campaigns/{campaign}/tell", summary="Tell what was measured by hand", **needs(Role.OPERATE))
async def tell(request: Request, campaign: Campaign, body: Tell) -> Response:
    """All of it or, where something cannot be, nothing. The same told again changes nothing; a value that differs is refused."""
    results = [row.model_dump(exclude_none=True) for row in body.results]
    by = person_of(request).by
    return done(await desk_of(request).compute(campaign, "told_results", results=results, by=by))


@routes.post("/campaigns/{campaign}/plan", summary="Send a plan back as it was filled in", **needs(Role.OPERATE))
async def send_plan(
    request: Request, campaign: Campaign,
    name: Annotated[str, Query(pattern=r"^[^/\\\x00-\x1f]{1,200}\.(csv|xlsx|CSV|XLSX)$", description="Of the file.")],
) -> Response:  # fmt: skip
    """The body is the file. As `tell`: every cell is checked first, and nothing is taken where one is wrong."""
    content, by, desk = await request.body(), person_of(request).by, desk_of(request)
    with _sent(name, content) as path:
        return done(await desk.compute(campaign, "told_file", path=str(path), by=by))


@routes.post("/campaigns/{campaign}/import", summary="Bring earlier results in", **needs(Role.OPERATE, also=202))
async def import_file(
    request: Request, campaign: Campaign,
    name: Annotated[str, Query(pattern=r"^[^/\\\x00-\x1f]{1,200}\.[A-Za-z]{2,8}$", description="Of the file: CSV, Parquet, XLSX.")],
    check: Annotated[bool, Query(description="Only say what would be imported.")] = False,
    column: Annotated[
        list[str] | None, Query(max_length=200, description="`NAME=HEADING`: the heading of a parameter or objective.")
    ] = None,
    form: Annotated[str | None, Query(alias="from", pattern=f"^({'|'.join(FORMS)})$", description="Who wrote it.")] = None,
    sheet: Annotated[str | None, Query(max_length=200, description="Of a spreadsheet.")] = None,
    convert: Annotated[bool, Query(description="Convert units that differ from the campaign's.")] = False,
    leave_out: Annotated[bool, Query(description="Leave rows out that the campaign does not allow.")] = False,
    timeout_s: Timeout = 30.0,
) -> Response:  # fmt: skip
    """The body is the file. Its results become experiments that cost no budget: all of them, or none; every fault is told."""
    content, by, desk = await request.body(), person_of(request).by, desk_of(request)
    headings: dict[str, str] = {}
    for text in column or []:
        if (match := _COLUMN.fullmatch(text)) is None:
            raise RefusedError(422, f"query.column: {text[:100]!r} is no NAME=HEADING; send for example column=yield=Y_obs")
        headings[match[1]] = match[2]

    def bring_in() -> Response:
        with _sent(name, content) as path, find(desk.urls, campaign) as found:
            results = read_results(
                path, read_definition(found), form=form, sheet=sheet, named=headings, converting=convert, leaving_out=leave_out
            )
            if check:
                return done({**results.told(), "checked_only": True})
            answer = import_results(found, results, by=by, timeout_s=timeout_s)
            return answered(found, answer, **results.told())

    return await desk.book(campaign, bring_in, timeout_s=timeout_s)


@contextmanager
def _sent(name: str, content: bytes) -> Iterator[Path]:
    """Keep a file that was sent while it is read; messages name it without our folder.

    Raises:
        RefusedError: If it is empty, or its name is longer than a file's may be.
    """
    if not content:
        raise RefusedError(422, "body: is empty; send the file")
    if len(name.encode()) > _LONGEST_NAME:
        raise RefusedError(422, f"query.name: is longer than {_LONGEST_NAME} bytes; give the file a shorter name")
    with tempfile.TemporaryDirectory(prefix="labwright-") as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            yield path
        except FileFaultsError as error:
            raise FileFaultsError(named(error.faults, folder)) from None
        except ConflictError as error:
            raise ConflictError(str(error).replace(f"{folder}/", "")) from None
