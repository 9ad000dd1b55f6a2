"""Addresses of stores, and where things are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.errors import SettingError, StoreError
from controller.settings import (
    FLIGHT_VARIABLE,
    HOME_VARIABLE,
    default_store_url,
    flight_bytes,
    folder_of,
    normalise_url,
    redact,
    sqlite_file,
    state_folder,
)


def test_state_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    assert state_folder() == tmp_path
    monkeypatch.delenv(HOME_VARIABLE)
    assert state_folder().name == "labwright"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lab.db", "sqlite:///{cwd}/lab.db"),
        ("a/../lab.db", "sqlite:///{cwd}/lab.db"),
        ("/data/lab.db", "sqlite:////data/lab.db"),
        ("sqlite:///lab.db", "sqlite:///{cwd}/lab.db"),
        ("sqlite:////data/lab.db", "sqlite:////data/lab.db"),
        (" /data/with blank.db ", "sqlite:////data/with blank.db"),
        ("postgres://u:p@h/db", "postgresql://u:p@h/db"),
        ("postgresql+psycopg://u@h:5433/db", "postgresql://u@h:5433/db"),
        ("postgresql:///db?host=/run/pg", "postgresql:///db?host=/run/pg"),
    ],
)
def test_normalise_url_gives_one_form(
    text: str, expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert normalise_url(text) == expected.format(cwd=tmp_path)
    assert normalise_url(normalise_url(text)) == normalise_url(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "names no file"),
        (":memory:", "names no file"),
        ("sqlite://", "names no file"),
        ("sqlite:///", "names no file"),
        ("sqlite:///x.db?mode=ro", "not accepted"),
        ("mysql://u:word@h/db", "no kind of store"),
        ("postgresql://u:word@h", "names no database"),
        ("postgresql://u:word@h:none/db", "[Pp]ort"),
        ("/tmp", "is a folder"),
    ],
)
def test_normalise_url_refuses_what_is_no_store(text: str, reason: str) -> None:
    with pytest.raises(StoreError, match=reason) as caught:
        normalise_url(text)
    assert "word" not in str(caught.value)


def test_default_stores_of_real_and_simulated_data_share_no_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    assert folder_of(default_store_url(simulated=True)) == tmp_path / "simulated"
    assert folder_of(default_store_url(simulated=False)) == tmp_path


def test_folder_of_a_named_file_is_beside_it() -> None:
    assert folder_of("sqlite:////data/bench.db") == Path("/data/bench.files")
    assert sqlite_file("sqlite:////data/bench.db") == Path("/data/bench.db")
    assert sqlite_file("postgresql://h/db") is None


def test_folder_of_a_server_ignores_the_password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    folder = folder_of("postgresql://u:one@h/db")
    assert folder == folder_of("postgresql://u:two@h/db") == folder_of("postgresql://u@h/db?password=three")
    assert folder.parent == tmp_path / "stores"
    assert folder != folder_of("postgresql://u:one@h/other")


@pytest.mark.parametrize(
    "text",
    ["postgresql://u:p%40ss:w0rd@h/db", "no luck with postgresql://u:p@ss:w0rd@h/db, sorry", "host=h password=w0rd"],
)
def test_redact_hides_passwords(text: str) -> None:
    assert "w0rd" not in redact(text)


@pytest.mark.parametrize(("text", "size"), [("", 64_000_000), ("0", 0), ("1", 1_000_000), (" 2.5 ", 2_500_000)])
def test_size_of_the_flight_recording_is_read(monkeypatch: pytest.MonkeyPatch, text: str, size: int) -> None:
    monkeypatch.setenv(FLIGHT_VARIABLE, text)
    assert flight_bytes() == size


@pytest.mark.parametrize("text", ["much", "-1", "0.5", "nan", "inf", "1e9"])
def test_size_that_cannot_be_is_refused_with_its_place(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(FLIGHT_VARIABLE, text)
    with pytest.raises(SettingError, match=r"LABWRIGHT_FLIGHT_MB=.* must be 0 .none. or a number of MB from 1 to 1e6"):
        flight_bytes()
