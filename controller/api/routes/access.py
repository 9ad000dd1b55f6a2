"""`/v1/tokens`, `/v1/keys`: who may speak."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from pydantic import Field
from starlette.responses import Response

from controller.api.problems import RefusedError
from controller.api.routes.route import PROBLEMS, Body, desk_of, done, needs, person_of, router, told
from controller.domain.access import Role
from controller.domain.base import Label
from controller.domain.token import AccessToken
from controller.errors import ConflictError, UnknownNameError
from controller.store.reading import iso
from controller.verbs.keys import list_keys
from controller.verbs.tokens import DAYS, MOST_DAYS, follow_link, list_tokens, make_token, revoke_token, sign_out

public = APIRouter(tags=["access"])
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


@routes.post("/sign-out", summary="Sign out", **needs(Role.LOOK))
async def leave(request: Request) -> Response:
    """`{"revoked"}`: a token that was given for a link ceases, in every window; any other stays, for it may be used elsewhere."""
    desk, person = desk_of(request), person_of(request)
    return done({"revoked": await desk.change_tokens(lambda: sign_out(desk.urls[0], person.token))})


@routes.get("/tokens", summary="List tokens", **needs(Role.ADMINISTER))
async def tokens(request: Request) -> Response:
    """`{"tokens": […]}`; whose, what they allow and until when, never the tokens themselves."""
    return told(request, {"tokens": await desk_of(request).look(lambda opened: list_tokens(opened[:1]))})


@routes.post("/tokens", summary="Make a token", **needs(Role.ADMINISTER, status=201))
async def new(request: Request, body: New) -> Response:
    """The answer shows the token, once."""
    desk, by = desk_of(request), person_of(request).by

    def make() -> Response:
        return _shown(*make_token(desk.urls[0], body.name, Role(body.role), days=body.days, by=by))

    return await desk.change_tokens(make)


class Link(Body):
    """What stands behind `#link=` in a link that `labwright tokens link` has made."""

    link: Annotated[str, Field(max_length=200)]


@public.post(
    "/tokens/from-link", summary="Follow a link", response_model=None, openapi_extra={"security": []}, status_code=201,
    responses={201: {"description": "Done."}, **{status: PROBLEMS[status] for status in (400, 401, 413, 421, 422, 429, 503)}},
)  # fmt: skip
async def follow(request: Request, body: Link) -> Response:
    """Needs no token: the answer shows one, in exchange for a link that nobody has followed yet."""
    desk = desk_of(request)

    def exchange() -> Response:
        try:
            return _shown(*follow_link(desk.urls[0], body.link))
        except (ConflictError, UnknownNameError) as error:
            raise RefusedError(401, f"{error}; labwright tokens link NAME makes another") from None

    return await desk.change_tokens(exchange)


def _shown(secret: str, made: AccessToken) -> Response:
    """Show a token, this once."""
    content = {"token": secret, "name": made.name, "role": made.role.value, "expires_at": iso(made.expires_at)}
    response = done(content, status=201)
    response.headers["Cache-Control"] = "no-store"
    return response


@routes.post("/tokens/{name}/revoke", summary="Revoke a token", **needs(Role.ADMINISTER))
async def revoke(request: Request, name: Annotated[str, Path(max_length=128, description="Name or id of a token.")]) -> Response:
    """It ceases at once."""
    desk = desk_of(request)
    token = await desk.change_tokens(lambda: revoke_token(desk.urls[0], name))
    return done({"revoked": token.id, "name": token.name})


@routes.get("/keys", summary="List the public keys of drivers, persons and controller", **needs(Role.ADMINISTER))
async def keys(request: Request) -> Response:
    """`{"keys": […]}`; public keys only, no store holds others."""
    return told(request, {"keys": await desk_of(request).look(list_keys)})
