"""A TCP proxy between drivers and controller that delays, swallows, cuts and half-closes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit


class StormyProxy:
    """Listens on loopback in a thread of its own and forwards to wherever the controller is at that moment.

    Args:
        place: The file that says where the controller listens; it need not be there yet.
    """

    def __init__(self, place: Callable[[], Path | None]) -> None:
        self._place = place
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._half_closed: set[int] = set()
        self._delay_s = 0.0
        self._swallowing = False
        self.n_connections = 0
        self.n_swallowed = 0
        """Bytes that went nowhere."""
        ready: list[int] = []
        listening = threading.Event()

        async def listen() -> None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            ready.append(self._server.sockets[0].getsockname()[1])
            listening.set()

        def run() -> None:
            asyncio.set_event_loop(self._loop)
            self._loop.create_task(listen())
            self._loop.run_forever()

        self._thread = threading.Thread(target=run, name="proxy", daemon=True)
        self._thread.start()
        assert listening.wait(10)
        self.address = f"tcp://127.0.0.1:{ready[0]}"

    # --- what the storm may do, from its own thread -----------------------------------------------------------------

    def delay(self, seconds: float) -> None:
        """Hold every piece of data up for so long from now on."""
        self._call(lambda: setattr(self, "_delay_s", seconds))

    def swallow(self, on: bool) -> None:
        """Read and forget whatever comes, without telling either side; at the end every connection is cut, being torn."""
        self._call(lambda: setattr(self, "_swallowing", on))
        if not on:
            self.cut()

    def cut(self) -> None:
        """Reset every connection."""
        self._call(lambda: [writer.transport.abort() for writer in list(self._writers)])

    def half_close(self) -> None:
        """End one direction of every connection; the other stays open."""

        def end() -> None:
            for number, writer in enumerate(list(self._writers)):
                if number % 2 == 0 and writer.can_write_eof() and not writer.is_closing():
                    self._half_closed.add(id(writer))
                    with contextlib.suppress(OSError):
                        writer.write_eof()

        self._call(end)

    def close(self) -> None:
        """Stop listening and end the thread."""

        async def end() -> None:
            self._server.close()
            for writer in list(self._writers):
                writer.transport.abort()
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _call(self, work: Callable[[], object]) -> None:
        done = threading.Event()

        def carry_out() -> None:
            work()
            done.set()

        self._loop.call_soon_threadsafe(carry_out)
        assert done.wait(10)

    # --- forwarding -------------------------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.n_connections += 1
        self._writers.add(writer)
        try:
            there, back = await self._reach()
        except (OSError, ValueError, KeyError):  # no controller now: the driver tries again
            writer.transport.abort()
            self._writers.discard(writer)
            return
        self._writers.add(back)
        try:
            with contextlib.suppress(asyncio.CancelledError):  # closing: asyncio would complain of a cancelled handler
                await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        finally:
            for each in (writer, back):
                each.transport.abort()
                self._writers.discard(each)
                self._half_closed.discard(id(each))

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        path = self._place()
        if path is None:
            raise OSError("no controller has been here yet")
        target = urlsplit(json.loads(path.read_text(encoding="utf-8"))["address"])
        return await asyncio.open_connection(target.hostname, target.port)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                if self._swallowing:
                    self.n_swallowed += len(data)
                    continue
                if id(writer) in self._half_closed:
                    continue  # this direction has ended; its sender does not know
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof() and not writer.is_closing():
                writer.write_eof()
