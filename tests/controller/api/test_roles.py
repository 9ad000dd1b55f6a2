"""Each route for each sort of person: who has no valid token learns nothing, who has one may do what its role allows."""

from __future__ import annotations

from typing import Any

import pytest

from controller.api.app import make_api
from controller.api.routes.route import ROLE
from controller.domain.access import Role
from tests.controller.api.conftest import Client
from tests.controller.api.people import bearer
from tests.controller.api.process import Served, ask

ANSWERS: dict[tuple[str, str], tuple[Any, int]] = {
    ("get", "/v1/campaigns"): (None, 200),
    ("post", "/v1/campaigns"): ({"file": {}}, 422),
    ("get", "/v1/campaigns/{campaign}"): (None, 200),
    ("get", "/v1/campaigns/{campaign}/overview"): (None, 200),
    ("get", "/v1/campaigns/{campaign}/alarms"): (None, 200),
    ("get", "/v1/campaigns/{campaign}/events"): (None, 200),
    ("get", "/v1/campaigns/{campaign}/log"): (None, 200),
    ("get", "/v1/campaigns/{campaign}/audit"): (None, 200),
    ("get", "/v1/campaigns/{campaign}/context"): (None, 200),
    ("post", "/v1/campaigns/{campaign}/context"): ({"values": {"humidity": 43}}, 409),
    ("get", "/v1/campaigns/{campaign}/calibration"): (None, 200),
    ("get", "/v1/campaigns/{campaign}/figures"): (None, 200),
    ("get", "/v1/campaigns/{campaign}/figures/{kind}"): (None, 404),
    ("get", "/v1/comparison"): (None, 422),
    ("get", "/v1/campaigns/{campaign}/forecast"): (None, 409),
    ("get", "/v1/campaigns/{campaign}/export"): (None, 200),
    ("get", "/v1/campaigns/{campaign}/why"): (None, 200),
    ("get", "/v1/campaigns/{campaign}/best"): (None, 200),
    ("get", "/v1/campaigns/{campaign}/replay"): (None, 200),
    ("get", "/v1/notifications"): (None, 200),
    ("post", "/v1/notifications/test"): ({"targets": []}, 404),
    ("get", "/v1/campaigns/{campaign}/sensitivity"): (None, 200),
    ("get", "/v1/campaigns/{campaign}/slices/{parameter}"): (None, 404),
    **{("post", f"/v1/campaigns/{{campaign}}/{verb}"): (None, 202) for verb in ("pause", "stop", "abort")},
    ("post", "/v1/campaigns/{campaign}/resume"): (None, 409),
    ("get", "/v1/campaigns/{campaign}/experiments"): (None, 200),
    ("get", "/v1/campaigns/{campaign}/experiments/{number}"): (None, 200),
    ("get", "/v1/campaigns/{campaign}/experiments/{number}/files/{sha256}"): (None, 404),
    ("get", "/v1/campaigns/{campaign}/experiments/{number}/why"): (None, 200),
    ("post", "/v1/campaigns/{campaign}/experiments/{number}/explain"): (None, 200),
    ("post", "/v1/campaigns/{campaign}/experiments/{number}/resolve"): ({"status": "failed"}, 409),
    ("post", "/v1/campaigns/{campaign}/experiments/{number}/retract"): ({"reason": "x", "undo": True}, 409),
    ("post", "/v1/campaigns/{campaign}/experiments/{number}/retry"): (None, 409),
    ("post", "/v1/campaigns/{campaign}/experiments/{number}/abandon"): (None, 409),
    ("get", "/v1/instruments"): (None, 200),
    ("post", "/v1/instruments/stop"): ({"instruments": ["nowhere"]}, 404),
    ("post", "/v1/instruments/resume"): ({"instruments": ["nowhere"]}, 404),
    ("post", "/v1/instruments/{instrument}/disable"): ({"reason": "x"}, 404),
    ("post", "/v1/instruments/{instrument}/enable"): ({}, 404),
    ("get", "/v1/requests"): (None, 200),
    ("get", "/v1/stream"): (None, 200),
    ("get", "/v1/whoami"): (None, 200),
    ("get", "/v1/metrics"): (None, 200),
    ("get", "/v1/keys"): (None, 200),
    ("post", "/v1/sign-out"): (None, 200),
    ("get", "/v1/tokens"): (None, 200),
    ("post", "/v1/tokens"): ({"name": "look"}, 409),
    ("post", "/v1/tokens/{name}/revoke"): (None, 404),
    ("post", "/v1/campaigns/{campaign}/ask"): ({"n": 0}, 422),
    ("post", "/v1/campaigns/{campaign}/tell"): ({"results": []}, 422),
    ("get", "/v1/campaigns/{campaign}/plan"): (None, 409),
    ("post", "/v1/campaigns/{campaign}/plan"): ({"x": 1}, 422),
    ("post", "/v1/campaigns/{campaign}/import"): ({"x": 1}, 422),
    ("post", "/v1/validate"): ({"file": "x: 1"}, 200),
    ("get", "/v1/schemas/{kind}"): (None, 422),
    ("get", "/v1/tasks"): (None, 200),
    ("get", "/v1/tasks/{task}"): (None, 404),
    ("post", "/v1/tasks/{task}/answer"): ({"failed": "x"}, 404),
    ("post", "/v1/tasks/{task}/files"): ({"x": 1}, 404),
}
"""Method and route -> body, and what it is answered when it may be asked."""
PLACES = {"campaign": "sample", "number": "1", "instrument": "nowhere", "name": "nowhere", "parameter": "nowhere",
          "kind": "nowhere", "task": "nowhere", "sha256": "0" * 64}
PUBLIC = {("get", "/v1/health"), ("post", "/v1/tokens/from-link")}


PATHS = make_api("0").openapi()["paths"]
ROUTES = {(method, path): about for path, methods in PATHS.items() for method, about in methods.items()}


def test_description_holds_every_route_and_its_role(api: Served) -> None:
    assert ask("get", f"{api.url}/v1/openapi.json").json()["paths"] == PATHS
    assert ROUTES.keys() - PUBLIC == ANSWERS.keys()
    assert {route for route, about in ROUTES.items() if ROLE not in about} == PUBLIC


@pytest.mark.parametrize("who", ["nobody", "stranger", "revoked", "expired", *Role])
@pytest.mark.parametrize("route", sorted(ANSWERS), ids=" ".join)
def test_route_answers_those_whose_role_allows_it(
    api: Served, people: dict[str, str | None], route: tuple[str, str], who: str
) -> None:
    (method, path), (body, allowed) = route, ANSWERS[route]
    needed = Role(ROUTES[route][ROLE])
    place = path.format(**PLACES)
    answer = ask(method, api.url + place, headers=bearer(people[who]), json=body)
    if who not in set(Role):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith('Bearer realm="labwright"')
        assert "sample" not in answer.text
    elif not Role(who).includes(needed):
        assert answer.status_code == 403
        assert f"needs the role {needed}" in answer.json()["detail"]
    else:
        assert answer.status_code == allowed, answer.text
    assert answer.headers["cache-control"] in ("private, no-cache", "no-store")


def test_role_is_asked_for_before_anything_of_a_request_is_read(client: Client) -> None:
    answer = client("look").post("/instruments/stop", content=b"{ this is no JSON")
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("", "needs a token"), ("Bearer", "not on the list"), ("Basic bGFi", "not on the list"),
        ("Bearer labwright_" + "A" * 43, "not on the list"), ("Bearer " + "x" * 5000, "not on the list"),
    ],
)  # fmt: skip
def test_what_is_no_token_opens_nothing(api: Served, header: str, told: str) -> None:
    answer = ask("get", f"{api.url}/v1/campaigns", headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert told in answer.json()["detail"]
    assert answer.headers["content-type"] == "application/problem+json"


def test_token_in_the_address_opens_nothing_and_is_in_no_log(api: Served, people: dict[str, str | None]) -> None:
    token = people["administer"]
    for name in ("token", "access_token", "authorization"):
        assert ask("get", f"{api.url}/v1/campaigns?{name}={token}").status_code == 401
    assert ask("get", f"{api.url}/v1/{token}").status_code == 401
    assert str(token) not in api.said


def test_tokens_open_and_cease_at_once(api: Served, people: dict[str, str | None]) -> None:
    administrator = bearer(people[Role.ADMINISTER])
    for n in range(3):  # the list is read by each request, so that the one before a change is always a fresh one
        made = ask("post", f"{api.url}/v1/tokens", json={"name": f"guest-{n}", "role": "look"}, headers=administrator).json()
        assert ask("get", f"{api.url}/v1/whoami", headers=bearer(made["token"])).status_code == 200
        assert ask("post", f"{api.url}/v1/tokens/guest-{n}/revoke", headers=administrator).status_code == 200
        assert ask("get", f"{api.url}/v1/whoami", headers=bearer(made["token"])).status_code == 401


def test_who_ended_is_told_why(api: Served, people: dict[str, str | None]) -> None:
    told = {who: ask("get", f"{api.url}/v1/whoami", headers=bearer(people[who])).json()["detail"] for who in ("revoked", "expired")}
    assert "'rex' was revoked at 2" in told["revoked"]
    assert "'eve' expired at 2" in told["expired"]
