"""`/v1/campaigns/CAMPAIGN/experiments`: look at experiments, and settle what no machine can."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Literal

from fastapi import Path, Query, Request
from pydantic import Field
from starlette.responses import FileResponse, Response

from controller.api.limits import MOST_ROWS
from controller.api.routes.route import (
    Body,
    Campaign,
    Number,
    Text,
    Timeout,
    answered,
    desk_of,
    done,
    known_tags,
    needs,
    person_of,
    router,
    told,
)
from controller.domain.access import Role
from controller.domain.experiment import ExperimentStatus
from controller.verbs import campaigns, experiments
from controller.verbs.explaining import LOOK_S, explain
from controller.verbs.raw_files import one_file
from controller.verbs.stores import Found, find, find_experiment

routes = router("experiments")
PLACE = "/campaigns/{campaign}/experiments"


class Resolve(Body):
    """A person's word on what became of an unknown experiment."""

    status: Literal["completed", "failed", "abandoned"]
    values: dict[str, float] = Field({}, description="Objective -> result; one for each where it is completed, else none.")
    reason: Text = Field("", description="How it is known.")


class Retract(Body):
    """Why a result is wrong, or is right after all."""

    reason: Annotated[str, Field(min_length=1, max_length=2000)]
    undo: bool = Field(False, description="Take an earlier retraction back.")


@routes.get(PLACE, summary="List the experiments of a campaign", **needs(Role.LOOK))
async def list_experiments(
    request: Request, campaign: Campaign, status: ExperimentStatus | None = None,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="Only those with a larger number: the `next` before.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS, description="Rows in one answer.")] = 200,
    sort: Annotated[str | None, Query(max_length=70, description="`number` or an objective; `-` before it: largest first.")] = None,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1, description="With `sort`: so many are passed over.")] = 0,
) -> Response:  # fmt: skip
    """`{"experiments": […], "next": …, "total": …}` by number; `next` is null where there are no more."""

    def read(found: Found) -> dict[str, Any]:
        counts = found.campaign["counts"]
        total = sum(counts.values()) if status is None else counts[status.value]
        if sort is None:
            rows = found.reader.experiments(found.id, status and status.value, after=after, limit=limit)
            return {"experiments": rows, "next": rows[-1]["number"] if len(rows) == limit else None, "total": total}
        rows = experiments.sorted_page(found, status and status.value, sort, offset, limit)
        return {"experiments": rows, "next": offset + limit if offset + limit < total else None, "total": total}

    return told(request, await desk_of(request).look_at(campaign, read))


@routes.get(PLACE + "/{number}", summary="Show an experiment", **needs(Role.LOOK))
async def show(request: Request, campaign: Campaign, number: Number) -> Response:
    """Why it was proposed, what was done and measured."""
    shown = await desk_of(request).look_at(campaign, lambda found: experiments.show_experiment(found, number))
    return told(request, experiments.experiment_told(shown))


@routes.get(PLACE + "/{number}/files/{sha256}", summary="Download a raw file of an experiment", **needs(Role.LOOK))
async def raw_file(
    request: Request, campaign: Campaign, number: Number,
    sha256: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="Of the file, as `files` of the experiment has it.")],
) -> Response:  # fmt: skip
    """Its content, read whole and proven by its hash before the first byte is sent; as a file to be saved, never shown."""
    if f'"{sha256}"' in known_tags(request):
        await desk_of(request).look_at(campaign, lambda found: find_experiment(found, number))
        return Response(status_code=304, headers={"ETag": f'"{sha256}"'})
    row = await desk_of(request).look_at(campaign, lambda found: one_file(found, number, sha256), long=True)
    return FileResponse(
        row["path"], media_type=row["media_type"], filename=row["name"], content_disposition_type="attachment",
        headers={"ETag": f'"{sha256}"', "X-Content-Type-Options": "nosniff"},
    )  # fmt: skip


@routes.get(PLACE + "/{number}/why", summary="Explain why an experiment was proposed", **needs(Role.LOOK))
async def why(request: Request, campaign: Campaign, number: Number) -> Response:
    """Exploring or exploiting, what was expected and what came, its neighbours, what matters, what lost; takes seconds."""
    return told(request, await desk_of(request).compute(campaign, "why", number=number))


@routes.post(PLACE + "/{number}/explain", summary="Tell what is known of an unknown experiment", **needs(Role.OPERATE))
async def explain_it(request: Request, campaign: Campaign, number: Number) -> Response:
    """What store and journal hold, what the instrument reads now (by safe actions alone), and what each answer would mean."""

    def read(found: Found) -> Response:
        experiment = found.reader.experiment(found.id, number)
        return done(explain(found, experiment, found.reader.definition(found.id), by=person_of(request).by))

    return await _steered(request, campaign, read, timeout_s=2 * LOOK_S)


@routes.post(PLACE + "/{number}/resolve", summary="Say what became of an unknown experiment", **needs(Role.OPERATE, also=202))
async def resolve(request: Request, campaign: Campaign, number: Number, body: Resolve, timeout_s: Timeout = 10.0) -> Response:
    """A person's word; it is booked with their name."""
    by = person_of(request).by

    def say(found: Found) -> Response:
        reason = f"{body.reason} ({by})" if body.reason else ""
        answer = experiments.resolve(
            found, number, status=body.status, values=body.values, reason=reason, by=by, timeout_s=timeout_s
        )
        return answered(found, answer)

    return await _steered(request, campaign, say, timeout_s=timeout_s)


@routes.post(PLACE + "/{number}/retract", summary="Retract a wrong result", **needs(Role.OPERATE, also=202))
async def retract(request: Request, campaign: Campaign, number: Number, body: Retract, timeout_s: Timeout = 10.0) -> Response:
    """Take a result out of what the model learns from; `rested_on` lists the proposals that rested on it."""
    by = person_of(request).by

    def say(found: Found) -> Response:
        answer, rested = campaigns.retract(
            found, number, reason=f"{body.reason} ({by})", undo=body.undo, by=by, timeout_s=timeout_s
        )
        return answered(found, answer, rested_on=[e["number"] for e in rested])

    return await _steered(request, campaign, say, timeout_s=timeout_s)


def _steering(verb: str) -> Callable[..., Coroutine[Any, Any, Response]]:
    async def steer(request: Request, campaign: Campaign, number: Number, timeout_s: Timeout = 10.0) -> Response:
        """Only for one that has failed."""
        by = person_of(request).by

        def say(found: Found) -> Response:
            return answered(found, experiments.steer_experiment(found, verb, number, by=by, timeout_s=timeout_s))

        return await _steered(request, campaign, say, timeout_s=timeout_s)

    return steer


for _verb, _summary in {"retry": "Queue a failed experiment again", "abandon": "Give a failed experiment up for good"}.items():
    routes.post(f"{PLACE}/{{number}}/{_verb}", summary=_summary, **needs(Role.OPERATE, also=202))(_steering(_verb))


async def _steered(request: Request, campaign: str, call: Callable[[Found], Response], *, timeout_s: float) -> Response:
    desk = desk_of(request)

    def carry_out() -> Response:
        with find(desk.urls, campaign) as found:
            return call(found)

    return await desk.book(campaign, carry_out, timeout_s=timeout_s)
