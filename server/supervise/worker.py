"""The process that serves, on a socket that it was given. Started by the supervisor only."""

import asyncio
import json
import signal
import socket
import sys
from contextlib import ExitStack
from dataclasses import dataclass

from containers import ContainerError
from server.app import Application, build_application
from server.core import opened_core
from server.errors import SettingsError
from server.housekeeping import housekeeping
from server.process import run_loop, settle
from server.settings import Settings
from server.soap_listener import admin_soap_listener, soap_listener, url_of
from server.supervise.channel import Channel
from soap import ContractError
from storage.errors import StorageError

BEATS_A_HANG = 4

MENDABLE = (SettingsError, StorageError, ContainerError, ContractError)
"""Why a worker cannot start, told in one line; anything else is a bug and keeps its traceback."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What a worker is started with: the settings, as the supervisor has read them, and two descriptors."""

    settings: Settings
    channel: int
    listening: int
    admin_soap: int | None = None

    def as_argument(self) -> str:
        """Give it as one argument of a command line."""
        return json.dumps(
            {
                "settings": self.settings.model_dump(mode="json"),
                "channel": self.channel,
                "listening": self.listening,
                "admin_soap": self.admin_soap,
            }
        )

    @classmethod
    def from_argument(cls, text: str) -> "Order":
        """Read what `as_argument` wrote."""
        values = json.loads(text)
        return cls(settings=Settings(**values.pop("settings")), **values)


class Worker:
    """Serves until told to stop, and answers its supervisor."""

    def __init__(
        self, settings: Settings, channel: Channel, listening: socket.socket, admin_soap: socket.socket | None = None
    ) -> None:
        self._settings = settings
        self._channel = channel
        self._listening = listening
        self._told = asyncio.Event()
        self._admin_soap = admin_soap
        self._stop = asyncio.Event()
        self._last = False

    async def run(self) -> None:
        """Serve. Raises what `opened_core` and `build_application` raise."""
        settings = self._settings
        loop = asyncio.get_running_loop()
        # Ctrl-C reaches the whole group; the supervisor tells its workers itself.
        loop.add_signal_handler(signal.SIGINT, lambda: None)
        loop.add_signal_handler(signal.SIGTERM, lambda: self._channel.say(leaving=True))
        local_url = url_of(self._listening, secure=settings.tls_certificate_file is not None)
        async with opened_core(settings) as core:
            application = build_application(
                settings,
                core,
                public_url=settings.public_url or local_url,
                admin_url="" if self._admin_soap is None else url_of(self._admin_soap),
                log=sys.stderr,
            )
            async with (
                housekeeping(settings, core, application),
                soap_listener(settings, application, self._listening, last=lambda: self._last) as listener,
                admin_soap_listener(settings, application, self._admin_soap, last=lambda: self._last) as begin_admin,
            ):
                others = [asyncio.create_task(self._listen(application)), asyncio.create_task(self._beat())]
                settle()
                self._channel.say(ready=True)
                await self._told.wait()
                if not self._stop.is_set():
                    listener.begin()
                    begin_admin()
                await self._stop.wait()
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        await self._channel.close()

    async def _listen(self, application: Application) -> None:
        while (said := await self._channel.hear()) is not None:
            if "serve" in said:
                self._told.set()
            elif "stop" in said:
                self._last = bool(said["stop"]["last"])
                self._end()
            elif said.get("ask") == "metrics":
                self._channel.say(answer=said["number"], value=application.metrics.exposition().decode())
            elif said.get("ask") == "readiness":
                readiness = await application.health.readiness()
                application.metrics.ready.set(1 if readiness.ready else 0)
                self._channel.say(answer=said["number"], value=dict(readiness.checks))
        # Without a supervisor all workers end: nobody else will accept either.
        self._last = True
        self._end()

    def _end(self) -> None:
        self._stop.set()
        self._told.set()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._settings.hang_seconds / BEATS_A_HANG)
            self._channel.say(alive=True)


async def _serve(order: Order) -> None:
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket(fileno=order.listening))
        admin_soap = None
        if order.admin_soap is not None:
            admin_soap = stack.enter_context(socket.socket(fileno=order.admin_soap))
        channel = await Channel.over(socket.socket(fileno=order.channel))
        try:
            await Worker(order.settings, channel, listening, admin_soap).run()
        except MENDABLE as error:
            channel.say(failed=str(error))
            await channel.close()
            sys.exit(1)


def main() -> None:
    """Be a worker. Exit code 1: it could not start, and has told its supervisor why."""
    run_loop(_serve(Order.from_argument(sys.argv[1])))


if __name__ == "__main__":
    main()
