"""`/v1/stream`: what has changed, as it changes (server-sent events)."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import anyio
from fastapi import Header, Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from controller.api.limits import MOST_STREAMS, MOST_STREAMS_EACH
from controller.api.news import News
from controller.api.problems import RefusedError
from controller.api.routes.health import HANGS_S, beat_age_s
from controller.api.routes.route import desk_of, needs, person_of, router
from controller.domain.access import Role
from controller.store.reading import iso

routes = router("stream")
LEAVE_S = 2.0
"""When this process is to end, a stream has so long to end by itself [real s]."""

Cursor = Annotated[str | None, Header(max_length=64, description="The `id` of the last event heard: what was missed comes first.")]


@routes.get("/stream", summary="Follow what changes", **needs(Role.LOOK, media=("text/event-stream",)))
async def stream(request: Request, last_event_id: Cursor = None) -> Response:
    """Server-sent events: `news` names campaigns and topics to ask for again, `gone` ends it because the token has ended."""
    desk, person = desk_of(request), person_of(request)
    if sum(desk.streams.values()) >= MOST_STREAMS or desk.streams[person.token] >= MOST_STREAMS_EACH:
        raise RefusedError(429, "too many follow what changes at this moment; close other windows", {"Retry-After": "10"})
    header = request.headers.get("authorization")

    async def told() -> AsyncIterator[ServerSentEvent]:
        with _counted(desk.streams, person.token):
            async for news in desk.watch.follow(last_event_id):
                if desk.watch.leaving:
                    return
                try:
                    await desk.gate.admit(header)
                except RefusedError as error:
                    yield ServerSentEvent(json.dumps({"detail": str(error)}), event="gone")
                    return
                yield ServerSentEvent(json.dumps(_shown(news, hangs=beat_age_s(desk.beat) > HANGS_S)), event="news", id=news.cursor)

    return EventSourceResponse(told(), ping=0, shutdown_event=anyio.Event(), shutdown_grace_period=LEAVE_S)


@contextmanager
def _counted(streams: Counter[str], token: str) -> Iterator[None]:
    streams[token] += 1
    try:
        yield
    finally:
        streams[token] -= 1
        if not streams[token]:
            del streams[token]


def _shown(news: News, *, hangs: bool) -> dict[str, Any]:
    return {
        "at": iso(time.time()), "campaigns": news.campaigns, "topics": news.topics, "anew": news.anew, "hangs": hangs,
        **({"unread": news.unread} if news.unread else {}),
    }  # fmt: skip
