"""Files of keys: private from their first moment, whole or not there, and refused where others can read them."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from instruments.errors import KeyFileError
from instruments.transport.keys import KeyPair, is_key, new_pair, read_pair, read_public_key, write_pair
from instruments.transport.zeromq import ZeroMQClient


def test_pair_comes_back_from_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    path, pair = tmp_path / "keys" / "hplc.key", new_pair()
    write_pair(path, pair)
    assert read_pair(path) == pair
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [p.name for p in path.parent.iterdir()] == ["hplc.key"]


def test_pair_is_never_overwritten_unasked(tmp_path: Path) -> None:
    path, first, second = tmp_path / "k", new_pair(), new_pair()
    write_pair(path, first)
    with pytest.raises(KeyFileError, match="there already"):
        write_pair(path, second)
    assert read_pair(path) == first
    write_pair(path, second, replace=True)
    assert read_pair(path) == second
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_file_that_others_may_read_or_write_is_refused(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "k"
    write_pair(path, new_pair())
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=f"{mode:04o}.*chmod 600"):
        read_pair(path)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "3", "{}", '{"public_key": "x", "secret_key": "y"}', "\xff", '{"public_key": 3}']
)
def test_file_that_is_no_pair_is_refused_without_repeating_it(content: str, tmp_path: Path) -> None:
    path = tmp_path / "k"
    path.write_text(content, encoding="latin-1")
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="is not"):
        read_pair(path)


def test_public_key_of_another_pair_is_refused_and_no_secret_is_told(tmp_path: Path) -> None:
    path, one, other = tmp_path / "k", new_pair(), new_pair()
    path.write_text(json.dumps({"public_key": one.public, "secret_key": other.secret}))
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="not that of the secret key") as raised:
        read_pair(path)
    assert other.secret not in str(raised.value)


def test_secret_is_not_in_what_is_printed() -> None:
    pair = new_pair()
    assert pair.secret not in repr(pair)
    assert pair.public in repr(pair)


def test_public_key_is_read_from_text_and_from_files(tmp_path: Path) -> None:
    pair = new_pair()
    (tmp_path / "plain").write_text(pair.public + "\n")
    write_pair(tmp_path / "pair", pair)
    for text in (pair.public, str(tmp_path / "plain"), str(tmp_path / "pair")):
        assert read_public_key(text) == pair.public
    (tmp_path / "other").write_text("hello")
    for text in ("nothing", str(tmp_path / "other"), str(tmp_path)):
        with pytest.raises(KeyFileError):
            read_public_key(text)


def test_keys_are_forty_characters_that_can_be_decoded() -> None:
    assert is_key(new_pair().public)
    for text in ("", "x" * 39, "x" * 41, "#" * 40, "é" * 40, new_pair().public[:-1] + "\n"):
        assert not is_key(text)


def test_one_key_without_the_other_is_refused_at_once(tmp_path: Path) -> None:
    path, server = tmp_path / "k", new_pair()
    write_pair(path, new_pair())
    with pytest.raises(KeyFileError, match="--server-key"):
        ZeroMQClient("tcp://127.0.0.1:5", instrument="hplc", boot_id="b", key=path)
    with pytest.raises(KeyFileError, match="labwright keys new hplc --driver"):
        ZeroMQClient("tcp://127.0.0.1:5", instrument="hplc", boot_id="b", server_key=server.public)
    with pytest.raises(KeyFileError, match="is none"):
        ZeroMQClient("tcp://127.0.0.1:5", instrument="hplc", boot_id="b", key=path, server_key="#" * 40)
    with pytest.raises(KeyFileError, match="not there"):
        ZeroMQClient(str(tmp_path / "rendezvous.json"), instrument="hplc", boot_id="b", key=tmp_path / "none")
    assert isinstance(read_pair(path), KeyPair)
