"""`/v1/tokens`, `/v1/keys`: who may speak."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path, Request
from pydantic import Field
from starlette.responses import Response

from controller.api.routes.route import Body, desk_of, done, needs, person_of, router, told
from controller.domain.access import Role
from controller.domain.base import Label
from controller.store.reading import iso
from controller.verbs.keys import list_keys
from controller.verbs.tokens import DAYS, MOST_DAYS, list_tokens, make_token, revoke_token

routes = router("access")


class New(Body):
    """A token to be made."""

    name: Label = Field(description="Whose it is.")
    role: Literal["look", "operate", "administer"] = "look"
    days: float = Field(DAYS, gt=0.0, le=MOST_DAYS, description="How long it is valid.")


@routes.get("/whoami", summary="Show who asks", **needs(Role.LOOK))
async def whoami(request: Request) -> Response:
    """The name and role of the token that asks, and when it expires."""
    person = person_of(request)
    return told(request, {"name": person.name, "role": person.role.value, "expires_at": iso(person.expires_at)})


@routes.get("/tokens", summary="List tokens", **needs(Role.ADMINISTER))
async def tokens(request: Request) -> Response:
    """`{"tokens": […]}`; whose, what they allow and until when, never the tokens themselves."""
    return told(request, {"tokens": await desk_of(request).look(lambda opened: list_tokens(opened[:1]))})


@routes.post("/tokens", summary="Make a token", **needs(Role.ADMINISTER, status=201))
async def new(request: Request, body: New) -> Response:
    """The answer shows the token, once."""
    desk, by = desk_of(request), person_of(request).by

    def make() -> Response:
        secret, made = make_token(desk.urls[0], body.name, Role(body.role), days=body.days, by=by)
        content = {"token": secret, "name": made.name, "role": made.role.value, "expires_at": iso(made.expires_at)}
        response = done(content, status=201)
        response.headers["Cache-Control"] = "no-store"
        return response

    return await desk.steer(make, timeout_s=10.0)


@routes.post("/tokens/{name}/revoke", summary="Revoke a token", **needs(Role.ADMINISTER))
async def revoke(request: Request, name: Annotated[str, Path(max_length=128, description="Name or id of a token.")]) -> Response:
    """It ceases at once."""
    desk = desk_of(request)
    token = await desk.steer(lambda: revoke_token(desk.urls[0], name), timeout_s=10.0)
    return done({"revoked": token.id, "name": token.name})


@routes.get("/keys", summary="List the public keys of drivers, persons and controller", **needs(Role.ADMINISTER))
async def keys(request: Request) -> Response:
    """`{"keys": […]}`; public keys only, no store holds others."""
    return told(request, {"keys": await desk_of(request).look(list_keys)})
