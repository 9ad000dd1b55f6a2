"""Where HTTP may be served: this machine without more, others only with TLS and somebody who has a token."""

from __future__ import annotations

import socket
import ssl
import time
from pathlib import Path

import httpx
import pytest
import trustme

from controller.api.certificate import Renewal
from controller.api.serving import check_people, serving_at
from controller.domain.access import Role
from controller.errors import ConflictError, MissingExtraError
from controller.store.opening import Store
from tests.controller.api.people import bearer, enter
from tests.controller.api.process import certified, served, wait_for_health


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path, ssl.SSLContext]:
    return certified(tmp_path)


@pytest.mark.parametrize("address", ["127.0.0.1:8765", "localhost:8765", "[::1]:8765", "127.8.9.1:0"])
def test_this_machine_alone_needs_nothing(address: str, tmp_path: Path) -> None:
    serving = serving_at(address)
    assert (serving.local, serving.encrypted) == (True, False)
    check_people(serving, f"sqlite:///{tmp_path / 'nothing.db'}")


@pytest.mark.parametrize("address", ["0.0.0.0:8765", "[::]:8765", "192.168.1.7:8765", "8.8.8.8:1"])
def test_other_machines_are_not_served_without_tls(address: str) -> None:
    with pytest.raises(ConflictError, match="without TLS anybody on the way reads the tokens"):
        serving_at(address)


@pytest.mark.parametrize(
    "address",
    ["8765", ":8765", "bench:8765", "http://127.0.0.1:8765", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "a@127.0.0.1:1",
     "127.0.0.1:1/x", ""],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_the_form(address: str) -> None:
    with pytest.raises(ConflictError, match="expected HOST:PORT, for example"):
        serving_at(address)


def test_certificate_and_key_belong_together_and_the_key_to_its_owner(
    certificate: tuple[Path, Path, ssl.SSLContext], tmp_path: Path
) -> None:
    cert, key, _ = certificate
    with pytest.raises(ConflictError, match="belong together"):
        serving_at("0.0.0.0:0", certificate=cert)
    with pytest.raises(ConflictError, match="there is no such file"):
        serving_at("0.0.0.0:0", certificate=cert, key=tmp_path / "nowhere.pem")
    key.chmod(0o640)
    with pytest.raises(ConflictError, match="chmod 600"):
        serving_at("0.0.0.0:0", certificate=cert, key=key)


def test_certificate_and_key_that_do_not_fit_are_refused(
    certificate: tuple[Path, Path, ssl.SSLContext], tmp_path: Path
) -> None:
    cert, key, _ = certificate
    other = tmp_path / "other.pem"
    other.touch(mode=0o600)
    other.write_bytes(trustme.CA().issue_cert("127.0.0.1").private_key_pem.bytes())
    with pytest.raises(ConflictError, match="KEY_VALUES_MISMATCH; both in PEM"):
        serving_at("127.0.0.1:0", certificate=cert, key=other)
    other.write_text("no key at all")
    with pytest.raises(ConflictError, match="both in PEM"):
        serving_at("127.0.0.1:0", certificate=cert, key=other)
    with pytest.raises(ConflictError, match="both in PEM"):
        serving_at("127.0.0.1:0", certificate=key, key=key)


def test_other_machines_are_not_served_before_somebody_has_a_token(
    certificate: tuple[Path, Path, ssl.SSLContext], tmp_path: Path
) -> None:
    cert, key, _ = certificate
    serving, url = serving_at("0.0.0.0:0", certificate=cert, key=key), f"sqlite:///{tmp_path / 'store.db'}"
    with pytest.raises(ConflictError, match="nobody has a valid token"):
        check_people(serving, url)
    enter(url, "rex", Role.LOOK, revoked=True)
    enter(url, "eve", Role.LOOK, days=-1.0)
    with pytest.raises(ConflictError, match="nobody has a valid token"):
        check_people(serving, url)
    enter(url, "ada", Role.LOOK)
    check_people(serving, url)


def test_address_that_is_taken_is_told(tmp_path: Path) -> None:
    del tmp_path
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConflictError, match="choose another address or port"):
        serving_at(f"127.0.0.1:{taken.getsockname()[1]}").listen()


def test_tls_is_spoken_and_nothing_else(certificate: tuple[Path, Path, ssl.SSLContext], tmp_path: Path) -> None:
    cert, key, trusting = certificate
    url = f"sqlite:///{tmp_path / 'store.db'}"
    Store.open(url).close()
    token = enter(url, "ada", Role.LOOK)
    serving = serving_at("0.0.0.0:0", certificate=cert, key=key, names=["bench.example"])
    with served(tmp_path, url, serving=serving) as api, httpx.Client(verify=trusting, headers=bearer(token), timeout=30) as client:
        assert api.url.startswith("https://127.0.0.1:")
        assert client.get(f"{api.url}/v1/whoami").json()["name"] == "ada"
        assert client.get(f"{api.url}/v1/whoami", headers={"Host": "bench.example"}).status_code == 200
        assert client.get(f"{api.url}/v1/whoami", headers={"Host": "other.example"}).status_code == 421
        with pytest.raises(httpx.TransportError):
            httpx.get(api.url.replace("https", "http") + "/v1/health")
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(f"{api.url}/v1/health")


def test_renewed_certificate_is_served_without_a_restart(
    certificate: tuple[Path, Path, ssl.SSLContext], tmp_path: Path
) -> None:
    cert, key, trusted = certificate
    (tmp_path / "later").mkdir()
    later_cert, later_key, later_trusted = certified(tmp_path / "later")
    serving = serving_at("127.0.0.1:0", certificate=cert, key=key)
    with served(tmp_path, f"sqlite:///{tmp_path / 's.db'}", serving=serving) as process:
        wait_for_health(process.url, verify=trusted)
        cert.write_bytes(cert.read_bytes()[:100])  # half a file, as it may be seen while it is written
        time.sleep(0.1)
        later_key.replace(key)
        later_cert.replace(cert)
        wait_for_health(process.url, verify=later_trusted)
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(f"{process.url}/v1/health", verify=trusted, timeout=30.0)
        assert "was renewed and is served from now on" in process.said


def test_pair_that_does_not_fit_leaves_the_one_before(certificate: tuple[Path, Path, ssl.SSLContext], tmp_path: Path) -> None:
    cert, key, _ = certificate
    (tmp_path / "later").mkdir()
    _, later_key, _ = certified(tmp_path / "later")
    taken: list[str] = []

    class Context(ssl.SSLContext):
        def load_cert_chain(self, *files: object, **options: object) -> None:
            taken.append(str(files))
            super().load_cert_chain(*files, **options)  # type: ignore[arg-type]

    renewal = Renewal(Context(ssl.PROTOCOL_TLS_SERVER), cert, key)
    later_key.replace(key)
    renewal.refresh()
    assert taken == []


def test_missing_package_is_told_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.api.serving.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'labwright\[http\]'"):
        serving_at("127.0.0.1:8765")
