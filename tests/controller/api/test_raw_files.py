"""Raw files over HTTP: as a file to be saved, for those who may look, proven before the first byte is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.controller.api.conftest import Client
from tests.controller.raw_files import AWAY, HERE, SPECTRUM, damage, fill, raw_file

PLACE = "/campaigns/sample/experiments/1/files"
PAGE = raw_file("page.html", b"<script>alert(1)</script>", kept=True, media_type="text/html")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('store') / 'sample.db'}"
    fill(url, (HERE, AWAY, PAGE))
    return url


def test_file_is_saved_never_shown_and_only_by_who_may_look(client: Client, url: str) -> None:
    folder = Path(url.removeprefix("sqlite:///")).with_name("sample.files") / "files"
    assert client("nobody").get(f"{PLACE}/{HERE.sha256}").status_code == 401
    looking = client("look")
    answer = looking.get(f"{PLACE}/{HERE.sha256}")
    assert (answer.status_code, answer.content) == (200, SPECTRUM)
    assert answer.headers["content-disposition"] == 'attachment; filename="spectrum.csv"'
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    known = looking.get(f"{PLACE}/{HERE.sha256}", headers={"If-None-Match": answer.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    assert looking.get(f"{PLACE}/{'0' * 64}").status_code == 404
    assert looking.get(f"{PLACE}/..%2f..%2fsample.db").status_code in (404, 422)
    away = looking.get(f"{PLACE}/{AWAY.sha256}")
    assert (away.status_code, "stayed with the driver of hplc" in away.json()["detail"]) == (404, True)

    (folder / PAGE.sha256[:2]).mkdir(exist_ok=True)
    (folder / PAGE.sha256[:2] / PAGE.sha256[2:]).write_bytes(b"<script>alert(1)</script>")
    page = looking.get(f"{PLACE}/{PAGE.sha256}")
    assert page.headers["content-disposition"].startswith("attachment")

    damage(folder / HERE.sha256[:2] / HERE.sha256[2:])
    damaged = looking.get(f"{PLACE}/{HERE.sha256}")
    assert damaged.status_code >= 500
    assert "is damaged" in damaged.json()["detail"]
