"""What every request passes: host, origin, size, rate; and connections that say nothing, half of it, or do not listen."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn

from controller.api import connections, limits
from controller.api.__main__ import _Server
from controller.api.app import make_app
from controller.api.connections import BoundedConnection
from controller.api.desk import Desk
from controller.api.limits import AT_ONCE, MOST_BODY, MOST_HEAD, Bucket
from controller.api.problems import RefusedError
from controller.api.workers import Workers
from tests.controller.api.conftest import Client
from tests.controller.api.people import bearer
from tests.controller.api.process import Served, ask

Here = tuple[str, int, uvicorn.Server]


def raw(api: Served, request: bytes, *, wait: float = 10.0) -> bytes:
    """Say something to the server and return what it answers until it ends the connection."""
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=wait) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:1", 200), ("localhost", 200), ("LOCALHOST:8765", 200), ("[::1]:8765", 200), ("10.0.0.7", 200),
        (f"{socket.gethostname()}:8765", 200), ("evil.example", 421), ("evil.example:8765", 421), ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421), ("", 421), ("127.0.0.1@evil.example", 421), ("[::1].evil.example", 421),
    ],
)  # fmt: skip
def test_only_names_of_this_machine_are_answered(api: Served, host: str, status: int) -> None:
    answer = raw(api, f"GET /v1/health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer


def test_page_of_another_site_may_ask_nothing(api: Served, client: Client) -> None:
    looking = client()
    host = api.url.removeprefix("http://")
    assert looking.get("/campaigns", headers={"Origin": f"http://{host}"}).status_code == 200
    for origin in ("https://evil.example", "null", "http://[", f"http://{host}.evil.example", "http://localhost:1"):
        assert looking.get("/campaigns", headers={"Origin": origin}).status_code == 403
    asked = looking.options("/campaigns", headers={"Origin": f"http://{host}", "Access-Control-Request-Method": "GET"})
    assert asked.status_code == 405
    assert not [name for name in asked.headers if name.startswith("access-control-")]


def test_body_that_is_too_long_is_refused_before_it_is_read(client: Client, api: Served) -> None:
    operating = client("operate")
    assert operating.post("/instruments/stop", content=b"x" * (MOST_BODY + 1)).status_code == 413

    def parts() -> Iterator[bytes]:
        for _ in range(40):
            yield b"x" * 65536

    assert operating.post("/instruments/stop", content=parts()).status_code == 413


def test_head_that_is_too_long_is_refused(api: Served) -> None:
    head = b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX: "
    assert raw(api, head + b"x" * (MOST_HEAD + 1000)).startswith(b"HTTP/1.1 400 ")
    assert ask("get", f"{api.url}/v1/health").status_code == 200


@pytest.mark.parametrize(
    "junk",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n\r\n", b"\x00" * 1000 + b"\r\n\r\n", b"SSH-2.0-x\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n",
        b"POST /v1/campaigns HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /v1/campaigns HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    ],
)  # fmt: skip
def test_junk_is_refused_and_the_next_is_served(api: Served, junk: bytes) -> None:
    answer = raw(api, junk + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert ask("get", f"{api.url}/v1/health").status_code == 200


def test_changed_requests_are_answered_or_cut_off_and_the_server_stays(api: Served, people: dict[str, str | None]) -> None:
    """Bytes of a good request are changed, left out, doubled and put in; whatever comes back is HTTP and no server's error."""
    draw = random.Random(7)
    body = b'{"instruments": ["nowhere"]}'
    good = (
        f"POST /v1/instruments/stop HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {people['operate']}\r\n"
        f"Content-Type: application/json\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    assert raw(api, good).startswith(b"HTTP/1.1 404 ")
    for _ in range(300):
        changed = bytearray(good)
        for _ in range(draw.randint(1, 4)):
            at = draw.randrange(len(changed))
            match draw.randrange(4):
                case 0:
                    changed[at] = draw.randrange(256)
                case 1:
                    del changed[at : at + draw.randint(1, 20)]
                case 2:
                    changed[at:at] = draw.randbytes(draw.randint(1, 20))
                case _:
                    changed[at:at] = changed[at : at + 40]
        host, port = api.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection, contextlib.suppress(ConnectionError):
            connection.sendall(bytes(changed))
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while part := connection.recv(65536):
                answer += part
            assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 200")), (bytes(changed), answer[:200])
    assert ask("get", f"{api.url}/v1/health").status_code == 200
    assert "Traceback" not in api.said


def test_stop_is_never_asked_for_too_often(client: Client) -> None:
    operating = client("operate")
    answers = {operating.post("/instruments/stop", json={"instruments": ["nowhere"]}).status_code for _ in range(int(AT_ONCE) + 50)}
    assert answers == {404}


def test_too_many_requests_are_told_when_to_come_again(people: dict[str, str | None], url: str, tmp_path: Path) -> None:
    from tests.controller.api.process import served

    with served(tmp_path, url) as api, httpx.Client(base_url=f"{api.url}/v1") as some:
        codes = [some.get("/whoami").status_code for _ in range(200)]
        assert set(codes) == {401, 429}
        busy = some.get("/whoami")
        assert busy.status_code == 429
        assert int(busy.headers["retry-after"]) >= 1
        # Strangers take nothing away from those who have a token.
        assert some.get("/whoami", headers=bearer(people["look"])).status_code == 200


def test_bucket_admits_some_at_once_and_more_with_time() -> None:
    bucket = Bucket(per_second=2.0, at_once=3.0)
    assert [bucket.wait_s(10.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.wait_s(10.0) == pytest.approx(0.5)
    assert bucket.wait_s(10.25) == pytest.approx(0.25)
    assert bucket.wait_s(10.5) == 0.0
    assert [bucket.wait_s(1000.0) for _ in range(4)] == [0.0, 0.0, 0.0, pytest.approx(0.5)]


async def test_workers_take_no_more_than_they_can_and_keep_the_place_of_what_goes_on() -> None:
    workers, go = Workers("testing", at_once=1, waiting=1), asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold() -> int:
        asyncio.run_coroutine_threadsafe(go.wait(), loop).result()
        return 7

    with pytest.raises(RefusedError, match=r"more than 0\.01 s and goes on"):
        await workers.do(hold, patience_s=0.01)
    second = asyncio.create_task(workers.do(hold, patience_s=10))
    await asyncio.sleep(0)
    with pytest.raises(RefusedError, match="too many are testing"):
        await workers.do(hold, patience_s=10)
    go.set()
    assert await second == 7
    assert await workers.do(lambda: 8, patience_s=10) == 8
    workers.close()


@pytest.fixture
async def here(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Here]:
    """The same server in this process, with short times and few connections."""
    for module in (connections, limits):
        monkeypatch.setattr(module, "REQUEST_S", 0.6)
        monkeypatch.setattr(module, "READING_S", 0.6)
        monkeypatch.setattr(module, "MOST_CONNECTIONS", 5)
    (tmp_path / "beat").touch()
    desk = Desk([url], tmp_path / "beat")
    config = uvicorn.Config(
        make_app(desk, frozenset({"localhost"}), "0"), http=BoundedConnection, ws="none", lifespan="off", log_config=None,
        loop="asyncio", timeout_keep_alive=1, timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = _Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    task = asyncio.create_task(server._serve([listening]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield "127.0.0.1", port, server
    server.should_exit = True
    await task
    desk.close()


async def ended(reader: asyncio.StreamReader) -> None:
    """Wait until the server has ended a connection."""
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionError):
            while await reader.read(1000):
                pass


POST = b"POST /v1/campaigns HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize(
    "half",
    [b"", b"GET /v1/hea", b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n", POST + b"Content-Length: 5\r\n\r\n12"],
    ids=["nothing", "half a line", "half a head", "half a body"],
)  # fmt: skip
async def test_half_a_request_is_cut_off_in_time(here: Here, people: dict[str, str | None], half: bytes) -> None:
    reader, writer = await asyncio.open_connection(*here[:2])
    token = f"Authorization: Bearer {people['administer']}\r\n".encode()
    writer.write(half.replace(POST, POST + token))
    await ended(reader)
    writer.close()


async def test_drip_of_single_bytes_gains_no_time(here: Here) -> None:
    reader, writer = await asyncio.open_connection(*here[:2])

    async def drip() -> None:
        for byte in b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n" * 100:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip())
    await ended(reader)
    dripping.cancel()
    await asyncio.gather(dripping, return_exceptions=True)
    writer.close()


async def test_second_request_of_a_connection_must_be_whole_in_time_too(here: Here) -> None:
    reader, writer = await asyncio.open_connection(*here[:2])
    writer.write(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await reader.readuntil(b'ok"}')).startswith(b"HTTP/1.1 200 ")
    writer.write(b"GET /v1/he")
    await ended(reader)
    writer.close()


async def test_who_comes_when_all_connections_are_taken_is_served_in_the_place_of_who_says_nothing(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "REQUEST_S", 60.0)
    silent = [await asyncio.open_connection(*here[:2]) for _ in range(30)]
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"http://127.0.0.1:{here[1]}/v1/health")).status_code == 200
    # The oldest were cut off for those who came later, before their time was over.
    cut = [reader.at_eof() or reader.exception() is not None for reader, _ in silent]
    assert all(cut[:24])
    assert len(here[2].server_state.connections) <= 5
    for _, writer in silent:
        writer.close()


async def test_who_does_not_listen_is_cut_off(here: Here, people: dict[str, str | None]) -> None:
    _, port, server = here
    loop, connection = asyncio.get_running_loop(), socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    await loop.sock_connect(connection, ("127.0.0.1", port))
    asked = "GET /v1/campaigns/sample/export?format=json HTTP/1.1\r\nHost: localhost\r\n"
    request = f"{asked}Authorization: Bearer {people['look']}\r\n\r\n".encode()

    async def ask() -> None:
        while True:
            await loop.sock_sendall(connection, request)

    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(20):
            await ask()
    async with asyncio.timeout(5):
        while server.server_state.connections:
            await asyncio.sleep(0.05)
    connection.close()


def test_process_that_serves_loads_no_model() -> None:
    probe = "import sys, controller.api.__main__, controller.files.loading; print({'torch', 'botorch', 'zmq'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, timeout=60, check=True)
    assert "torch" not in done.stdout
