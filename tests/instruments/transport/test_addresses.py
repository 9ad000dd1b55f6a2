"""Only this machine is listened on, and the rendezvous file is read whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from instruments.errors import AddressError, KeyFileError, TransportError
from instruments.transport.addresses import check_address, reached_here
from instruments.transport.base import Peer
from instruments.transport.rendezvous import Rendezvous, read_rendezvous, write_rendezvous
from instruments.transport.zeromq import ZeroMQClient, ZeroMQServer


@pytest.mark.parametrize(
    "address",
    [
        "tcp://*:5555", "tcp://0.0.0.0:5555", "tcp://10.0.0.5:5555", "tcp://example.org:5555", "tcp://127.0.0.1",
        "ipc:///tmp/x", "tcp://127.0.0.1.evil.org:1", "tcp://127.0.0.1:99999", "", "tcp://[::]:1", "tcp://0177.0.0.1:1",
        "tcp://[::1", "tcp://\u2100:1", "tcp://127.0.0.1:1?x", "tcp://127.0.0.1:1#x", "tcp://127.0.0.1:1/",
    ],
)  # fmt: skip
def test_address_beyond_this_machine_is_refused(address: str) -> None:
    with pytest.raises(AddressError):
        ZeroMQServer(address)


def test_loopback_addresses_are_taken() -> None:
    assert check_address("tcp://localhost:80", with_keys=False) == "tcp://127.0.0.1:80"
    assert check_address("tcp://127.8.0.1:0", with_keys=False, listening=True) == "tcp://127.8.0.1:0"


def test_refusal_to_leave_the_machine_names_the_remedy() -> None:
    with pytest.raises(AddressError, match="labwright keys new controller --controller"):
        check_address("tcp://0.0.0.0:5570", with_keys=False, listening=True)
    with pytest.raises(AddressError, match="--key FILE and --server-key KEY"):
        check_address("tcp://lab-pc:5570", with_keys=False)


def test_addresses_beyond_this_machine_are_taken_with_keys() -> None:
    assert check_address("tcp://*:5570", with_keys=True, listening=True) == "tcp://0.0.0.0:5570"
    assert check_address("tcp://lab-pc.example.org:5570", with_keys=True) == "tcp://lab-pc.example.org:5570"
    with pytest.raises(AddressError, match="listen on a number"):
        check_address("tcp://lab-pc:5570", with_keys=True, listening=True)
    with pytest.raises(AddressError, match="write the name of its machine"):
        check_address("tcp://0.0.0.0:5570", with_keys=True)


def test_what_listens_everywhere_is_reached_on_loopback() -> None:
    assert reached_here("tcp://0.0.0.0:5570") == "tcp://127.0.0.1:5570"
    assert reached_here("tcp://10.0.0.5:5570") == "tcp://10.0.0.5:5570"


async def test_port_in_use_is_a_clear_error() -> None:
    first = ZeroMQServer()
    address = await first.start()
    with pytest.raises(TransportError, match="is another controller there"):
        await ZeroMQServer(address).start()
    await first.close()


async def test_client_waits_for_a_rendezvous_file_and_refuses_a_foreign_place(tmp_path: Path) -> None:
    path = tmp_path / "state" / "rendezvous.json"
    client = ZeroMQClient(str(path), instrument="i", boot_id="b")
    assert not await client.connect()
    write_rendezvous(path, "tcp://10.1.1.1:5")
    with pytest.raises(AddressError, match="not on this machine"):
        await client.connect()
    write_rendezvous(path, "tcp://127.0.0.1:5", "session")
    assert await client.connect()
    assert read_rendezvous(path) == Rendezvous("tcp://127.0.0.1:5", "session")
    write_rendezvous(path, "tcp://127.0.0.1:5", "session", "k" * 40)
    with pytest.raises(KeyFileError, match="asks for a key: give --key FILE"):
        await client.connect()
    assert [p.name for p in path.parent.iterdir()] == ["rendezvous.json"]
    await client.close()


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"session": "x"}'])
def test_rendezvous_file_that_is_none_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "rendezvous.json"
    path.write_text(content)
    with pytest.raises(AddressError, match="the controller writes it"):
        read_rendezvous(path)


@pytest.mark.parametrize(
    "identity", [b"", b"\x00\x80\x00A", b"a/b", b"a/b/other", b"../x/data", b"a/b/data\n", b"x" * 300]
)
def test_routing_id_that_names_no_driver_is_none(identity: bytes) -> None:
    assert Peer.from_bytes(identity) is None


def test_routing_id_comes_back() -> None:
    peer = Peer("reactor-1", "abc", "control")
    assert Peer.from_bytes(peer.to_bytes()) == peer


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 200_000, b"9" * 100_000, b"\xff\xfe", b"[]", b"{}", b"null", b"\0" * 100])
def test_rendezvous_file_that_is_none_is_one_clean_fault(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "rendezvous.json").write_bytes(content)
    with pytest.raises(AddressError, match=r"rendezvous file .*rendezvous\.json"):
        read_rendezvous(tmp_path / "rendezvous.json")
