"""What the listeners serve: the core of `server.core` behind gates, dispatcher and pages, built from settings."""

import asyncio
import posixpath
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from typing import TextIO

from containers import FirmSecurityBox
from ipfilters import Endpoint, TrustedProxies
from observe import EventLog, Health, Metrics
from server.chance import DrawnAhead
from server.core import Clock, Core, Random, utc_now
from server.dispatch import Dispatcher, Service
from server.downloads import DOWNLOAD_PATH, Downloads
from server.errors import SettingsError
from server.filters.keeper import FilterKeeper
from server.filters.shops import ShopFilters
from server.handlers.base import Services
from server.handlers.rights import REQUIRED
from server.keys.keeper import KeyKeeper
from server.mail.unsubscribing import UNSUBSCRIBE_PATH, UnsubscribePages
from server.ozomm.running import ExtensionService
from server.published import ADMINISTERED, PUBLISHED, service_of
from server.security.gates import Gates, form_of
from server.security.guessing import GuessKeeper, GuessLimits
from server.security.wssecurity.freshness import Window
from server.security.wssecurity.messages import WsSecurity
from server.security.wssecurity.signing import AnswerSigner, SigningKeyWrong
from server.settings import Settings
from server.transport import Pages, SoapApplication
from storage.errors import StorageError
from storage.keys import KeyKind

READINESS_SECONDS = 2.0
READINESS_FIRM_CODE = 1
"""Any firm code will do to see that the box signs."""


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
    random: Random | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> Application:
    """Compile the contracts and put everything together. Raises ContractError when it does not fit."""
    random = random or DrawnAhead()
    events = EventLog(log, format=settings.log_format, clock=clock)
    metrics = Metrics(version=version("opendepot"))
    _watch(core, events, metrics)
    filters = FilterKeeper(
        core.storage, files=settings.filter_files, clock=clock, monotonic=monotonic, events=events, metrics=metrics
    )
    proxies = TrustedProxies.read(settings.trusted_proxies)
    gates = _gates(settings, core, filters, metrics, proxies)
    extensions = ExtensionService(
        settings, core, events=events, metrics=metrics, clock=clock, random=random, offers=core.campaigns
    )
    guesses = _guesses(settings, core, events, metrics, clock)
    dispatcher = Dispatcher(
        gates=gates,
        guesses=guesses,
        services=_services(settings, core, filters, extensions, proxies, public_url=public_url, clock=clock),
        events=events,
        metrics=metrics,
        monotonic=monotonic,
        random=random,
        body_seconds=settings.body_seconds,
        storage=core.storage,
        signer=_answer_signer(settings, clock),
    )
    pages = {DOWNLOAD_PATH: Downloads(core.links, gates, events=events), **_pages(settings, core, events, metrics)}
    administered = (service_of(ADMINISTERED, settings, admin_url),)
    return Application(
        soap=SoapApplication(_served(settings, public_url), dispatcher, events=events, metrics=metrics, pages=pages),
        admin_soap=SoapApplication(administered, dispatcher, events=events, metrics=metrics),
        filters=filters,
        guesses=guesses,
        health=_health(core),
        metrics=metrics,
        events=events,
        stop_waiting=core.watcher.close,
        extensions=extensions,
    )


def _served(settings: Settings, public_url: str) -> tuple[Service, ...]:
    return tuple(
        service_of(published, settings, public_url)
        for published in PUBLISHED
        if posixpath.basename(published.path) in settings.services
    )


def _health(core: Core) -> Health:
    return Health(
        {"storage": core.storage.ready, "keys": core.keys.ready, "firm_security_box": _signing(core.box)},
        seconds=READINESS_SECONDS,
    )


def _gates(settings: Settings, core: Core, filters: FilterKeeper, metrics: Metrics, proxies: TrustedProxies) -> Gates:
    return Gates(
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


def _guesses(settings: Settings, core: Core, events: EventLog, metrics: Metrics, clock: Clock) -> GuessKeeper:
    return GuessKeeper(
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


def _services(
    settings: Settings,
    core: Core,
    filters: FilterKeeper,
    extensions: ExtensionService,
    proxies: TrustedProxies,
    *,
    public_url: str,
    clock: Clock,
) -> Services:
    return Services(
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


def _watch(core: Core, events: EventLog, metrics: Metrics) -> None:
    core.depot.alarms.listen(lambda name, fields: _told(name, fields, events, metrics))
    _watch_keys(core, events, metrics)
    _watch_catalogue(core, events, metrics)


def _watch_catalogue(core: Core, events: EventLog, metrics: Metrics) -> None:
    """Let it be seen for how long it has not been known whether shops and items have changed."""
    storage = core.storage
    metrics.catalogue_age.set_function(lambda: storage.age_seconds)
    storage.on_blind = lambda: events.warning("catalogue_blind", age_seconds=round(storage.age_seconds, 1))
    storage.on_seeing = lambda: events.info("catalogue_seen")


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


def _signing(box: FirmSecurityBox) -> Callable[[], Awaitable[None]]:
    async def signs() -> None:
        if box.waits:
            await asyncio.to_thread(box.sign, READINESS_FIRM_CODE, b"readiness")
        else:
            box.sign(READINESS_FIRM_CODE, b"readiness")

    return signs
