"""A private PostgreSQL server for the tests: made in a temporary folder, run by a user who is not root, stopped at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

PASSWORD = "s3cret-word"


def find_binaries() -> Path | None:
    """Return the folder that holds initdb, postgres and pg_ctl."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((f for f in folders if all((f / name).exists() for name in ("initdb", "postgres", "pg_ctl"))), None)


def unprivileged_user() -> str | None:
    """Return who runs the server: PostgreSQL refuses root; None for whoever we are."""
    return "nobody" if os.geteuid() == 0 else None


class PostgresServer:
    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        self._emptied: str | None = None
        self.folder = Path(tempfile.mkdtemp(prefix="lw-pg-"))
        user = unprivileged_user()
        if user is not None:
            entry = pwd.getpwnam(user)
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        (self.folder / "password").write_text(PASSWORD)
        (self.folder / "password").chmod(0o644)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self._call(
            "initdb", "-D", str(self.folder / "data"), "-U", "lab", "-A", "scram-sha-256",
            f"--pwfile={self.folder / 'password'}", "--no-sync", "-E", "UTF8", "--locale=C",
        )  # fmt: skip
        self.start()

    def _call(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._binaries / program), *arguments], user=unprivileged_user(), cwd=self.folder, timeout=60,
            stdout=subprocess.PIPE if program == "initdb" else subprocess.DEVNULL, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        if done.returncode:
            log = self.folder / "log"
            raise RuntimeError(f"{program} failed: {done.stdout} {log.read_text() if log.exists() else ''}")

    def start(self) -> None:
        # What a test of a crash needs is that the process dies, not that the disk's cache does: no fsync.
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=50"
        data = str(self.folder / "data")
        self._call("pg_ctl", "-D", data, "-l", str(self.folder / "log"), "-w", "-t", "30", "-o", options, "start")

    def stop(self) -> None:
        """Stop as a power cut would: connections are dropped, nothing is written out."""
        self._call("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "-t", "30", "stop")

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def url(self, database: str, port: int | None = None) -> str:
        return f"postgresql://lab:{PASSWORD}@127.0.0.1:{port or self.port}/{database}"

    def create_database(self) -> str:
        """Return the URL of a new, empty database."""
        import psycopg

        name = f"lw_{uuid4().hex}"
        deadline = time.monotonic() + 20
        while True:
            try:
                with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
                    connection.execute(f'CREATE DATABASE "{name}"')
                return self.url(name)
            except psycopg.OperationalError:  # it is still recovering from an earlier test's power cut
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def emptied_database(self) -> str:
        """Return the URL of a database that is emptied first: faster than a new one, for one test after the other."""
        import psycopg

        if self._emptied is None:
            self._emptied = self.create_database()
        with psycopg.connect(self._emptied, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        return self._emptied


@contextmanager
def installed_postgres() -> Iterator[PostgresServer]:
    """Run a server while a fixture lives; where none is installed, its tests skip."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server is installed (initdb, postgres, pg_ctl)")
    server = PostgresServer(binaries)
    try:
        yield server
    finally:
        server.remove()
