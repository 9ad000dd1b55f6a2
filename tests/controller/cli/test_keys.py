"""`labwright keys`: pairs are made and entered as one, nothing secret is told, and the list keeps what was."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from controller.errors import StoreError
from controller.store.opening import Store
from instruments.transport.keys import is_key, new_pair, read_pair, write_pair
from tests.controller.cli.conftest import Call


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "lab.db"


def test_new_key_is_on_the_list_and_its_secret_in_a_private_file(call: Call, store: Path) -> None:
    made = call("keys", "new", "hplc", "--driver", "--store", store, "--json").json
    path = Path(made["file"])
    assert (made["kind"], made["instruments"], made["role"]) == ("driver", ["hplc"], None)
    assert path == store.parent / "lab.files" / "keys" / "hplc.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_pair(path).public == made["public_key"]
    said = call("keys", "list", "--store", store, "--json")
    (row,) = said.json
    assert (row["name"], row["status"], row["instruments"], row["public_key"]) == ("hplc", "valid", ["hplc"], made["public_key"])
    secret = read_pair(path).secret
    assert secret not in said.out
    assert not any(secret.encode() in p.read_bytes() for p in store.parent.glob("lab.db*"))


def test_text_answer_tells_no_secret(call: Call, store: Path) -> None:
    said = call("keys", "new", "ann", "--person", "--role", "operate", "--store", store)
    path = store.parent / "lab.files" / "keys" / "ann.key"
    assert "ann" in said.out
    assert read_pair(path).secret not in said.out


def test_controller_key_comes_with_a_file_that_may_be_carried_away(call: Call, store: Path) -> None:
    made = call("keys", "new", "lab", "--controller", "--store", store, "--json").json
    keys = store.parent / "lab.files" / "keys"
    assert Path(made["file"]) == keys / "controller.key"
    assert (keys / "controller.pub").read_text().strip() == made["public_key"]
    assert call("keys", "new", "lab2", "--controller", "--store", store).code == 1
    assert read_pair(keys / "controller.key").public == made["public_key"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["x"], ["x", "--driver", "--person"], ["x", "--driver", "--role", "look"], ["x", "--person", "--role", "king"],
        ["x", "--person", "--instrument", "hplc"], ["a/b", "--driver"], ["x", "--driver", "--instrument", "a/b/c"],
        ["../x", "--driver"], ["x", "--controller", "--file", "elsewhere"], ["", "--driver"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_key_that_cannot_be_is_refused_and_nothing_is_made(arguments: list[str], call: Call, store: Path) -> None:
    assert call("keys", "new", *arguments, "--store", store).code == 2
    assert not list(store.parent.rglob("*.key"))
    assert call("keys", "list", "--store", store, "--json").json == []


def test_second_valid_key_of_a_name_is_refused_and_leaves_no_file(call: Call, store: Path, tmp_path: Path) -> None:
    call("keys", "new", "hplc", "--driver", "--store", store)
    refused = call("keys", "new", "hplc", "--driver", "--file", tmp_path / "other.key", "--store", store, "--json")
    assert (refused.code, refused.error["type"]) == (2, "ConflictError")
    assert "labwright keys rotate hplc" in refused.error["error"]
    assert not (tmp_path / "other.key").exists()


def test_pair_made_elsewhere_is_entered_by_its_public_key(call: Call, store: Path, tmp_path: Path) -> None:
    path = tmp_path / "far.key"
    public = call("keys", "pair", path, "--json").json["public_key"]
    assert read_pair(path).public == public
    assert call("keys", "pair", path).code == 1  # never overwritten
    made = call("keys", "new", "far", "--driver", "--public-key", public, "--store", store, "--json").json
    assert (made["public_key"], made["file"]) == (public, None)
    again = call("keys", "new", "far2", "--driver", "--public-key", public, "--store", store)
    assert (again.code, "on the list already" in again.err) == (2, True)
    bad = call("keys", "new", "far3", "--driver", "--public-key", "nonsense", "--store", store)
    assert (bad.code, "neither a public key" in bad.err) == (1, True)


@pytest.mark.parametrize(("name", "public"), [("far.key", "far.pub"), ("far", "far.pub"), ("far-1.5", "far-1.5.pub")])
def test_public_key_is_put_beside_its_pair(call: Call, tmp_path: Path, name: str, public: str) -> None:
    made = call("keys", "pair", tmp_path / name, "--json").json
    assert (tmp_path / public).read_text().strip() == made["public_key"]
    assert read_pair(tmp_path / name).public == made["public_key"]


def test_pair_takes_the_place_of_no_public_key(call: Call, tmp_path: Path) -> None:
    (tmp_path / "far.pub").write_text("another's")
    assert call("keys", "pair", tmp_path / "far").code == 2
    assert [p.name for p in tmp_path.glob("far*")] == ["far.pub"]
    made = call("keys", "pair", tmp_path / "odd.pub", "--json").json
    assert read_pair(tmp_path / "odd.pub").public == made["public_key"]


def test_rotated_key_replaces_its_file_and_the_old_one_ends_after_its_grace(call: Call, store: Path) -> None:
    first = call("keys", "new", "hplc", "--driver", "--instrument", "hplc", "--instrument", "b/uv", "--store", store, "--json").json
    second = call("keys", "rotate", "hplc", "--grace", "60", "--store", store, "--json").json
    assert second["instruments"] == ["hplc", "b/uv"]
    assert read_pair(Path(first["file"])).public == second["public_key"] != first["public_key"]
    old, new = call("keys", "list", "--store", store, "--json").json
    assert (old["status"], new["status"]) == ("expiring", "valid")
    call("keys", "rotate", "hplc", "--grace", "0", "--store", store)
    statuses = [row["status"] for row in call("keys", "list", "--store", store, "--json").json]
    assert statuses == ["revoked", "revoked", "valid"]
    assert [p.name for p in Path(first["file"]).parent.iterdir()] == ["hplc.key"]


def test_rotation_that_cannot_be_stored_leaves_the_file_as_it_was(
    call: Call, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = call("keys", "new", "hplc", "--driver", "--store", store, "--json").json

    def fail(*_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(Store, "change_keys", fail)
    assert call("keys", "rotate", "hplc", "--store", store).code == 5
    path = Path(first["file"])
    assert read_pair(path).public == first["public_key"]
    assert [p.name for p in path.parent.iterdir()] == ["hplc.key"]


def test_rotation_of_a_pair_that_is_elsewhere_asks_where(call: Call, store: Path) -> None:
    call("keys", "new", "far", "--driver", "--public-key", new_pair().public, "--store", store)
    asked = call("keys", "rotate", "far", "--store", store)
    assert (asked.code, "--file" in asked.err, "--public-key" in asked.err) == (2, True, True)
    public = new_pair().public
    assert call("keys", "rotate", "far", "--public-key", public, "--store", store, "--json").json["public_key"] == public


def test_revoked_key_stays_on_the_list_and_its_name_is_free_again(call: Call, store: Path, tmp_path: Path) -> None:
    made = call("keys", "new", "hplc", "--driver", "--store", store, "--json").json
    assert call("keys", "revoke", made["public_key"], "--store", store, "--json").json["revoked"] == [made["public_key"]]
    again = call("keys", "revoke", "hplc", "--store", store)
    assert (again.code, "revoked already" in again.err) == (2, True)
    call("keys", "new", "hplc", "--driver", "--file", tmp_path / "b.key", "--store", store)
    statuses = [row["status"] for row in call("keys", "list", "--store", store, "--json").json]
    assert statuses == ["revoked", "valid"]
    call("keys", "new", "lab", "--controller", "--store", store)
    assert call("keys", "revoke", "lab", "--store", store).code == 2


def test_empty_list_says_how_to_begin(call: Call, store: Path) -> None:
    assert "labwright keys new NAME --controller" in call("keys", "list", "--store", store).out


def test_public_keys_are_never_taken_for_options() -> None:
    pairs = [new_pair() for _ in range(300)]  # one in 85 would begin with a dash
    assert all(is_key(pair.public) and not pair.public.startswith("-") for pair in pairs)


def test_driver_serve_passes_keys_on_and_refuses_a_bad_one(tmp_path: Path) -> None:
    import subprocess
    import sys

    path = tmp_path / "k"
    write_pair(path, new_pair())
    path.chmod(0o644)
    done = subprocess.run(
        [sys.executable, "-m", "controller", "driver", "serve", "simulated-reactor", "--instrument", "x",
        "--controller", "tcp://127.0.0.1:1", "--journal", str(tmp_path / "j.db"), "--key", str(path),
        "--server-key", new_pair().public],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ},
    )  # fmt: skip
    assert done.returncode == 2
    assert "chmod 600" in done.stderr
    assert json.loads(path.read_text())["secret_key"] not in done.stderr
