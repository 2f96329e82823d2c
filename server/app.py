"""The composition root: settings to services that can be served. Nothing else in the server builds anything."""

import asyncio
import os
import posixpath
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Protocol, TextIO

import wsdl
from containers import FirmSecurityBox, load_trust
from ipfilters import Endpoint, TrustedProxies
from licensing.alarms import Alarms
from licensing.announcing import Announcer
from licensing.audit import Sealer, SealingKey
from licensing.bulk import Bulk
from licensing.catalogue import Catalogue
from licensing.credentials import Credentials
from licensing.depot import Depot
from licensing.linking import UpdateLinks
from licensing.losses import Losses
from licensing.marketing.addresses import AddressBook
from licensing.marketing.campaigns import Campaigns
from licensing.orders import Sales
from licensing.pushing import Pushing
from licensing.replaying import Replaying
from licensing.searching import OrderSearch
from licensing.tracing import Tracer
from licensing.transfers.carrying import Carrier
from licensing.transfers.journal import Journal
from licensing.vault import Vault
from licensing.vendor_actions import VendorActions
from licensing.watching import Watcher
from observe import EventLog, Health, Metrics
from server.dispatch import Dispatcher, Service
from server.downloads import DOWNLOAD_PATH, Downloads
from server.errors import SettingsError
from server.faults import CATALOGUE
from server.filters.keeper import FilterKeeper
from server.filters.shops import ShopFilters
from server.handlers import handlers_of
from server.handlers.base import Services
from server.handlers.rights import REQUIRED
from server.keys.files import open_box, read_rings
from server.keys.keeper import KeyKeeper
from server.mail.unsubscribing import UNSUBSCRIBE_PATH, UnsubscribePages
from server.ozomm.running import ExtensionService
from server.pages import contract_page, soapui_project
from server.security.gates import Gates, form_of
from server.security.guessing import GuessKeeper, GuessLimits
from server.security.wssecurity.freshness import Window
from server.security.wssecurity.messages import WsSecurity
from server.security.wssecurity.once import MarkingStorage
from server.security.wssecurity.signing import AnswerSigner, SigningKeyWrong
from server.settings import Settings
from server.transport import Pages, SoapApplication
from soap import Contract, Engine, flattened_wsdl, load_contract, schema_locations, wsdl_apart
from soap.messages import admin, depot, ozomm, sales
from storage import Storage, open_storage
from storage.commands import InitialiseServer
from storage.errors import StorageError
from storage.keys import KeyKind
from storage.remembering import RememberingStorage

READINESS_SECONDS = 2.0
LONGEST_WAIT = 50.0
"""Seconds that a request may wait for news (design, section 4)."""
READINESS_FIRM_CODE = 1
"""Any firm code will do to see that the box signs."""

Clock = Callable[[], datetime]
Random = Callable[[int], bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """Where a service stands and what it is made of."""

    wsdl: str
    messages: ModuleType
    path: str


PUBLISHED: tuple[Published, ...] = (
    Published(wsdl="v1/sales.wsdl", messages=sales, path="/v1/sales"),
    Published(wsdl="v1/depot.wsdl", messages=depot, path="/v1/depot"),
    Published(wsdl="v1/ozomm.wsdl", messages=ozomm, path="/v1/ozomm"),
)

ADMINISTERED = Published(wsdl="v1/admin.wsdl", messages=admin, path="/v1/admin")
"""What stands on a listener of its own."""


class OpenDatabase(Protocol):
    """How a database is opened: `storage.open_storage`, or something that promises the same."""

    async def __call__(
        self,
        location: str | Path,
        *,
        queue_limit: int,
        reader_count: int,
        busy_seconds: float,
        statement_cache_size: int,
    ) -> Storage:
        """Open the database; raises what `storage.open_storage` raises."""
        ...


def utc_now() -> datetime:
    """Give the time: the default clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Core:
    """The rules over an open storage, without any listener: what the CLI verbs work with."""

    storage: RememberingStorage
    vault: Vault
    catalogue: Catalogue
    credentials: Credentials
    sales: Sales
    order_search: OrderSearch
    vendor_actions: VendorActions
    depot: Depot
    losses: Losses
    pushing: Pushing
    bulk: Bulk
    links: UpdateLinks
    watcher: Watcher
    replaying: Replaying
    tracer: Tracer
    addresses: AddressBook
    campaigns: Campaigns
    box: FirmSecurityBox
    audit_key: SealingKey
    keys: KeyKeeper
    sealer: Sealer
    owner: str


@asynccontextmanager
async def opened_core(
    settings: Settings,
    *,
    clock: Clock = utc_now,
    random: Random = secrets.token_bytes,
    monotonic: Callable[[], float] = time.monotonic,
    open_database: OpenDatabase | None = None,
) -> AsyncIterator[Core]:
    """Open keys and database and give the rules over them.

    `open_database` is another one where the way to commit varies.

    Raises SettingsError for keys that are missing or belong to another database, and `storage.errors.StorageError`.
    """
    rings = read_rings(settings)
    vault = Vault(pepper=rings[KeyKind.PEPPER], sealing_key=rings[KeyKind.SEALING_KEY], random=random)
    audit_key = SealingKey(lambda: vault.seed("audit"))
    owner = _owner(random)
    announcer = None
    if settings.webhook_url is not None:
        announcer = Announcer(vault=vault, clock=clock, random=random, kinds=settings.webhook_events)
    opened = await (open_database or open_storage)(
        settings.database,
        queue_limit=settings.writer_queue,
        reader_count=settings.reader_count,
        busy_seconds=settings.busy_seconds,
        statement_cache_size=settings.statement_cache_size,
    )
    storage = RememberingStorage(MarkingStorage(opened), monotonic=monotonic)
    try:
        keys = KeyKeeper(settings, storage=storage, vault=vault, clock=clock, process=owner, node=socket.gethostname())
        await _own_database(storage, vault, keys, clock)
        box, _ = open_box(settings.firm_security_box_file, vault.sealing_keys)
        storage.on_change = keys.refresh
        storage.start()
        watcher = Watcher(storage, longest_seconds=min(LONGEST_WAIT, settings.exchange_seconds * 0.8))
        carrier = Carrier(
            storage=storage,
            box=box,
            trust=load_trust(box.root_certificate_pem),
            clock=clock,
            alarms=Alarms(),
            journal=None if settings.journal is None else Journal(settings.journal),
            changed=watcher.nudge,
            announcer=announcer,
            vault=vault,
        )
        selling = Sales(
            storage=storage,
            vault=vault,
            clock=clock,
            random=random,
            collect_url=settings.collect_url,
            announcer=announcer,
            changed=watcher.nudge,
        )
        licences = Depot(carrier=carrier, vault=vault)
        pushing = Pushing(carrier=carrier, depot=licences, watcher=watcher, monotonic=time.monotonic)
        yield Core(
            storage=storage,
            vault=vault,
            catalogue=Catalogue(storage=storage, vault=vault, clock=clock, random=random),
            credentials=Credentials(storage=storage, vault=vault, clock=clock, random=random),
            sales=selling,
            order_search=OrderSearch(storage=storage, vault=vault, sales=selling),
            vendor_actions=VendorActions(
                storage=storage,
                vault=vault,
                clock=clock,
                random=random,
                announcer=announcer,
                changed=watcher.nudge,
            ),
            depot=licences,
            losses=Losses(carrier=carrier, vault=vault, random=random),
            pushing=pushing,
            links=UpdateLinks(
                storage=storage, vault=vault, clock=clock, random=random, lifetime=settings.update_link_lifetime
            ),
            bulk=Bulk(
                storage=storage,
                vault=vault,
                pushing=pushing,
                customer_lookup=selling.customer_lookup,
                stops=lambda: watcher.closed,
            ),
            watcher=watcher,
            replaying=Replaying(carrier=carrier),
            tracer=Tracer(storage=storage, vault=vault, depot=licences),
            addresses=AddressBook(storage=storage, vault=vault, clock=clock),
            campaigns=Campaigns(storage=storage, clock=clock),
            box=box,
            audit_key=audit_key,
            keys=keys,
            sealer=Sealer(storage=storage, key=audit_key, clock=clock, random=random, owner=owner),
            owner=owner,
        )
    finally:
        await storage.close()


def _owner(random: Random) -> str:
    """Give a name that no other process has, which says where this one runs."""
    return f"{socket.gethostname()}:{os.getpid()}:{random(4).hex()}"


async def _own_database(storage: Storage, vault: Vault, keys: KeyKeeper, clock: Clock) -> None:
    """Start a new database in its first epoch; refuse one that other keys have sealed, or one that is missing here."""
    fingerprint = vault.fingerprint()
    now = clock()
    server = await storage.execute(
        InitialiseServer(epoch=int(now.timestamp() * 1000), key_fingerprint=fingerprint, at=now)
    )
    await keys.refresh()
    keys.refuse_missing()
    if server.key_fingerprint not in vault.fingerprints():
        raise SettingsError(
            "pepper_file, sealing_key_file: these keys are not those that the database was made with; put those back"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Application:
    """What the listeners serve."""

    soap: SoapApplication
    admin_soap: SoapApplication
    filters: FilterKeeper
    guesses: GuessKeeper
    health: Health
    metrics: Metrics
    events: EventLog
    stop_waiting: Callable[[], None]
    extensions: ExtensionService


def build_application(
    settings: Settings,
    core: Core,
    *,
    public_url: str,
    admin_url: str = "http://localhost",
    log: TextIO,
    clock: Clock = utc_now,
    random: Random = secrets.token_bytes,
    monotonic: Callable[[], float] = time.monotonic,
) -> Application:
    """Compile the contracts and put everything together. Raises ContractError when it does not fit."""
    events = EventLog(log, format=settings.log_format, clock=clock)
    metrics = Metrics(version=version("opendepot"))
    core.depot.alarms.listen(lambda name, fields: _told(name, fields, events, metrics))
    filters = FilterKeeper(
        core.storage, files=settings.filter_files, clock=clock, monotonic=monotonic, events=events, metrics=metrics
    )
    proxies = TrustedProxies.read(settings.trusted_proxies)
    gates = Gates(
        core.catalogue,
        core.credentials,
        filters,
        metrics,
        proxies=proxies,
        header=settings.forwarded_header,
        requirements={Endpoint(name): required for name, required in REQUIRED.items()},
        admin_policy=settings.admin_policy,
        certificate_header=settings.client_certificate_header,
        message_security=WsSecurity(
            core.credentials,
            metrics,
            window=Window(lifetime_seconds=settings.message_seconds, skew_seconds=settings.message_skew_seconds),
        ),
    )
    extensions = ExtensionService(
        settings, core, events=events, metrics=metrics, clock=clock, random=random, offers=core.campaigns
    )
    guesses = GuessKeeper(
        core.storage,
        core.vault,
        limits=GuessLimits(
            guesses=settings.guess_limit,
            period=timedelta(seconds=settings.guess_period_seconds),
            delay_seconds=settings.guess_delay_seconds,
        ),
        clock=clock,
        events=events,
        metrics=metrics,
    )
    dispatcher = Dispatcher(
        gates=gates,
        guesses=guesses,
        services=Services(
            sales=core.sales,
            order_search=core.order_search,
            vendor_actions=core.vendor_actions,
            losses=core.losses,
            pushing=core.pushing,
            bulk=core.bulk,
            links=core.links,
            update_url=lambda token: f"{public_url}{DOWNLOAD_PATH}{token}",
            depot=core.depot,
            extensions=extensions,
            catalogue=core.catalogue,
            credentials=core.credentials,
            shop_filters=ShopFilters(
                core.storage,
                core.catalogue,
                filters,
                proxies=proxies,
                form=form_of(settings.forwarded_header),
                admin_policy=settings.admin_policy,
                clock=clock,
            ),
        ),
        events=events,
        metrics=metrics,
        monotonic=monotonic,
        random=random,
        body_seconds=settings.body_seconds,
        storage=core.storage,
        signer=_answer_signer(settings, clock),
    )
    _watch_keys(core, events, metrics)
    metrics.catalogue_age.set_function(lambda: core.storage.age_seconds)
    core.storage.on_blind = lambda: events.warning("catalogue_blind", age_seconds=round(core.storage.age_seconds, 1))
    core.storage.on_seeing = lambda: events.info("catalogue_seen")
    administered = _service(ADMINISTERED, settings, admin_url)
    services = tuple(
        _service(published, settings, public_url)
        for published in PUBLISHED
        if posixpath.basename(published.path) in settings.services
    )
    pages = {
        DOWNLOAD_PATH: Downloads(core.links, gates, events=events),
        **_pages(settings, core, events, metrics),
    }
    return Application(
        soap=SoapApplication(services, dispatcher, events=events, metrics=metrics, pages=pages),
        filters=filters,
        guesses=guesses,
        admin_soap=SoapApplication((administered,), dispatcher, events=events, metrics=metrics),
        health=Health(
            {"storage": core.storage.ready, "keys": core.keys.ready, "firm_security_box": _signing(core.box)},
            seconds=READINESS_SECONDS,
        ),
        metrics=metrics,
        events=events,
        stop_waiting=core.watcher.close,
        extensions=extensions,
    )


def _pages(settings: Settings, core: Core, events: EventLog, metrics: Metrics) -> Mapping[str, Pages]:
    """Give what is answered beside SOAP: where customers unsubscribe from offers, if mails are sent."""
    if settings.mail_server is None:
        return {}
    pages = UnsubscribePages(core.addresses, prefix=UNSUBSCRIBE_PATH, events=events, metrics=metrics)
    return {UNSUBSCRIBE_PATH: pages}


def _answer_signer(settings: Settings, clock: Clock) -> AnswerSigner | None:
    certificate, key = settings.signing_certificate_file, settings.signing_key_file
    if certificate is None or key is None:
        if certificate is not key:
            raise SettingsError("signing_certificate_file, signing_key_file: give both, or neither")
        return None
    try:
        return AnswerSigner(
            certificate_pem=certificate.read_bytes(),
            key_pem=key.read_bytes(),
            which=settings.sign_answers,
            lifetime_seconds=settings.message_seconds,
            clock=clock,
        )
    except (OSError, SigningKeyWrong) as error:
        raise SettingsError(f"signing_certificate_file, signing_key_file: {error}") from None


def _watch_keys(core: Core, events: EventLog, metrics: Metrics) -> None:
    """Let it be seen which keys this process has, and which hashes it renews."""

    def told(name: str, fields: Mapping[str, object]) -> None:
        write = events.info if name in {"keys_taken_up", "keys_in_use"} else events.warning
        write(name, **fields)

    def renewed(what: str, error: StorageError | None) -> None:
        metrics.hashes_renewed.labels(what, "renewed" if error is None else "failed").inc()
        if error is not None:
            events.warning("hash_not_renewed", what=what, code=error.code, reason=str(error))

    core.keys.on_told = told
    core.credentials.lookups.on_renewed = core.catalogue.lookups.on_renewed = renewed
    metrics.keys_missing.set_function(lambda: len(core.keys.missing))
    for kind in KeyKind:
        metrics.key_age.labels(kind.value).set_function(partial(_key_age, core.keys, kind))


def _key_age(keys: KeyKeeper, kind: KeyKind) -> float:
    age = keys.age(kind)
    return float("nan") if age is None else age


def _told(name: str, fields: dict[str, object], events: EventLog, metrics: Metrics) -> None:
    """Let an alarm of the rules be seen, in the log and as a metric."""
    events.warning(name, **fields)
    metrics.alarms.labels(name).inc()


def _service(published: Published, settings: Settings, public_url: str) -> Service:
    contract = load_contract(published.wsdl)
    return Service(
        path=published.path,
        engine=Engine(
            contract,
            published.messages,
            limits=settings.xml_limits,
            validate_answers=settings.validate_answers,
            own_limits=settings.own_limits,
        ),
        handlers=handlers_of(contract),
        documents=_documents(published, contract, public_url),
        page=contract_page(contract, CATALOGUE, address=public_url + published.path, send=settings.page_sends),
    )


def _documents(published: Published, contract: Contract, public_url: str) -> Mapping[str, bytes]:
    """Give what GET answers: the WSDL, flattened and apart from its schemas, and these as they are published."""
    folder = posixpath.dirname(published.wsdl)
    schemas = {f"xsd={name}": wsdl.read(f"{folder}/{name}") for name in schema_locations(contract)}
    address = public_url + published.path
    project = soapui_project(contract, address=address)
    return {
        "wsdl": flattened_wsdl(contract, address=address),
        "wsdl=apart": wsdl_apart(contract, address=address),
        "soapui": project,
        **schemas,
    }


def _signing(box: FirmSecurityBox) -> Callable[[], Awaitable[None]]:
    async def signs() -> None:
        if box.waits:
            await asyncio.to_thread(box.sign, READINESS_FIRM_CODE, b"readiness")
        else:
            box.sign(READINESS_FIRM_CODE, b"readiness")

    return signs
