"""`labwright tokens`: shown once or put into a private file, kept by hash alone, refused once they are revoked."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from controller.domain.token import digest_of, is_token
from tests.controller.cli.conftest import Call


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "lab.db"


def kept(store: Path) -> bytes:
    return b"".join(path.read_bytes() for path in store.parent.glob("lab.db*"))


def test_token_is_shown_once_and_kept_by_its_hash_alone(call: Call, store: Path) -> None:
    made = call("tokens", "new", "ada", "--role", "operate", "--store", store, "--json").json
    assert is_token(made["token"])
    said = call("tokens", "list", "--store", store, "--json")
    (row,) = said.json
    assert (row["name"], row["role"], row["status"]) == ("ada", "operate", "valid")
    assert made["token"] not in said.out
    assert digest_of(made["token"]) not in said.out
    assert made["token"].encode() not in kept(store)
    assert digest_of(made["token"]).encode() in kept(store)


def test_token_in_a_file_is_its_owners_and_is_not_shown(call: Call, store: Path, tmp_path: Path) -> None:
    file = tmp_path / "ada.header"
    said = call("tokens", "new", "ada@phone", "--file", file, "--store", store)
    name, _, token = file.read_text().strip().partition(": Bearer ")
    assert name == "Authorization"
    assert is_token(token)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert token not in said.out + said.err
    assert "look token of ada@phone" in said.out


def test_file_that_is_there_is_not_overwritten_and_no_token_is_left_behind(call: Call, store: Path, tmp_path: Path) -> None:
    file = tmp_path / "ada.header"
    file.write_text("mine")
    assert call("tokens", "new", "ada", "--file", file, "--store", store).code == 2
    assert call("tokens", "new", "ada", "--file", tmp_path / "nowhere" / "x", "--store", store).code == 2
    assert file.read_text() == "mine"
    assert call("tokens", "list", "--store", store, "--json").json == []


def test_revoked_name_may_be_given_anew(call: Call, store: Path) -> None:
    first = call("tokens", "new", "ada", "--store", store, "--json").json
    again = call("tokens", "new", "ada", "--store", store)
    assert again.code == 2
    assert "labwright tokens revoke ada" in again.err
    assert call("tokens", "revoke", "ada", "--store", store, "--json").json["revoked"] == first["id"]
    second = call("tokens", "new", "ada", "--store", store, "--json").json
    assert call("tokens", "revoke", second["id"], "--store", store).code == 0
    assert [row["status"] for row in call("tokens", "list", "--store", store, "--json").json] == ["revoked", "revoked"]
    gone = call("tokens", "revoke", "ada", "--store", store)
    assert gone.code == 2
    assert "it has ended already" in gone.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["a/b"], [""], ["x", "--role", "king"], ["x", "--days", "0"], ["x", "--days", "-1"], ["x", "--days", "nan"],
        ["x", "--days", "1e9"],
    ],
)  # fmt: skip
def test_wrong_words_make_nothing(call: Call, store: Path, arguments: list[str]) -> None:
    assert call("tokens", "new", *arguments, "--store", store).code == 2
    assert not store.exists()


def test_empty_list_says_how_to_begin(call: Call, store: Path) -> None:
    assert "labwright tokens new NAME" in call("tokens", "list", "--store", store).out
