"""`/v1/notifications`: what people were told, and whether messages arrive."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import Field
from starlette.responses import Response

from controller.api.limits import MOST_ROWS
from controller.api.routes.route import Body, desk_of, done, needs, router, told
from controller.domain.access import Role
from controller.domain.base import Label
from controller.verbs import notifications

routes = router("notifications")

TRIAL_S = 60.0
"""Patience with servers that are sent a test [real s]."""


class Trial(Body):
    """Who is sent a test."""

    targets: Annotated[list[Label], Field(max_length=100)] = Field([], description="By name; all when none is named.")


@routes.get("/notifications", summary="List what people were told", **needs(Role.LOOK))
async def list_told(
    request: Request,
    after: Annotated[
        str, Query(pattern=r"^(0|[0-9]{1,15}(,[0-9]{1,15})*)$", max_length=200, description="The `next` of the answer before.")
    ] = "0",
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS, description="Notifications of each store in one answer.")] = 200,
) -> Response:
    """`{"notifications": […], "next": …}`: each with its target and whether it arrived; `after=next` asks for what came since."""
    urls = desk_of(request).urls
    seen = [int(number) for number in after.split(",")]  # numbers count within each store
    seen = [*seen, *[0] * len(urls)][: len(urls)]

    def read(_: object) -> list[list[dict[str, Any]]]:
        return [notifications.list_told([url], after=n, limit=limit) for url, n in zip(urls, seen, strict=True)]

    by_store = await desk_of(request).look(read)
    reached = [rows[-1]["number"] if rows else n for rows, n in zip(by_store, seen, strict=True)]
    return told(request, {"notifications": [row for rows in by_store for row in rows], "next": ",".join(map(str, reached))})


@routes.post("/notifications/test", summary="Send a test message", **needs(Role.ADMINISTER))
async def try_targets(request: Request, body: Trial) -> Response:
    """To the targets of the file by which people are told; `arrived` says of each whether its server took it."""
    desk = desk_of(request)

    def carry_out() -> list[dict[str, Any]]:
        return notifications.try_targets(notifications.rules_in_use(desk.urls), body.targets)

    return done({"targets": await desk.steer(carry_out, timeout_s=TRIAL_S)})
