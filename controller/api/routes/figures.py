"""`/v1/campaigns/{campaign}/figures`: pictures as data, for whatever draws them."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import Path, Query, Request
from starlette.responses import Response

from controller.api.routes.route import Campaign, desk_of, needs, router, tagged, told
from controller.domain.access import Role
from controller.verbs.plotting import COMPUTED, figure_told, kinds_of
from controller.verbs.stores import Found

routes = router("figures")

Kind = Annotated[str, Path(description="Which figure.", max_length=64)]


@routes.get("/campaigns/{campaign}/figures", summary="List the figures of a campaign", **needs(Role.LOOK))
async def list_figures(request: Request, campaign: Campaign) -> Response:
    """`{"figures": [{"kind", "about", "model"}, …]}`: which this campaign can have; `model`: it is asked, which takes seconds."""

    def read(found: Found) -> list[dict[str, Any]]:
        return [{"kind": kind, "about": about, "model": kind in COMPUTED} for kind, about in kinds_of(found).items()]

    return told(request, {"figures": await desk_of(request).look_at(campaign, read)})


@routes.get("/campaigns/{campaign}/figures/{kind}", summary="Describe a figure of a campaign", **needs(Role.LOOK))
async def show_figure(
    request: Request, campaign: Campaign, kind: Kind,
    parameter: Annotated[str | None, Query(max_length=64, description="Of slices: along which; else all.")] = None,
    through: Annotated[str | None, Query(max_length=100, description="Of slices: through which experiment; else the best.")] = None,
) -> Response:  # fmt: skip
    """Titles, panels with axes and layers, a summary in words and the data as a table. `slices` and `sensitivity` take seconds."""
    desk = desk_of(request)

    async def make() -> bytes:
        if kind in COMPUTED:
            drawn = await desk.compute(campaign, "figure_told", kind=kind, parameter=parameter, through=through)
        else:
            drawn = await desk.look_at(campaign, lambda found: figure_told(found, kind, parameter, through))
        return json.dumps(drawn, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")

    place = (await desk.standing()).find(campaign)
    key = None if place is None else (place.url, place.id, place.end, kind, parameter, through)
    return tagged(request, await (make() if key is None else desk.kept.get(key, make)), "application/json")
