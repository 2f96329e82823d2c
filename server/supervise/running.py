"""A worker process as its supervisor sees it: how it is launched, what it is asked, how it is ended."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from server.settings import Settings
from server.supervise.channel import Channel
from server.supervise.worker import Order

ANSWER_SECONDS = 2.0


class NotStarted(Exception):
    """A worker did not start; the message says why."""


@dataclass(eq=False, kw_only=True)
class Running:
    """A worker process. `slot` is the place that it fills, from 1."""

    slot: int
    process: asyncio.subprocess.Process
    channel: Channel
    started: float
    last_heard: float
    hearing: asyncio.Task[None] | None = None
    failed: str = "it ended before it served; what it says stands above"
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: bool = False
    questions: dict[int, asyncio.Future[Any]] = field(default_factory=dict)
    asked: int = 0

    async def ask(self, what: str) -> Any:
        """Ask the worker for something; None when it does not answer in time, or has ended."""
        if self.gone.is_set():
            return None
        self.asked += 1
        number = self.asked
        waiting: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.questions[number] = waiting
        self.channel.say(ask=what, number=number)
        try:
            return await asyncio.wait_for(waiting, ANSWER_SECONDS)
        except TimeoutError:
            return None
        finally:
            self.questions.pop(number, None)

    def answered(self, number: int, value: Any) -> None:
        """Hand the worker's answer to who waits for it."""
        waiting = self.questions.pop(number, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(value)

    def silent(self) -> None:
        """Tell all who wait for an answer that none will come."""
        for waiting in self.questions.values():
            if not waiting.done():
                waiting.set_result(None)

    def kill(self) -> None:
        """End the process at once, if it has not ended yet."""
        if self.process.returncode is None:
            self.process.kill()


async def launched(
    slot: int,
    settings: Settings,
    *,
    listening: socket.socket,
    admin_soap: socket.socket | None,
    now: Callable[[], float],
) -> Running:
    """Launch a worker on the supervisor's sockets, without waiting until it can serve."""
    ours, theirs = socket.socketpair()
    with theirs:
        order = Order(
            settings=settings,
            channel=theirs.fileno(),
            listening=listening.fileno(),
            admin_soap=None if admin_soap is None else admin_soap.fileno(),
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "server.supervise.worker",
            order.as_argument(),
            pass_fds=tuple(used.fileno() for used in (theirs, listening, admin_soap) if used is not None),
            stdin=subprocess.DEVNULL,
        )
    at = now()
    return Running(slot=slot, process=process, channel=await Channel.over(ours), started=at, last_heard=at)
