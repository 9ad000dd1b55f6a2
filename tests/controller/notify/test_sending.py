"""Messages arrive as they were written, signed where that is wanted; what went wrong is said without a single secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import logging
import time
from pathlib import Path

import pytest

from controller.domain.notification import Notice, Target, Topic
from controller.notify.outbox import Message
from controller.notify.sending import NotSentError, objection, place_of, send, signature
from tests.controller.notify.receiver import Receiver

MESSAGE = Message("0193-id", "hook", 1_780_000_000.5, "flow-1: 1 unknown", "experiment 7 is unknown: Übertemperatur")
NOTICE = Notice("event-1", Topic.UNKNOWN, "flow-1", "experiment 7 is unknown", 1_780_000_000.0, False, 7)


def test_webhook_is_signed_as_its_receiver_checks_it(inbox: Receiver, tmp_path: Path) -> None:
    key = b"0123456789abcdef01234567"
    secret = "whsec_" + base64.b64encode(key).decode()
    send(Target(webhook=inbox.webhook, secret=secret), tmp_path, MESSAGE, [NOTICE])
    headers, content, body = inbox.taken[0]
    # As the specification of Standard Webhooks tells a receiver to do it.
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    assert headers["webhook-signature"] == "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    assert content["title"] == MESSAGE.title
    assert content["text"] == MESSAGE.text
    assert content["notices"] == [{
        "key": "event-1", "topic": "unknown", "campaign": "flow-1", "text": "experiment 7 is unknown",
        "at": "2026-05-28T20:26:40.000Z", "simulated": False, "experiment": 7,
    }]  # fmt: skip


def test_signature_is_that_of_the_specification() -> None:
    # The example of github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md.
    body = b'{"test": 2432232314}'
    told = signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert told == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_webhook_goes_nowhere_else(inbox: Receiver, tmp_path: Path) -> None:
    inbox.status, inbox.location = 307, inbox.webhook
    with pytest.raises(NotSentError, match="307"):
        send(Target(webhook=inbox.webhook), tmp_path, MESSAGE, [NOTICE])
    assert len(inbox.refused) == 1


def test_webhook_with_a_password_is_refused_before_it_is_taken_for_a_host(tmp_path: Path) -> None:
    target = Target(webhook="https://ada:hunter22@127.0.0.1:9/hook")
    told = objection(target, tmp_path)
    assert told is not None
    assert "names no user and no password" in told
    assert "hunter22" not in told


def test_apprise_takes_a_message(inbox: Receiver, tmp_path: Path) -> None:
    send(Target(url=f"json://127.0.0.1:{inbox.port}/path"), tmp_path, MESSAGE, [NOTICE])
    _, content, _ = inbox.taken[0]
    assert (content["title"], content["message"]) == (MESSAGE.title, MESSAGE.text)
    inbox.status = 500
    with pytest.raises(NotSentError, match="500"):
        send(Target(url=f"json://127.0.0.1:{inbox.port}/path"), tmp_path, MESSAGE, [NOTICE])


@pytest.mark.parametrize(
    "target",
    [
        Target(url="json://ada:hunter22@127.0.0.1:9/s3cretpath?+x-key=t0ken%20two"),
        Target(webhook="http://ada:hunter22@127.0.0.1:9/s3cretpath?key=t0ken%20two", secret="whsec_nothing"),
        Target(webhook="http://127.0.0.1:9/s3cretpath", secret="hunter22"),
        Target(webhook="gopher://host/s3cretpath/hunter22"),
        Target(url="nosuchservice://ada:hunter22@host/s3cretpath"),
        Target(url="hunter22-s3cretpath"),
        Target(url={"env": "LABWRIGHT_TEST_HOOK"}),
        Target(webhook={"file": "hook.url"}),
    ],
    ids=["apprise", "webhook", "secret", "scheme", "service", "no-url", "environment", "file"],
)
def test_problem_names_no_secret(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LABWRIGHT_TEST_HOOK", "json://ada:hunter22@127.0.0.1:9/s3cretpath")
    (tmp_path / "hook.url").touch(mode=0o600)
    (tmp_path / "hook.url").write_text("http://127.0.0.1:9/s3cretpath/hunter22\n")
    written = io.StringIO()
    log, handler = logging.getLogger(), logging.StreamHandler(written)
    log.addHandler(handler)  # as a daemon's
    try:
        with pytest.raises(NotSentError) as error:
            send(target, tmp_path, MESSAGE, [NOTICE])
        said = str(error.value) + place_of(target, tmp_path) + (objection(target, tmp_path) or "")
    finally:
        log.removeHandler(handler)
    said += written.getvalue() + "".join(capfd.readouterr())
    assert str(error.value)
    assert [secret for secret in ("hunter22", "s3cretpath", "t0ken") if secret in said] == []


def test_secret_file_of_everybody_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hook.url").touch(mode=0o644)
    assert "chmod 600" in str(objection(Target(webhook={"file": "hook.url"}), tmp_path))
    assert "is not set" in str(objection(Target(url={"env": "LABWRIGHT_NOT_SET"}), tmp_path))


def test_server_that_speaks_no_http_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    import socket
    import threading

    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            taken, _ = listening.accept()
            with taken:
                taken.recv(65536)
                taken.sendall(b"\x00\xff not http\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(NotSentError, match=r"no HTTP|refused|reset|closed"):
            send(Target(webhook=f"http://127.0.0.1:{listening.getsockname()[1]}/"), tmp_path, MESSAGE, [NOTICE])
        thread.join(30)
