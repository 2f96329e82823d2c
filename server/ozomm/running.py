"""Extensions in a serving process: asked here or passed on, with the runner that takes up what waits.

Who neither asks a CRM nor speaks to another computer loads no HTTP client, which takes a fifth of a worker's start.
"""

import importlib
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from licensing.errors import CentralUnavailable
from licensing.extensions.central import Central, LocalCentral
from licensing.extensions.engine import ExtensionEngine, Extensions, Patience
from licensing.extensions.questions import Offers
from licensing.extensions.rules import Rule
from licensing.extensions.saga import Step
from licensing.extensions.values import ExtensionAnswer, ExtensionQuestion, ExtensionRequest
from licensing.marketing.mails import Mailer
from licensing.tickets import normalise_ticket
from observe import EventLog, Metrics
from server.errors import SettingsError
from server.ozomm.configuration import OzommConfiguration, load_configuration
from server.settings import Settings
from storage.errors import StorageError

if TYPE_CHECKING:
    from server.core import Core

RUN_SECONDS = 1.0
CALLS_IN_A_STEP = 4
"""How often a step waits for the central at most: it calls twice, and sends each call twice."""


class ExtensionService:
    """Extensions while the process serves. `offers` gives what is offered besides."""

    def __init__(
        self,
        settings: Settings,
        core: "Core",
        *,
        events: EventLog,
        metrics: Metrics,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes] = secrets.token_bytes,
        monotonic: Callable[[], float] = time.monotonic,
        offers: Offers | None = None,
    ) -> None:
        self._settings = settings
        self._core = core
        self._events = events
        self._metrics = metrics
        self._clock = clock
        self._random = random
        self._monotonic = monotonic
        self._offers = offers
        self._answering: Extensions | None = None
        self._engine: ExtensionEngine | None = None

    async def extend(self, request: ExtensionRequest) -> ExtensionAnswer:
        """Begin an extension, here or elsewhere. Raises the rules' refusals and storage's errors."""
        answer = await self._open().extend(request)
        await self._count(answer, request.transaction_id)
        return answer

    async def get(self, question: ExtensionQuestion) -> ExtensionAnswer:
        """Tell what has become of one, here or elsewhere. Raises the rules' refusals and storage's errors."""
        answer = await self._open().get(question)
        await self._count(answer, question.transaction_id)
        return answer

    async def _count(self, answer: ExtensionAnswer, transaction_id: str) -> None:
        """Count the offers that an answer shows, once for each extension; on the computer that has made them."""
        if self._engine is None or not answer.offers or not answer.licenses:
            return
        license_id = answer.licenses[0].license_id
        subject = f"{license_id} {transaction_id}"
        try:
            await self._core.campaigns.shown(answer.offers, license_id=license_id, subject=subject)
        except StorageError as error:  # what was done for the customer is told, though it could not be counted
            self._events.warning("offers_uncounted", code=error.code)

    def _open(self) -> Extensions:
        if self._answering is None:
            raise CentralUnavailable("the server is on its way; send the same request again")
        return self._answering

    @property
    def runs(self) -> bool:
        """Whether there is something to take turns for."""
        return self._engine is not None

    async def turn(self) -> None:
        """Take up what waits and is due. Raises storage's errors."""
        if self._engine is None:
            return
        standing = await self._engine.turn()
        for step in Step:
            if step not in {Step.DONE, Step.STUCK}:
                self._metrics.extensions_open.labels(step.value).set(standing.get(step.value, 0))

    async def sweep(self) -> None:
        """Erase what old extensions hold of people. Raises storage's errors."""
        days = self._settings.retention_days
        if self._engine is not None and days is not None:
            count = await self._engine.erase(days=days)
            if count:
                self._events.info("extensions_erased", extensions=count)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Be ready until the block ends. Raises SettingsError for a configuration that cannot be used."""
        async with AsyncExitStack() as stack:
            if self._settings.ozomm_url is not None:
                # As for the assembler below: whoever has no other computer to ask does without.
                forwarding = importlib.import_module("server.ozomm.forwarding")
                self._answering = await stack.enter_async_context(
                    forwarding.ForwardedExtensions(
                        self._settings.ozomm_url,
                        known=lambda ticket: self._core.depot.get_ticket(tickets=(normalise_ticket(ticket),)),
                        refused=lambda code: self._events.warning("ozomm_unavailable", code=code),
                        tls=self._tls(),
                        speaks_for_others=self._settings.ozomm_certificate_file is not None,
                    )
                )
                yield
                return
            self._engine = await self._built(stack)
            self._answering = self._engine
            stack.push_async_callback(self._engine.close)
            yield

    async def _built(self, stack: AsyncExitStack) -> ExtensionEngine:
        settings, core = self._settings, self._core
        configuration = load_configuration(settings.ozomm_file)
        rules: tuple[Rule, ...] = ()
        if settings.ozomm_file is not None:
            assembling = importlib.import_module("server.ozomm.assembling")
            rules = await assembling.Assembler(
                configuration,
                folder=settings.ozomm_file.parent,
                stack=stack,
                clock=self._clock,
                monotonic=self._monotonic,
                told=self._asked,
            ).rules()
        mailer = None
        if settings.mail_server is not None if configuration.mail is None else configuration.mail:
            mailer = Mailer(vault=core.vault, clock=self._clock, random=self._random)
        return ExtensionEngine(
            storage=core.storage,
            vault=core.vault,
            central=await self._central(stack, configuration),
            rules=rules,
            clock=self._clock,
            random=self._random,
            owner=core.owner,
            offers=self._offers,
            mailer=mailer,
            texts=configuration.texts,
            patience=Patience(
                caller_seconds=configuration.patience_seconds,
                lease_seconds=configuration.lease_seconds,
                first=timedelta(seconds=configuration.first_retry_seconds),
                most=timedelta(seconds=configuration.most_retry_seconds),
            ),
            told=self._moved,
            broke=lambda error: self._events.failure("extension_failed", error),
            refused=lambda code: self._events.warning("central_unavailable", code=code),
        )

    async def _central(self, stack: AsyncExitStack, configuration: OzommConfiguration) -> Central:
        settings, core = self._settings, self._core
        if settings.ozomm_central_url is None or settings.ozomm_api_key_file is None:
            return LocalCentral(
                storage=core.storage,
                vault=core.vault,
                catalogue=core.catalogue,
                sales=core.sales,
                vendor_actions=core.vendor_actions,
                depot=core.depot,
            )
        secret: Any = importlib.import_module("server.ozomm.http_source")
        remote = importlib.import_module("server.ozomm.remote")
        central: Central = await stack.enter_async_context(
            remote.RemoteCentral(
                url=settings.ozomm_central_url,
                api_key=secret.read_text_secret(settings.ozomm_api_key_file, what="ozomm_api_key_file"),
                vault=core.vault,
                timeout_seconds=self._central_seconds(configuration),
                tls=self._tls(),
                speaks_for_others=settings.ozomm_certificate_file is not None,
            )
        )
        return central

    def _central_seconds(self, configuration: OzommConfiguration) -> float:
        """Give the time for one answer of the central. Raises SettingsError where a step could outlast its lease."""
        seconds = configuration.central_seconds
        if seconds * CALLS_IN_A_STEP >= configuration.lease_seconds:
            raise SettingsError(
                f"ozomm_file: lease_seconds must be more than {CALLS_IN_A_STEP} times central_seconds, which is "
                f"{seconds:g}: a step calls the central twice, and each call twice where no answer comes"
            )
        return seconds

    def _tls(self) -> ssl.SSLContext | None:
        """Give how the other computer is known, and proven to. Raises SettingsError."""
        settings = self._settings
        files = (settings.ozomm_authorities_file, settings.ozomm_certificate_file, settings.ozomm_key_file)
        if files == (None, None, None):
            return None
        tls: Any = importlib.import_module("opendepot.tls")
        try:
            context: ssl.SSLContext = tls.tls_context(authorities=files[0], certificate=files[1], key=files[2])
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                "ozomm_authorities_file, ozomm_certificate_file, ozomm_key_file: cannot be used: "
                f"{error.strerror or type(error).__name__}"
            ) from None
        return context

    def _asked(self, source: str, outcome: str, seconds: float) -> None:
        self._metrics.crm_questions.labels(source, outcome).inc()
        if outcome == "answered":
            self._metrics.crm_seconds.labels(source).observe(seconds)
        elif outcome != "resting":  # an outage of an hour is not an event for each question
            self._events.warning("crm_silent", source=source, outcome=outcome, milliseconds=round(seconds * 1000))

    def _moved(self, fields: Mapping[str, object]) -> None:
        self._metrics.extension_steps.labels(str(fields["step"]), str(fields["outcome"])).inc()
        if fields["next"] == Step.STUCK.value:
            self._events.warning("extension_stuck", **fields)
        else:
            self._events.info("extension_step", **fields)
