"""Puts the API together: routes behind the guard, and one way to tell what cannot be done."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from controller.api.desk import Desk
from controller.api.guard import App, Guard
from controller.api.problems import SCHEMA, RefusedError, problem, problem_of
from controller.api.routes import (
    access,
    by_hand,
    campaigns,
    experiments,
    exporting,
    figures,
    health,
    instruments,
    notifications,
    page,
    stream,
    tasks,
    written,
)
from controller.errors import LabwrightError
from instruments.errors import InstrumentError

ABOUT = """Looks at campaigns and steers them, with the verbs of the command line.

Every request but `/v1/health` and this description needs a token, `Authorization: Bearer TOKEN`; `x-role` says which role a
route asks for. What cannot be done is told as `application/problem+json`. Lists have an ETag, long ones a cursor.
"""


def make_app(desk: Desk, names: frozenset[str], version: str) -> App:
    """Return the application.

    Args:
        desk: What it works with.
        names: By which clients may call this machine.
        version: Of this program.
    """
    api = make_api(version)
    api.state.desk = desk
    return Guard(api, desk.gate, names)


def make_api(version: str) -> FastAPI:
    """Return the routes alone, with their description (`openapi()`), without anything to work with and unguarded."""
    api = FastAPI(
        title="Labwright", version=version, description=ABOUT, openapi_url="/v1/openapi.json", docs_url=None, redoc_url=None,
        redirect_slashes=False,
    )  # fmt: skip
    rooms = (
        health, stream, access, instruments, experiments, campaigns, exporting, by_hand, figures, notifications, tasks, written,
    )  # fmt: skip
    for router in (health.public, access.public, *(room.routes for room in rooms)):
        api.include_router(router, prefix="/v1")
    api.include_router(page.routes)
    for kind in (LabwrightError, InstrumentError, RefusedError, Exception):
        api.add_exception_handler(kind, _tell)
    api.add_exception_handler(RequestValidationError, _tell_faults)
    api.add_exception_handler(HTTPException, _tell_plain)
    _describe(api)
    return api


async def _tell(request: Request, error: Exception) -> Response:
    del request
    return problem_of(error)


async def _tell_faults(request: Request, error: Exception) -> Response:
    """Tell what of a request cannot be, one line for each fault: place, value, what was expected."""
    del request
    assert isinstance(error, RequestValidationError)  # noqa: S101 - it is registered for nothing else
    faults = []
    for fault in error.errors():
        if fault["type"] == "json_invalid":
            faults.append(f"body: is no JSON ({fault['ctx']['error']}, at character {fault['loc'][-1]}); send a JSON object")
            continue
        place = ".".join(str(part) for part in fault["loc"])
        value = repr(fault.get("input"))
        faults.append(f"{place}: {value[:100]}{'…' * (len(value) > 100)}: {fault['msg']}")
    return problem(422, "\n".join(faults), error="ValidationError", faults=faults)


async def _tell_plain(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for nothing else
    detail = str(error.detail)
    if error.status_code == 404:
        detail = f"there is no {request.url.path[:100]!r}; /v1/openapi.json describes what there is"
    if error.status_code == 405:
        detail = f"{request.method} cannot be done to {request.url.path[:100]!r}"
    return problem(error.status_code, detail, headers=error.headers)


def _describe(api: FastAPI) -> None:
    """Add to the description what FastAPI does not know: how one says who one is, and what a problem looks like."""
    describe = api.openapi

    def described() -> dict[str, Any]:
        if api.openapi_schema is None:
            schema = describe()
            components = schema.setdefault("components", {})
            components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            components.setdefault("schemas", {})["Problem"] = SCHEMA
            api.openapi_schema = schema
        return api.openapi_schema

    api.openapi = described  # type: ignore[method-assign]
