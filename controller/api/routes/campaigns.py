"""`/v1/campaigns`: start, look at and steer campaigns."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Path, Query, Request
from pydantic import Field
from starlette.responses import Response

from controller.api.desk import as_json
from controller.api.limits import MOST_ROWS
from controller.api.routes.route import (
    Body,
    Campaign,
    Opened,
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
from controller.api.routes.written import ABOUT, File, written
from controller.api.standing import CAMPAIGNS
from controller.domain.access import Role
from controller.errors import UnknownNameError
from controller.verbs import campaigns, trust
from controller.verbs.entering import enter_by_hand
from controller.verbs.glance import glance
from controller.verbs.happenings import happenings_page
from controller.verbs.requests import ask
from controller.verbs.stores import Found, find, show_url

routes = router("campaigns")

MOST_REPLAYED = 50
"""Proposals that one answer derives again: what takes longer belongs on the command line."""
ReplayedNumber = Annotated[int, Field(ge=1, le=2**31 - 1)]
Limit = Annotated[int, Query(ge=1, le=MOST_ROWS, description="Rows in one answer.")]


class Start(Body):
    """A campaign to be carried out."""

    file: File = Field(description=f"{ABOUT} Its lab within it.")
    seed: int | None = Field(None, ge=0, description="Takes the place of the file's.")
    simulate: bool = Field(False, description="Use the simulated twin of every instrument.")
    by_hand: bool = Field(False, description="Only enter it, paused: people carry it out by plans (`ask`, `tell`, `plan`).")


@routes.get("/campaigns", summary="List campaigns, newest first", **needs(Role.LOOK))
async def list_campaigns(request: Request) -> Response:
    """`{"campaigns": […]}`, each with its status and counts."""
    desk = desk_of(request)

    async def make() -> bytes:
        return as_json({"campaigns": await desk.look(campaigns.list_campaigns)})

    return tagged(request, await desk.kept.get(("campaigns", (await desk.standing()).topics[CAMPAIGNS]), make), "application/json")


@routes.post("/campaigns", summary="Start a campaign", **needs(Role.ADMINISTER, also=202))
async def start(request: Request, body: Start, timeout_s: Timeout = 30.0) -> Response:
    """Hand a campaign to the daemon. A lab names programs that are run as drivers, so this is for those who administer."""
    desk, person = desk_of(request), person_of(request)

    def begin() -> Response:
        from controller.files.loading import load_campaign
        from controller.store.opening import Store
        from controller.verbs.earlier import earlier_reader

        with written(body.file) as path:
            definition = load_campaign(path, seed=body.seed, simulate=body.simulate, read_campaign=earlier_reader(desk.urls))
        wanted = campaigns.own_store(definition)
        url = wanted if wanted in desk.urls else desk.urls[0]
        mixed = campaigns.mixed_data(url, definition.name, simulated=definition.simulated)
        if body.by_hand:
            return done({**enter_by_hand(url, definition).told(definition.name, url), **({"warning": mixed} if mixed else {})})
        with Store.open(url) as store:
            store.keep_now(definition)
            argument = {"definition": definition.model_dump(mode="json", by_alias=True)}
            answer = ask(store, "start", None, argument, by=person.by, timeout_s=timeout_s)
        content = {**answer.told(definition.name, url), **({"warning": mixed} if mixed else {})}
        return done(content, status=202 if answer.waiting else 200)

    return await desk.steer(begin, timeout_s=timeout_s)


@routes.get("/campaigns/{campaign}", summary="Show where a campaign stands", **needs(Role.LOOK))
async def show(request: Request, campaign: Campaign) -> Response:
    """Status, counts, the best experiment or the front, alarms, and the definition."""
    made = desk_of(request).told_of(campaign, "campaign", lambda found: campaigns.look_at(found).told())
    return tagged(request, await made, "application/json")


@routes.get("/campaigns/{campaign}/overview", summary="Show where a campaign stands, on one screen", **needs(Role.LOOK))
async def show_overview(request: Request, campaign: Campaign) -> Response:
    """Progress, what runs and until when, the best, the newest proposals and why, alarms: quick however long the campaign is."""
    return tagged(request, await desk_of(request).told_of(campaign, "overview", glance), "application/json")


@routes.get("/campaigns/{campaign}/alarms", summary="List the alarms of a campaign", **needs(Role.LOOK))
async def alarms(
    request: Request, campaign: Campaign,
    after: Annotated[int, Query(ge=0, le=2**53, description="The `next` of the answer before.")] = 0, limit: Limit = MOST_ROWS,
) -> Response:  # fmt: skip
    """`{"alarms": […], "next": …}`, oldest first; ask again with `after=next` for those raised since, at any time."""

    def read(found: Found) -> dict[str, Any]:
        rows = found.reader.alarms(found.id)[after : after + limit]  # they are only ever added to
        return {"alarms": rows, "next": after + len(rows)}

    made = desk_of(request).told_of(campaign, "alarms", read, str(after), str(limit))
    return tagged(request, await made, "application/json")


@routes.get("/campaigns/{campaign}/calibration", summary="Compare predictions with results", **needs(Role.LOOK))
async def calibration(request: Request, campaign: Campaign) -> Response:
    """What was predicted of experiments before they were made, what they showed, and whether the model deserves trust."""
    return tagged(request, await desk_of(request).told_of(campaign, "calibration", trust.calibration_told), "application/json")


@routes.get("/campaigns/{campaign}/events", summary="Read the log of a campaign", **needs(Role.LOOK))
async def events(
    request: Request, campaign: Campaign,
    after: Annotated[int, Query(ge=0, le=2**53, description="The `next` of the answer before.")] = 0, limit: Limit = 200,
) -> Response:  # fmt: skip
    """`{"events": […], "next": …}`; ask again with `after=next` for what has happened since, at any time."""
    rows = await desk_of(request).look_at(campaign, lambda found: found.reader.events(found.id, after=after, limit=limit))
    return told(request, {"events": rows, "next": rows[-1]["sequence"] if rows else after})


@routes.get("/campaigns/{campaign}/log", summary="Read the log of a campaign in words", **needs(Role.LOOK))
async def log(
    request: Request, campaign: Campaign,
    after: Annotated[int, Query(ge=0, le=2**53, description="The `next` of the answer before.")] = 0, limit: Limit = 200,
) -> Response:  # fmt: skip
    """`{"happenings": […], "next": …}`: as the events, each with a `text` for people in place of its body."""
    rows = await desk_of(request).look_at(campaign, lambda found: happenings_page(found, after=after, limit=limit))
    return told(request, {"happenings": rows, "next": rows[-1]["sequence"] if rows else after})


@routes.get("/campaigns/{campaign}/audit", summary="Prove that the books balance", **needs(Role.LOOK))
async def audit(
    request: Request, campaign: Campaign, verify: bool = False,
    head: Annotated[str | None, Query(max_length=200, description="A head noted earlier, which the log must contain.")] = None,
) -> Response:  # fmt: skip
    """Fold the log again and compare; `balanced` says whether everything agrees."""

    def prove(found: Found) -> dict[str, Any]:
        return campaigns.audit_told(campaigns.audit_campaign(found, verify=verify, head=head))

    return told(request, await desk_of(request).look_at(campaign, prove, long=True))


class Context(Body):
    """What the context is now."""

    values: dict[str, int | float | str] = Field(min_length=1, max_length=100, description="Context variable to its value.")


@routes.get("/campaigns/{campaign}/context", summary="Show what was told of the context", **needs(Role.LOOK))
async def show_context(request: Request, campaign: Campaign) -> Response:
    """`{"context": […]}`: name, value, when it was told and by whom, of each variable that somebody has told."""
    rows = await desk_of(request).look_at(campaign, lambda found: found.reader.context(found.id))
    return told(request, {"context": rows})


@routes.post("/campaigns/{campaign}/context", summary="Tell what is given, not chosen", **needs(Role.OPERATE, also=202))
async def tell_context(request: Request, campaign: Campaign, body: Context, timeout_s: Timeout = 10.0) -> Response:
    """What is proposed from now on is for this context, and what begins from now on is learned with it."""
    desk, by = desk_of(request), person_of(request).by

    def ask_controller() -> Response:
        with find(desk.urls, campaign) as found:
            return answered(found, campaigns.tell_context(found, body.values, by=by, timeout_s=timeout_s))

    return await desk.steer(ask_controller, timeout_s=timeout_s)


@routes.get("/campaigns/{campaign}/sensitivity", summary="Tell which parameters matter for what", **needs(Role.LOOK))
async def sensitivity(request: Request, campaign: Campaign) -> Response:
    """Per objective total-effect Sobol' indices of what the model expects, with 80 % intervals; takes seconds."""
    return told(request, await desk_of(request).compute(campaign, "sensitivity"))


@routes.get("/campaigns/{campaign}/slices/{parameter}", summary="Show what is expected along one parameter", **needs(Role.LOOK))
async def slice_through(
    request: Request, campaign: Campaign,
    parameter: Annotated[str, Path(description="Name of a parameter.", max_length=64)],
    through: Annotated[str | None, Query(max_length=100, description="Experiment whose setting is held; else the best.")] = None,
) -> Response:  # fmt: skip
    """Mean and 80 % band of each objective, the other parameters held; takes seconds."""
    return told(request, await desk_of(request).compute(campaign, "slice_through", parameter=parameter, number=through))


@routes.get("/campaigns/{campaign}/forecast", summary="Tell what further experiments will probably bring", **needs(Role.LOOK))
async def forecast(
    request: Request, campaign: Campaign,
    experiments: Annotated[int | None, Query(ge=1, le=100, description="How many; else those left of the budget.")] = None,
    by: Annotated[float | None, Query(gt=0, description="An improvement whose probability is wanted too.")] = None,
    worth: Annotated[float | None, Query(gt=0, description="What one experiment must bring at least.")] = None,
) -> Response:  # fmt: skip
    """After each the best to be expected, an interval that holds it in four of five cases, and when to stop; takes seconds."""
    return told(request, await desk_of(request).compute(campaign, "forecast", experiments=experiments, by=by, worth=worth))


@routes.get("/campaigns/{campaign}/best", summary="Tell what the model believes best", **needs(Role.LOOK))
async def best(request: Request, campaign: Campaign) -> Response:
    """Measured settings with 90 % intervals, outliers and drift; what was measured best is in the campaign. Takes seconds."""
    return told(request, await desk_of(request).compute(campaign, "believed_best"))


@routes.get("/campaigns/{campaign}/replay", summary="Derive proposals again, and compare", **needs(Role.LOOK))
async def replay(
    request: Request, campaign: Campaign,
    number: Annotated[list[ReplayedNumber] | None, Query(max_length=MOST_REPLAYED, description="Of experiments.")] = None,
) -> Response:  # fmt: skip
    """All of the model's where none is named, fifty at most; `same` says whether each is the same bit for bit. Takes long."""
    return told(request, await desk_of(request).compute(campaign, "replayed", numbers=number or [], most=MOST_REPLAYED))


@routes.get("/campaigns/{campaign}/why", summary="Explain the newest proposal of the model", **needs(Role.LOOK))
async def why(request: Request, campaign: Campaign) -> Response:
    """As for an experiment, below; without one of the model's, the newest of all."""
    return told(request, await desk_of(request).compute(campaign, "why"))


def _steering(verb: str) -> Callable[..., Coroutine[Any, Any, Response]]:
    async def steer(request: Request, campaign: Campaign, timeout_s: Timeout = 10.0) -> Response:
        """`answered` is false, and the status 202, while no controller has answered; the request stays noted."""
        desk, by = desk_of(request), person_of(request).by

        def ask_controller() -> Response:
            with find(desk.urls, campaign) as found:
                return answered(found, campaigns.steer_campaign(found, verb, by=by, timeout_s=timeout_s))

        return await desk.steer(ask_controller, timeout_s=timeout_s)

    return steer


for _verb, _summary in {
    "pause": "Begin nothing new; what runs is finished", "resume": "Go on with a paused campaign",
    "stop": "Finish what runs, then end the campaign", "abort": "End the campaign now; actions that run are cancelled",
}.items():  # fmt: skip
    routes.post(f"/campaigns/{{campaign}}/{_verb}", summary=_summary, **needs(Role.OPERATE, also=202))(_steering(_verb))


@routes.get("/requests", summary="List who asked what of the controller", **needs(Role.LOOK))
async def requests(
    request: Request, limit: Limit = 200,
    after: Annotated[str | None, Query(max_length=64, description="The `next` of the answer before.")] = None,
) -> Response:  # fmt: skip
    """`{"requests": […], "next": …}`, the newest last, each with its answer; `after=next` asks for those that came since."""

    def read(opened: Opened) -> dict[str, Any]:
        rows = [{**row, "store": show_url(url)} for url, reader in opened for row in reader.requests()]
        rows.sort(key=lambda row: (str(row["asked_at"]), str(row["id"])))
        if after:
            known = next((i for i, row in enumerate(rows) if row["id"] == after), None)
            if known is None:
                raise UnknownNameError(f"query.after: there is no request {after!r}; leave it out for the newest")
            rows = rows[known + 1 :][:limit]
        # What was started, or imported, is shown with its campaign; here it would be most of the answer.
        rows = [{**row, "argument": {} if row["verb"] in ("start", "import") else row["argument"]} for row in rows[-limit:]]
        return {"requests": rows, "next": rows[-1]["id"] if rows else after}

    return told(request, await desk_of(request).look(read))
