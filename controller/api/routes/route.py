"""What all routes share: the role that each asks for, and how answers look."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Annotated, Any

from fastapi import Path, Query, Request
from fastapi.routing import APIRoute, APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from controller.api.desk import Desk, as_json
from controller.api.gate import Person
from controller.api.problems import MEDIA_TYPE, RefusedError
from controller.domain.access import Role
from controller.store.reading import Reader
from controller.verbs.requests import Answer
from controller.verbs.stores import Found

ROLE = "x-role"
"""Under this name the description of a route says which role it asks for."""
_PROBLEMS = {
    400: "It cannot be read.",
    401: "No valid token.",
    403: "The role does not allow it.",
    404: "There is no such thing.",
    409: "It contradicts what the store holds, or cannot be done now.",
    413: "Too long.",
    421: "The host is not a name of this machine.",
    422: "It says something that cannot be.",
    423: "Another controller holds it.",
    429: "Too many requests.",
    500: "It could not be carried out.",
    502: "An instrument has not done what was asked.",
    503: "The store cannot be read, or too much is asked at once.",
}
_PROBLEM_CONTENT = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "content": _PROBLEM_CONTENT} for status, text in _PROBLEMS.items()
}
"""How every route may refuse."""

Campaign = Annotated[str, Path(description="Name or id of a campaign.", max_length=200)]
Number = Annotated[str, Path(description="Number or id of an experiment.", max_length=100)]
Timeout = Annotated[float, Query(alias="timeout_s", ge=0.0, le=60.0, description="Patience with the controller [s].")]


class Body(BaseModel):
    """What a request says; strict, for `true` is no number and `"1"` neither."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


Opened = Sequence[tuple[str, Reader]]
"""Stores: URL and reader of each."""
Text = Annotated[str, Field(max_length=2000)]


class GuardedRoute(APIRoute):
    """Asks for a role before anything of a request is read, and takes no parameter that it does not know.

    One that names no role cannot be made.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.role = Role(str((self.openapi_extra or {})[ROLE]))

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what handles a request."""
        handle = super().get_route_handler()
        known = {field.alias for field in self.dependant.query_params}

        async def guarded(request: Request) -> Response:
            person: Person = request.state.person
            if not person.role.includes(self.role):
                wanted = f"this needs the role {self.role}: labwright tokens new NAME --role {self.role}"
                raise RefusedError(403, f"{person.name} may {person.role}; {wanted}")
            if unknown := sorted(set(request.query_params) - known):
                told = ", ".join(sorted(known)) or "none"
                raise RefusedError(422, f"query.{unknown[0][:100]}: there is no such parameter; what may be given: {told}")
            return await handle(request)

        return guarded


def router(tag: str) -> APIRouter:
    """Return a router for a noun."""
    return APIRouter(tags=[tag], route_class=GuardedRoute, responses=PROBLEMS)


def needs(
    role: Role, *, media: tuple[str, ...] = ("application/json",), status: int = 200, also: int | None = None
) -> dict[str, Any]:
    """Return the options of a route: the role it asks for and what it answers with.

    Args:
        role: The role.
        media: Media types of its answer.
        status: Of its answer.
        also: Another status that it may answer with instead.
    """
    schema: dict[str, Any] = {"schema": {"type": "object"}}
    content = {name: schema if name == "application/json" else {"schema": {"type": "string"}} for name in media}
    told = {"description": "Done." if role is not Role.LOOK else "What there is.", "content": content}
    responses: dict[int | str, dict[str, Any]] = {status: told}
    if also is not None:
        responses[also] = {"description": "Noted; the controller has not answered yet.", "content": content}
    if role is Role.LOOK:
        responses[304] = {"description": "Nothing has changed since the answer with the ETag given as If-None-Match."}
    return {
        "openapi_extra": {ROLE: role.value, "security": [{"token": []}]}, "responses": responses, "status_code": status,
        "response_model": None,
    }  # fmt: skip


def desk_of(request: Request) -> Desk:
    """Return what this process works with."""
    desk: Desk = request.app.state.desk
    return desk


def person_of(request: Request) -> Person:
    """Return who asks."""
    person: Person = request.state.person
    return person


def told(request: Request, content: object) -> Response:
    """Return what was looked at, with an ETag; 304 if the client has it already."""
    body = as_json(content)
    return tagged(request, body, "application/json")


def tagged(request: Request, body: bytes, media_type: str) -> Response:
    """Return a body with its ETag; 304 if the client has it already."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    known = known_tags(request)
    if tag in known or "*" in known:
        return Response(status_code=304, headers={"ETag": tag})
    return Response(body, media_type=media_type, headers={"ETag": tag})


def known_tags(request: Request) -> set[str]:
    """Return the ETags of what the client has already."""
    return {part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")}


def done(content: Mapping[str, Any], *, status: int = 200) -> Response:
    """Return what became of something."""
    body = as_json(content)
    return Response(body, status, media_type="application/json")


def answered(found: Found, answer: Answer, **more: Any) -> Response:
    """Return the controller's answer; with status 202 while there is none."""
    return done({**answer.told(found.name, found.url), **more}, status=202 if answer.waiting else 200)
