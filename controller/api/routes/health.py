"""`/v1/health`, `/v1/metrics`: for programs that watch."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from controller.api.metrics import CONTENT_TYPE, metrics_text, told_text
from controller.api.problems import problem
from controller.api.routes.route import PROBLEMS, desk_of, done, needs, router
from controller.api.standing import CAMPAIGNS, INSTRUMENTS
from controller.domain.access import Role

HANGS_S = 15.0
"""A daemon whose event loop has not turned for so long is not well [real s]."""

public = APIRouter(tags=["health"])
routes = router("health")
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "It does."}, **{status: PROBLEMS[status] for status in (400, 413, 421, 429, 503)}
}  # fmt: skip


@public.get(
    "/health", summary="Say whether the daemon works", response_model=None, responses=_RESPONSES,
    openapi_extra={"security": []},
)  # fmt: skip
async def health(request: Request) -> Response:
    """Needs no token, and tells nothing else; 503 when the daemon's event loop stands still."""
    if beat_age_s(desk_of(request).beat) > HANGS_S:
        return problem(503, f"the daemon's event loop has not turned for more than {HANGS_S:g} s", headers={"Retry-After": "5"})
    return done({"status": "ok"})


def beat_age_s(beat: Path) -> float:
    """Return how long ago the daemon's event loop turned [real s]; for ever where it never did."""
    try:
        return max(0.0, time.time() - beat.stat().st_mtime)
    except OSError:
        return float("inf")


@routes.get("/metrics", summary="Metrics for Prometheus", **needs(Role.LOOK, media=("text/plain",)))
async def metrics(request: Request) -> Response:
    """In the text format of Prometheus."""
    desk = desk_of(request)
    topics = (await desk.standing()).topics
    # What campaigns and instruments did changes with their logs and with what controllers publish: read when it has.
    text = await desk.kept.get(("metrics", topics[CAMPAIGNS], topics[INSTRUMENTS]), lambda: desk.look(metrics_text))
    told = await desk.look(lambda opened: told_text([url for url, _ in opened]))
    return Response(text + told, media_type=CONTENT_TYPE)
