"""`/v1/campaigns/{campaign}/figures`: pictures as data, for whatever draws them."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Annotated, Any

from fastapi import Path, Query, Request
from pydantic import Field
from starlette.responses import Response

from controller.api.desk import as_json
from controller.api.routes.route import Campaign, desk_of, needs, router, tagged
from controller.domain.access import Role
from controller.verbs.plotting import COMPUTED, compare, comparison_told, figure_told, kinds_of
from controller.verbs.stores import Found, find

routes = router("figures")

MOST_COMPARED = 20
Name = Annotated[str, Field(min_length=1, max_length=200)]
Kind = Annotated[str, Path(description="Which figure.", max_length=64)]


@routes.get("/campaigns/{campaign}/figures", summary="List the figures of a campaign", **needs(Role.LOOK))
async def list_figures(request: Request, campaign: Campaign) -> Response:
    """`{"figures": [{"kind", "about", "model"}, …]}`: which this campaign can have; `model`: it is asked, which takes seconds."""

    def read(found: Found) -> dict[str, Any]:
        return {"figures": [{"kind": kind, "about": about, "model": kind in COMPUTED} for kind, about in kinds_of(found).items()]}

    return tagged(request, await desk_of(request).told_of(campaign, "figures", read), "application/json")


@routes.get("/campaigns/{campaign}/figures/{kind}", summary="Describe a figure of a campaign", **needs(Role.LOOK))
async def show_figure(
    request: Request, campaign: Campaign, kind: Kind,
    parameter: Annotated[str | None, Query(max_length=64, description="Of slices: along which; else all.")] = None,
    through: Annotated[str | None, Query(max_length=100, description="Of slices: through which experiment; else the best.")] = None,
) -> Response:  # fmt: skip
    """Titles, panels with axes and layers, a summary, the data as a table. Where there is nothing yet: no panels, and why."""
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


@routes.get("/comparison", summary="Compare campaigns that want the same", **needs(Role.LOOK))
async def show_comparison(
    request: Request,
    campaign: Annotated[list[Name], Query(min_length=2, max_length=MOST_COMPARED, description="Name or id; again for each.")],
) -> Response:
    """The best of each, how soon it came, cost, and whether predictions held, a row for each in `campaigns`; and a `figure`."""
    desk, names = desk_of(request), list(dict.fromkeys(campaign))

    def read(_: object) -> dict[str, Any]:
        with ExitStack() as stack:
            return comparison_told(compare([stack.enter_context(find(desk.urls, name)) for name in names]))

    async def make() -> bytes:
        return as_json(await desk.look(read))

    standing = await desk.standing()
    places = [standing.find(name) for name in names]
    known = [place.how for place in places if place is not None]
    key = ("comparison", *(place.id for place in places if place is not None), *known)
    return tagged(request, await (desk.kept.get(key, make) if len(known) == len(names) else make()), "application/json")
