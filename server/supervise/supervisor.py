"""The process that owns the sockets: starts workers, watches and replaces them, reloads and stops without loss."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TextIO

from observe import EventLog, Readiness, merged_expositions, passed
from server.admin import admin_application
from server.core import utc_now
from server.errors import SettingsError
from server.http.accepting import turn_away
from server.listener import bind, bind_admin_soap, site
from server.settings import Settings, load_settings
from server.soap_listener import url_of
from server.supervise.backoff import Backoff
from server.supervise.notifying import Notifier
from server.supervise.running import NotStarted, Running, launched

START_SECONDS = 60.0
MARGIN_SECONDS = 5.0
"""How much longer than its drain a worker may take to end before it is killed."""

FIXED = ("host", "port", "admin_host", "admin_port", "admin_soap_host", "admin_soap_port", "log_format")
"""Settings that only a new supervisor takes up."""


class Supervisor:
    """Keeps `settings.workers` workers running on one listening socket."""

    def __init__(
        self,
        *,
        config: Path | None,
        command_line: dict[str, Any],
        settings: Settings,
        listening: socket.socket,
        events: EventLog,
        notifier: Notifier,
        admin_soap: socket.socket | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._command_line = command_line
        self._settings = settings
        self._listening = listening
        self._admin_soap = admin_soap
        self._events = events
        self._notifier = notifier
        self._monotonic = monotonic
        self._workers: dict[int, Running] = {}
        self._backoffs: dict[int, Backoff] = {}
        self._all: set[Running] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._restarts = 0
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()

    # What signals do

    def stop(self) -> None:
        """Stop, after a drain."""
        self._stop.set()

    def reload(self) -> None:
        """Take up settings, certificates and code anew, worker by worker."""
        self._reload.set()

    async def run(self, started: Callable[[], None]) -> None:
        """Start all workers, call `started`, and keep on until told to stop.

        Raises SettingsError when a worker cannot start.
        """
        try:
            await asyncio.gather(*(self._fill(slot) for slot in range(1, self._settings.workers + 1)))
            started()
            self._notifier.tell("READY=1", f"STATUS={self._settings.workers} workers")
            watch = self._spawn(self._watch())
            reloading = self._spawn(self._reload_when_told())
            await self._stop.wait()
            self._events.info("draining")
            reloading.cancel()
            watch.cancel()
        finally:
            self._notifier.tell("STOPPING=1")
            await self._stop_all()

    # Starting and ending workers

    async def _fill(self, slot: int) -> None:
        try:
            self._serve(await self._started(slot, self._settings))
        except NotStarted as error:
            raise SettingsError(str(error)) from None

    def _serve(self, worker: Running) -> None:
        """Give a started worker its place and let it accept connections."""
        self._workers[worker.slot] = worker
        worker.channel.say(serve=True)
        self._events.info("worker_ready", worker=worker.slot, process=worker.process.pid)

    async def _started(self, slot: int, settings: Settings) -> Running:
        """Start a worker and wait until it can serve. Raises NotStarted when it cannot."""
        worker = await launched(
            slot, settings, listening=self._listening, admin_soap=self._admin_soap, now=self._monotonic
        )
        self._all.add(worker)
        worker.hearing = self._spawn(self._hear(worker))
        self._spawn(self._outlive(worker))
        first = [asyncio.create_task(worker.ready.wait()), asyncio.create_task(worker.gone.wait())]
        await asyncio.wait(first, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for task in first:
            task.cancel()
        if worker.ready.is_set() and not worker.gone.is_set():
            return worker
        worker.stopping = True
        worker.kill()
        await worker.gone.wait()
        raise NotStarted(worker.failed)

    async def _hear(self, worker: Running) -> None:
        while (said := await worker.channel.hear()) is not None:
            worker.last_heard = self._monotonic()
            if "ready" in said:
                worker.ready.set()
            elif "failed" in said:
                worker.failed = str(said["failed"])
            elif "leaving" in said:
                worker.channel.say(stop={"last": self._stop.is_set()})
            elif "answer" in said:
                worker.answered(said["answer"], said["value"])
        worker.silent()

    async def _outlive(self, worker: Running) -> None:
        """Wait for a worker's end, and replace it if it was not told to end."""
        code = await worker.process.wait()
        if worker.hearing is not None:
            # What it said last comes before its end is told.
            await worker.hearing
        self._all.discard(worker)
        worker.gone.set()
        await worker.channel.close()
        if worker.stopping or self._stop.is_set() or self._workers.get(worker.slot) is not worker:
            self._events.info("worker_ended", worker=worker.slot, process=worker.process.pid, code=code)
            return
        self._restarts += 1
        lived = self._monotonic() - worker.started
        delay, self._backoffs[worker.slot] = self._backoffs.get(worker.slot, Backoff()).after(lived_seconds=lived)
        self._events.warning(
            "worker_died", worker=worker.slot, process=worker.process.pid, code=code, again_in_seconds=delay
        )
        await self._replace(worker, delay)

    async def _replace(self, dead: Running, delay: float) -> None:
        """Fill the place of a dead worker, unless a reload fills or gives up that place meanwhile."""
        slot = dead.slot
        while True:
            await asyncio.sleep(delay)
            if self._stop.is_set() or self._workers.get(slot) is not dead:
                return
            try:
                worker = await self._started(slot, self._settings)
            except NotStarted as error:
                delay, self._backoffs[slot] = self._backoffs.get(slot, Backoff()).after(lived_seconds=0.0)
                self._events.warning("worker_not_started", worker=slot, again_in_seconds=delay, reason=str(error))
                continue
            if self._stop.is_set():
                return
            if self._workers.get(slot) is not dead:
                await self._end(worker, last=False, seconds=self._settings.drain_seconds + MARGIN_SECONDS)
            elif worker.gone.is_set():
                continue
            else:
                self._serve(worker)
            return

    async def _end(self, worker: Running, *, last: bool, seconds: float) -> None:
        """Let a worker drain, and kill it if that takes too long."""
        worker.stopping = True
        worker.channel.say(stop={"last": last})
        try:
            async with asyncio.timeout(seconds):
                await worker.gone.wait()
        except TimeoutError:
            self._events.warning("worker_killed", worker=worker.slot, process=worker.process.pid, after_seconds=seconds)
            worker.kill()
            await worker.gone.wait()

    async def _stop_all(self) -> None:
        self._stop.set()
        turn_away(self._listening)
        seconds = self._settings.drain_seconds + MARGIN_SECONDS
        await asyncio.gather(*(self._end(worker, last=True, seconds=seconds) for worker in list(self._all)))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # Watching

    async def _watch(self) -> None:
        """Kill workers that are stuck, and tell the service manager as long as one is not."""
        watchdog = self._notifier.watchdog_seconds
        while True:
            hang = self._settings.hang_seconds
            await asyncio.sleep(min(hang / 4, (watchdog or hang) / 3))
            now = self._monotonic()
            for worker in list(self._all):
                if worker.ready.is_set() and not worker.stopping and now - worker.last_heard > hang:
                    self._events.warning("worker_hung", worker=worker.slot, process=worker.process.pid)
                    worker.kill()
            if watchdog is not None and any(now - worker.last_heard <= hang for worker in self._all):
                self._notifier.tell("WATCHDOG=1")

    async def _reload_when_told(self) -> None:
        while True:
            await self._reload.wait()
            self._reload.clear()
            self._notifier.tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
            await self._reloaded()
            self._notifier.tell("READY=1")

    async def _reloaded(self) -> None:
        """Replace all workers by such with the settings of now, or none."""
        try:
            settings = load_settings(self._config, **self._command_line)
        except SettingsError as error:
            self._events.warning("reload_refused", reason=str(error))
            return
        fixed = [name for name in FIXED if getattr(settings, name) != getattr(self._settings, name)]
        if fixed:
            self._events.warning("reload_needs_restart", settings=fixed)
        try:
            new = await self._all_started(settings)
        except NotStarted as error:
            self._events.warning("reload_refused", reason=str(error))
            return
        # Read afterwards: a place may have been filled anew meanwhile.
        before, old = self._settings, list(self._workers.values())
        self._settings = settings
        self._workers.clear()
        for worker in new:
            self._serve(worker)
        for worker in old:
            worker.stopping = True
            self._spawn(self._end(worker, last=False, seconds=before.drain_seconds + MARGIN_SECONDS))
        self._events.info("reloaded", workers=settings.workers)

    async def _all_started(self, settings: Settings) -> list[Running]:
        """Start a worker for each place, one after the other; none of them serves. Raises NotStarted, none left."""
        new: dict[int, Running] = {}
        try:
            for slot in range(1, settings.workers + 1):
                new[slot] = await self._started(slot, settings)
            _check_all_there(new.values())
        except NotStarted:
            seconds = settings.drain_seconds + MARGIN_SECONDS
            await asyncio.gather(*(self._end(worker, last=False, seconds=seconds) for worker in new.values()))
            raise
        return list(new.values())

    # What the admin listener shows

    async def readiness(self) -> Readiness:
        """Give the checks of all workers. One that passes its own is enough, since it has the socket of all.

        A worker that does not answer is a check that fails.
        """
        answers = await asyncio.gather(
            *(_asked(self._workers.get(slot), "readiness") for slot in range(1, self._settings.workers + 1))
        )
        checks: dict[str, str] = {}
        for slot, answer in enumerate(answers, 1):
            checks[f"worker {slot}"] = "no answer" if answer is None else "ok"
            checks |= {f"worker {slot} {name}": outcome for name, outcome in (answer or {}).items()}
        return Readiness(checks=checks, ready=any(answer is not None and passed(answer) for answer in answers))

    async def exposition(self) -> bytes:
        """Give the metrics of all workers, told apart by the label `worker`."""
        workers = dict(self._workers)
        answers = await asyncio.gather(*(worker.ask("metrics") for worker in workers.values()))
        texts = {str(slot): answer for slot, answer in zip(workers, answers, strict=True) if answer is not None}
        return merged_expositions(texts, workers=len(texts), restarts=self._restarts)

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _asked(worker: Running | None, what: str) -> Any:
    return None if worker is None else await worker.ask(what)


def _check_all_there(workers: Iterable[Running]) -> None:
    """Raise NotStarted when one of them has ended again."""
    for worker in workers:
        if worker.gone.is_set():
            raise NotStarted(worker.failed)


async def supervise(
    *, config: Path | None, command_line: dict[str, Any], settings: Settings, log: TextIO = sys.stderr
) -> None:
    """Serve with workers until SIGTERM or SIGINT; SIGHUP reloads.

    Raises SettingsError when the addresses cannot be used or a worker cannot start.
    """
    events = EventLog(log, format=settings.log_format, clock=utc_now)
    with (
        bind(settings.host, settings.port, setting="host, port") as listening,
        bind(settings.admin_host, settings.admin_port, setting="admin_host, admin_port") as admin,
        bind_admin_soap(settings) or nullcontext() as admin_soap,
    ):
        supervisor = Supervisor(
            config=config,
            command_line=command_line,
            settings=settings,
            listening=listening,
            admin_soap=admin_soap,
            events=events,
            notifier=Notifier(os.environ, process=os.getpid()),
        )
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, supervisor.stop)
        loop.add_signal_handler(signal.SIGHUP, supervisor.reload)
        local_url = url_of(listening, secure=settings.tls_certificate_file is not None)
        url, admin_url = settings.public_url or local_url, url_of(admin)
        admin_soap_url = None if admin_soap is None else url_of(admin_soap)
        async with site(admin_application(supervisor), admin):
            await supervisor.run(
                lambda: events.info(
                    "serving", url=url, local_url=local_url, admin_url=admin_url, admin_soap_url=admin_soap_url
                )
            )
        events.info("stopped")
