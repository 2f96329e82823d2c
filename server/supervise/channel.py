"""What supervisor and worker say to each other: JSON objects, a line each, over a socket pair.

    worker      {"ready": true}                    it can serve, and waits for "serve"
                {"alive": true}                    its event loop turns
                {"answer": 7, "value": ...}        the answer to question 7
                {"failed": "why"}                  it cannot start
                {"leaving": true}                  it was told by a signal to end, and waits for "stop"
    supervisor  {"ask": "metrics", "number": 7}    or "readiness"
                {"serve": true}                    accept connections
                {"stop": {"last": true}}           drain and end; last: nobody will accept after you

The end of the stream tells the worker that its supervisor is gone, and the supervisor that its worker is.
"""

import asyncio
import json
import socket
from typing import Any

LONGEST_LINE = 16 * 1024 * 1024


class Channel:
    """One end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, end: socket.socket) -> "Channel":
        """Open it over one end of a socket pair."""
        return cls(*await asyncio.open_unix_connection(sock=end, limit=LONGEST_LINE))

    def say(self, **said: Any) -> None:
        """Send; nothing happens when the other end is gone."""
        if not self._writer.is_closing():
            self._writer.write(json.dumps(said).encode() + b"\n")

    async def hear(self) -> dict[str, Any] | None:
        """Give what the other end says next; None when it is gone or says what is no object."""
        try:
            line = await self._reader.readline()
            said = json.loads(line) if line.endswith(b"\n") else None
        except (ConnectionError, ValueError):
            return None
        return said if isinstance(said, dict) else None

    async def close(self) -> None:
        """Close this end, what was said sent."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            return
