"""Keys as their user meets them: a lab that other machines can reach, a driver with a key, rotated and revoked while it works."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.support import LABWRIGHT, Bench, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

DRIVER = '''
from pathlib import Path
from typing import Annotated

from instruments.sdk import ActionContext, Driver, Quantity, action


class Press(Driver):
    """Notes every stroke in a file."""

    def __init__(self, *, log: str, seconds: float = 0.0) -> None:
        self.log, self.seconds = Path(log), seconds

    @action(duration=(1.0, 60.0), consequence="irreversible", returns={"height": Quantity("mm")})
    def stroke(self, ctx: ActionContext, force: Annotated[float, Quantity("kN", low=1, high=10)]) -> dict[str, float]:
        """Press once."""
        with self.log.open("a") as log:
            log.write(f"{ctx.attempt}\\n")
        ctx.sleep(self.seconds)
        return {"height": 20.0 - force}
'''


def write_bench(bench: Bench) -> str:
    """Write a lab of two presses, one of them served from elsewhere; return the endpoint as the driver reaches it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (bench.folder / "press.py").write_text(DRIVER, encoding="utf-8")
    (bench.folder / "lab.yaml").write_text(
        f"""lab: press-lab
endpoint: tcp://0.0.0.0:{port}
instruments:
  far: {{driver: external}}
  near: {{driver: "press.py:Press", options: {{log: {bench.folder / "near.txt"}}}}}
protocol:
  - {{step: one, instrument: near, action: stroke, with: {{force: 5}}}}
  - {{step: two, instrument: far, action: stroke, with: {{force: $force}}, after: [one], gives: {{height: height}}}}
""",
        encoding="utf-8",
    )
    bench.campaign.write_text(
        """campaign: test
parameters:
  force: {type: continuous, bounds: [1, 10], unit: kN}
objectives:
  height: {goal: minimize, unit: mm}
budget: {experiments: 4}
lab: lab.yaml
""",
        encoding="utf-8",
    )
    return f"tcp://127.0.0.1:{port}"


def serve(bench: Bench, address: str, *keys: str) -> subprocess.Popen[bytes]:
    options = json.dumps({"log": str(bench.folder / "far.txt"), "seconds": 6.0})
    with (bench.folder / "far.log").open("ab") as log:
        return subprocess.Popen(
            [*LABWRIGHT, "driver", "serve", f"{bench.folder / 'press.py'}:Press", "--instrument", "far",
            "--controller", address, "--journal", str(bench.folder / "far.db"), "--options", options, *keys],
            stdout=log, stderr=log,
        )  # fmt: skip


def strokes(bench: Bench) -> list[str]:
    path = bench.folder / "far.txt"
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def completed(bench: Bench) -> int:
    return sum(e["status"] == "completed" for e in bench.ask("experiment", "list", "test"))


def state(bench: Bench) -> Any:
    return {row["instrument"]: row["state"] for row in bench.ask("instrument", "list")}.get("far")


def test_lab_that_others_can_reach_is_refused_without_keys(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    write_bench(bench)
    done = subprocess.run(
        [*LABWRIGHT, "run", str(bench.campaign), "--store", str(bench.store), "--plain"],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "labwright keys new controller --controller" in done.stderr
    assert not bench.driver_pids()


def test_driver_with_a_key_goes_on_through_rotation_and_is_shut_out_by_revocation(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    address = write_bench(bench)
    server = bench.ask("keys", "new", "controller", "--controller")
    path = bench.folder / "far.key"
    first = bench.ask("keys", "new", "far", "--driver", "--file", str(path))
    secrets = [json.loads(Path(made["file"]).read_text())["secret_key"] for made in (server, first)]
    process = bench.start()
    driver = serve(bench, address, "--key", str(path), "--server-key", str(Path(server["file"]).with_suffix(".pub")))
    try:
        wait_until(lambda: len(strokes(bench)) == 1, 100, "the first stroke")
        arguments = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in (driver.pid, *bench.driver_pids())]
        assert len(arguments) == 2
        assert not any(secret.encode() in line for secret in secrets for line in arguments)
        second = bench.ask("keys", "rotate", "far", "--grace", "0", "--file", str(path))
        assert second["public_key"] != first["public_key"]
        wait_until(lambda: completed(bench) == 1, 60, "the result of an action through a rotation")
        secrets.append(json.loads(path.read_text())["secret_key"])

        wait_until(lambda: len(strokes(bench)) == 2, 60, "the second stroke")
        bench.ask("keys", "revoke", "far")
        wait_until(lambda: state(bench) == "away", 10, "the end of the link")
        wait_until(lambda: "does not let us in" in (bench.folder / "far.log").read_text(), 30, "the driver's complaint")
        before = (completed(bench), len(strokes(bench)))
        assert before[0] < before[1]  # a stroke is under way, or its result waits in the journal
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(8)  # it is over long ago, and its result is not taken
        assert (completed(bench), len(strokes(bench))) == before

        path.unlink()
        bench.ask("keys", "new", "far", "--driver", "--file", str(path))
        assert process.wait(100) == 0, bench.logs()
    finally:
        driver.terminate()
        driver.wait(20)
        process.kill()
        process.wait(20)
    assert completed(bench) == 4
    assert len(strokes(bench)) == len(set(strokes(bench))) == 4
    assert bench.ask("campaign", "audit", "test")["balanced"]
    secrets.append(json.loads(path.read_text())["secret_key"])
    secrets += [json.loads(p.read_text())["secret_key"] for p in bench.folder.rglob("driver.key")]
    assert len(secrets) == 5
    for file in bench.folder.rglob("*"):
        if file.is_file() and file.suffix != ".key":
            content = file.read_bytes()
            assert not any(secret.encode() in content for secret in secrets), file
