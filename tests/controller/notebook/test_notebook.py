"""The same campaign looked at in its store and over HTTP: the same frames and figures, typed errors, every text escaped."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from controller.api.serving import serving_at
from controller.campaign import Campaign
from controller.domain.access import Role
from controller.errors import AccessError, ConflictError, FileFaultsError, ServerError, UnknownNameError
from controller.notebook import Client, Store
from controller.notebook.view import CampaignView
from controller.settings import HOME_VARIABLE
from controller.store.opening import Store as WritingStore
from controller.verbs.bundle.checking import check_bundle
from controller.verbs.markup import campaign_html, table_html
from tests.controller.api.people import enter
from tests.controller.api.process import Served, certified, served
from tests.controller.store.conftest import fill
from tests.controller.store.samples import Script
from tests.integration.support import write_campaign


@pytest.fixture(scope="module", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test touches the user's own state folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(HOME_VARIABLE, str(tmp_path_factory.mktemp("home")))
        patch.delenv("LABWRIGHT_STORE", raising=False)
        patch.delenv("LABWRIGHT_TOKEN", raising=False)
        yield


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with the campaign `sample`: 1 completed, 1 running again after a failure, 1 unknown, 1 cancelled, 1 queued."""
    url = f"sqlite:///{tmp_path_factory.mktemp('store') / 'sample.db'}"
    with WritingStore.open(url) as store:
        fill(store, Script())
    return url


@pytest.fixture(scope="module")
def tokens(url: str) -> dict[Role, str]:
    return {role: enter(url, f"{role}-person", role) for role in Role}


@pytest.fixture(scope="module")
def api(url: str, tokens: dict[Role, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("http"), url) as process:
        yield process


@pytest.fixture
def token(tokens: dict[Role, str]) -> str:
    return tokens[Role.OPERATE]


@pytest.fixture
def client(api: Served, token: str) -> Iterator[Client]:
    with Client(api.url, token) as client:
        yield client


@pytest.fixture(params=["store", "http"])
def campaign(request: pytest.FixtureRequest, url: str) -> CampaignView:
    if request.param == "store":
        return Store(url).campaign("sample")
    client: Client = request.getfixturevalue("client")
    return client.campaign("sample")


def test_campaign_is_looked_at_in_the_same_way_wherever_it_is(campaign: CampaignView, tmp_path: Path) -> None:
    assert (campaign.status, campaign.simulated, campaign.name) == ("running", True, "sample")
    assert campaign.definition["budget"]["experiments"] == 10
    assert [row["number"] for row in campaign.experiments()] == [1, 2, 3, 4, 5]
    assert campaign.experiment(1)["observations"]["yield"] == {"value": 61.25, "unit": "percent", "sem": 0.5}
    (best,) = campaign.best()
    assert best["experiment"] == 1
    assert [alarm["code"] for alarm in campaign.alarms()] == ["stall"]
    assert campaign.audit(verify=True)["balanced"] is True
    assert campaign.calibration()["campaign"] == "sample"
    assert repr(campaign) == "<campaign sample: running, 1 experiments completed, SIMULATED>"
    with pytest.raises(UnknownNameError, match="has no experiment 77"):
        campaign.experiment(77)


def test_frames_are_the_same_from_a_store_and_over_http(url: str, client: Client) -> None:
    here, there = Store(url).campaign("sample"), client["sample"]
    for name in ("frame", "measurements", "events"):
        one, other = getattr(here, name)(), getattr(there, name)()
        pd.testing.assert_frame_equal(one, other)
        assert one.attrs == other.attrs
        assert getattr(here, name)("polars").equals(getattr(there, name)("polars"))
    assert here.frame().attrs["units"]["yield"] == "percent"
    assert "yield [percent]" in there.frame(units="names").columns
    assert len(here.events()) > 20


def test_figures_are_the_same_from_a_store_and_over_http(url: str, client: Client) -> None:
    here, there = Store(url).campaign("sample").plot("progress"), client["sample"].plot("progress")
    assert here == there
    assert "SIMULATED" in here.subtitle
    assert "<figure" in here._repr_html_()
    with pytest.raises(UnknownNameError, match="no figure 'pie'"):
        client["sample"].plot("pie")
    with pytest.raises(UnknownNameError, match="no figure 'pie'"):
        Store(url)["sample"].plot("pie")


def test_exports_are_written_whole_wherever_the_campaign_is(campaign: CampaignView, tmp_path: Path) -> None:
    for name in ("a.csv", "a.parquet", "a.xlsx", "a.json", "a.zip"):
        assert campaign.export(tmp_path / name).stat().st_size > 100
    assert check_bundle(tmp_path / "a.zip").sound
    assert (tmp_path / "a.csv").read_text().startswith("campaign,number")
    campaign.export(tmp_path / "log.csv", table="events")
    assert (tmp_path / "log.csv").read_text().startswith("campaign,sequence")
    with pytest.raises(ConflictError, match="its ending says no format"):
        campaign.export(tmp_path / "a.ods")
    with pytest.raises(UnknownNameError, match="existing folder"):
        campaign.export(tmp_path / "no" / "a.csv")
    assert not [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")]


def test_store_lists_its_campaigns_and_knows_which_there_are(url: str) -> None:
    store = Store(url)
    (row,) = store.campaigns()
    assert (row["campaign"], row["data"], row["completed"]) == ("sample", "SIMULATED", 1)
    assert [campaign.name for campaign in store] == ["sample"]
    assert len(store) == 1
    assert "SIMULATED" in store._repr_html_()
    with pytest.raises(UnknownNameError, match="did you mean sample"):
        store["simple"]
    assert len(Store(url.replace("sample.db", "new.db"))) == 0
    assert "nothing yet" in Store(url.replace("sample.db", "new.db"))._repr_html_()


def test_log_is_followed_from_a_cursor_until_the_campaign_has_ended(tmp_path: Path, client: Client) -> None:
    events = list(client["sample"].log())
    assert [e["sequence"] for e in events] == list(range(1, len(events) + 1))
    assert next(iter(client["sample"].log(after=5)))["sequence"] == 6
    with pytest.raises(TimeoutError, match=r"is still running after 0\.1 s"):
        client["sample"].wait(timeout_s=0.1, every_s=0.05)
    assert client["sample"].wait(["running"]) == "running"


def test_who_may_not_is_told_as_an_access_error(api: Served, tokens: dict[Role, str]) -> None:
    with pytest.raises(AccessError, match="token"):
        Client(api.url).campaigns()
    with pytest.raises(AccessError, match="token"):
        Client(api.url, "nonsense").campaigns()
    looking = Client(api.url, tokens[Role.LOOK])
    assert looking.whoami()["role"] == "look"
    with pytest.raises(AccessError, match="needs the role operate"):
        looking["sample"].pause()


def test_errors_are_those_of_the_command_line(api: Served, tokens: dict[Role, str], client: Client) -> None:
    with pytest.raises(UnknownNameError, match="did you mean sample"):
        client["simple"]
    with pytest.raises(ConflictError, match="only a failed one can be"):
        client["sample"].retry(1)
    boss = Client(api.url, tokens[Role.ADMINISTER])
    with pytest.raises(FileFaultsError) as caught:
        boss.start({"campaign": "x", "parametres": {}})
    assert any("parametres" in fault for fault in caught.value.faults)


def test_what_a_person_does_over_http_is_booked(url: str, client: Client) -> None:
    assert client["sample"].retract(1, "wrong vial")["rested_on"] == [2, 3, 4, 5]
    assert Store(url)["sample"].experiment(1)["retracted_reason"] == "wrong vial (operate-person over HTTP)"
    client["sample"].retract(1, "it was right", undo=True)
    assert client["sample"].experiment(1)["retracted_at"] is None
    assert client["sample"].pause()["answered"] is False, "no controller is at work: it is noted"


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("127.0.0.1:8765", "no address of a daemon"),
        ("ftp://127.0.0.1", "no address of a daemon"),
        ("http://127.0.0.1:8765/v1", "no address of a daemon"),
        ("http://127.0.0.1:99999", "no address of a daemon"),
        ("http://lab.example.org:8765", "would travel unencrypted"),
    ],
)
def test_addresses_are_checked_before_a_token_leaves(address: str, told: str) -> None:
    with pytest.raises(ConflictError, match=told):
        Client(address, "secret")


def test_token_comes_from_the_environment_and_is_never_shown(api: Served, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABWRIGHT_TOKEN", token)
    client = Client(api.url)
    assert client.whoami()["name"] == "operate-person"
    assert token not in repr(client) + client._repr_html_() + repr(vars(client))


class _Stranger(http.server.BaseHTTPRequestHandler):
    """Answers as no daemon does, by its path's campaign; writes down which tokens it was sent."""

    tokens: list[str | None]
    unchanged = 0

    def do_GET(self) -> None:
        type(self).tokens.append(self.headers.get("Authorization"))
        answers = {
            "moved": (302, b"", {"Location": "http://127.0.0.1:1/v1/campaigns"}), "text": (200, b"<html>", {}),
            "away": (308, b"moved", {"Location": "http://127.0.0.1:1/v1/campaigns"}),
            "kept": (200, b'{"campaign": "kept"}', {"ETag": '"a"'}),
            "short": (200, b"{}", {"Content-Length": "50"}), "busy": (503, b"{}", {"Retry-After": "0"}),
        }  # fmt: skip
        wanted = self.path.split("/")[3].split("?")[0]
        if wanted == "busy" and len(type(self).tokens) % 3 == 0:
            wanted = "text"
        status, body, headers = answers[wanted]
        if "ETag" in headers and self.headers.get("If-None-Match") == headers["ETag"]:
            status, body = 304, b""
            type(self).unchanged += 1
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return


def test_server_that_is_no_daemon_is_told_as_such_and_no_token_follows_a_redirect(tmp_path: Path) -> None:
    _Stranger.tokens = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Stranger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = Client(f"http://127.0.0.1:{server.server_address[1]}", "secret")
        with pytest.raises(ServerError, match="sends elsewhere"):
            client.campaign("moved")
        with pytest.raises(ServerError, match="sends elsewhere"):
            client._wire.fetch(tmp_path / "away.csv", "campaigns", "away", "export")
        assert not (tmp_path / "away.csv").exists()
        assert _Stranger.tokens == ["Bearer secret"] * 2
        for name in ("text", "short"):
            with pytest.raises(ServerError):
                client.campaign(name)
        assert [client.campaign("kept").name for _ in range(3)] == ["kept"] * 3
        assert _Stranger.unchanged == 2, "what has not changed is not sent again"
        _Stranger.tokens = []
        with pytest.raises(ServerError, match="no JSON of a daemon"):
            client.campaign("busy")  # asked again twice, as the server wished
        assert len(_Stranger.tokens) == 3
        server.shutdown()
    with pytest.raises(ServerError, match="cannot be reached"):
        client.campaigns()


def test_https_needs_the_authority_of_the_certificate(url: str, token: str, tmp_path: Path) -> None:
    certificate, key, trusting = certified(tmp_path)
    authority = tmp_path / "authority.pem"
    authority.write_text("".join(ssl.DER_cert_to_PEM_cert(der) for der in trusting.get_ca_certs(binary_form=True)[-1:]))
    with served(tmp_path, url, serving=serving_at("127.0.0.1:0", certificate=certificate, key=key)) as process:
        with pytest.raises(ServerError, match="certificate"):
            Client(process.url, token).campaigns()
        with Client(process.url, token, certificate=authority) as client:
            assert len(client.campaigns()) == 1


def test_ask_and_tell_has_frames_figures_and_a_face(tmp_path: Path) -> None:
    path = write_campaign(tmp_path)
    with Campaign.load(path, device="cpu") as campaign:
        (suggestion,) = campaign.ask()
        assert "Experiment 1" in suggestion._repr_html_()
        assert "SIMULATED" in suggestion._repr_html_()
        campaign.tell(suggestion, {"y": 3.0}, sem={"y": 0.25})
        frame = campaign.frame()
        assert (frame["y"].tolist(), frame["y.sem"].tolist(), frame["status"].tolist()) == ([3.0], [0.25], ["completed"])
        assert campaign.frame("polars")["y"].to_list() == [3.0]
        assert "SIMULATED" in campaign._repr_html_()
        assert "SIMULATED" in repr(campaign)
        assert "SIMULATED" in campaign.plot().subtitle
    with Campaign.load(path, store=str(tmp_path / "s.db"), device="cpu") as campaign:
        campaign.tell(campaign.ask()[0], {"y": 3.0})
        pd.testing.assert_frame_equal(campaign.frame(), Store(tmp_path / "s.db")["test"].frame())
        assert campaign.plot("progress").kind == "progress"


def test_whatever_people_write_is_escaped() -> None:
    evil = "<script>alert('x')</script>"
    told = {
        "campaign": evil, "status": "running", "reason": evil, "simulated": True, "counts": {"completed": 1}, "spent": 1,
        "budget_experiments": 2, "best": [{"experiment": 1, "parameters": {evil: evil}, "objectives": {evil: 1.0}}], "alarms": [],
    }  # fmt: skip
    for shown in (campaign_html(told), table_html([{evil: evil}], [evil], caption=evil)):
        assert "<script" not in shown
        assert "&lt;script&gt;" in shown


def test_settings_and_results_are_shown_with_their_units(url: str) -> None:
    shown = Store(url)["sample"]._repr_html_()
    assert "temperature [degC]&nbsp;20.1" in shown
    assert "yield [percent]&nbsp;61.25" in shown


def test_long_tables_say_how_much_more_there_is() -> None:
    shown = table_html([{"a": i, "b": None} for i in range(25)], ["a", "b"])
    assert "and 5 more" in shown
    assert ">b</th>" not in shown
    assert json.dumps("24") not in shown
