"""`/v1/instruments`: what instruments do, stopping them, and taking them out of work."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from fastapi import Path, Request
from pydantic import Field, model_validator
from starlette.responses import Response

from controller.api.desk import as_json
from controller.api.problems import problem
from controller.api.routes.route import Body, Opened, Text, desk_of, done, needs, person_of, router, tagged
from controller.api.standing import CAMPAIGNS, INSTRUMENTS
from controller.domain.access import Role
from controller.verbs.instruments import list_instruments, list_labs
from controller.verbs.laboratories import chosen, resume_all, stop_all, switch

routes = router("instruments")

Instrument = Annotated[str, Path(description="Name of an instrument.", max_length=128)]
Name = Annotated[str, Field(min_length=1, max_length=128)]
FINISH_S = 3600.0
"""Patience with what is to finish, where nothing is said [real s]."""


class Chosen(Body):
    """Which instruments are meant."""

    instruments: Annotated[list[Name], Field(max_length=1000)] = Field([], description="By name; or say `all`.")
    all: bool = Field(False, description="Every instrument that is at work.")
    lab: Name | None = Field(None, description="Only of this lab.")
    timeout_s: float | None = Field(None, ge=0.0, le=FINISH_S, description="Patience with each driver [s], by default 5.")

    @model_validator(mode="after")
    def _one_of_the_two(self) -> Self:
        if bool(self.instruments) == self.all:
            raise ValueError("say which instruments: a list of names, or all: true (one of the two)")
        return self


class Stop(Chosen):
    """An emergency stop."""

    mode: Literal["now", "finish"] = Field("now", description="now: end what runs. finish: let it finish, then hold.")


class Disable(Body):
    """Why an instrument is to be given nothing."""

    reason: Annotated[str, Field(min_length=1, max_length=2000)]
    lab: Name | None = None


class Enable(Body):
    """Why an instrument may work again."""

    reason: Text = ""
    lab: Name | None = None


@routes.get("/instruments", summary="List instruments and interlocks", **needs(Role.LOOK))
async def list_all(request: Request) -> Response:
    """`{"instruments": […], "interlocks": […], "labs": […]}`, with what each does where a controller is at work."""
    desk = desk_of(request)

    def read(opened: Opened) -> dict[str, Any]:
        rows, interlocks = list_instruments(opened)
        return {"instruments": rows, "interlocks": interlocks, "labs": list_labs(opened)}

    async def make() -> bytes:
        return as_json(await desk.look(read))

    topics = (await desk.standing()).topics
    return tagged(request, await desk.kept.get(("instruments", topics[INSTRUMENTS], topics[CAMPAIGNS]), make), "application/json")


@routes.post("/instruments/stop", summary="Emergency stop", **needs(Role.OPERATE))
async def stop(request: Request, body: Stop) -> Response:
    """Stop instruments at once, past any controller, and hold them until they are resumed; 502 when one has not confirmed."""
    desk, by = desk_of(request), person_of(request).by
    _note(request, body)
    patience = body.timeout_s if body.timeout_s is not None else 5.0 if body.mode == "now" else FINISH_S

    def carry_out() -> list[dict[str, Any]]:
        places = chosen(desk.urls, body.instruments, every=body.all, lab=body.lab)
        return stop_all(places, mode=body.mode, timeout_s=patience, by=by)

    return _confirmed("stopped", await desk.stop(carry_out, timeout_s=patience))


@routes.post("/instruments/resume", summary="Lift a stop", **needs(Role.OPERATE))
async def resume(request: Request, body: Chosen) -> Response:
    """Lift the stop that holds instruments; what waits for them goes on."""
    desk, by = desk_of(request), person_of(request).by
    _note(request, body)
    patience = 5.0 if body.timeout_s is None else body.timeout_s

    def carry_out() -> list[dict[str, Any]]:
        places = chosen(desk.urls, body.instruments, every=body.all, lab=body.lab, one_each=True)
        return resume_all(places, timeout_s=patience, by=by)

    return _confirmed("resumed", await desk.steer(carry_out, timeout_s=patience))


@routes.post("/instruments/{instrument}/disable", summary="Take an instrument out of work", **needs(Role.OPERATE))
async def disable(request: Request, instrument: Instrument, body: Disable) -> Response:
    """Dispatch nothing more to it, in any campaign; what runs there is finished."""
    return await _switched(request, instrument, body.lab, body.reason, enabled=False)


@routes.post("/instruments/{instrument}/enable", summary="Let an instrument work again", **needs(Role.OPERATE))
async def enable(request: Request, instrument: Instrument, body: Enable) -> Response:
    """Let an instrument work again that a person, or a latched interlock, has disabled."""
    return await _switched(request, instrument, body.lab, body.reason, enabled=True)


async def _switched(request: Request, name: str, lab: str | None, reason: str, *, enabled: bool) -> Response:
    desk, by = desk_of(request), person_of(request).by

    def carry_out() -> tuple[str, str]:
        return switch(desk.urls, name, lab, enabled=enabled, reason=reason, by=by)

    where, text = await desk.steer(carry_out, timeout_s=10.0)
    return done({"instrument": name, "lab": where, "enabled": enabled, "reason": reason, "answer": text})


def _note(request: Request, body: Chosen) -> None:
    """Have it in the log which instruments were meant: what goes past the controller is in no book."""
    names = "all" if body.all else " ".join(body.instruments)
    request.state.note = repr(f"{names}{f' of {body.lab}' if body.lab else ''}"[:300])


def _confirmed(word: str, rows: list[dict[str, Any]]) -> Response:
    """Return what each driver confirmed; nobody who looks at the status alone takes a failure for a success."""
    missing = [f"{row['lab']}/{row['instrument']}" for row in rows if not row["confirmed"]]
    if not missing:
        return done({"confirmed": True, "instruments": rows})
    return problem(502, f"{', '.join(missing)}: not {word}, go and look", confirmed=False, instruments=rows)
