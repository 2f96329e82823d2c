"""The commands and queries of `storage.marketing` as plans."""

from datetime import UTC, datetime, timedelta

from storage import rows
from storage.audit_plans import take_lease
from storage.marketing import (
    AddCampaign,
    AddressView,
    CampaignRow,
    Consent,
    CountFates,
    CountOffers,
    CountTaken,
    ExpiringLicense,
    ExpiringPage,
    Fate,
    FateCount,
    FindAddress,
    ForgetAddress,
    LiftSuppressions,
    ListCampaigns,
    ListConsents,
    MarketingCommand,
    MarketingQuery,
    OfferEvent,
    RecordConsent,
    StopCampaign,
    SuppressAddress,
    Suppression,
    SuppressionRow,
    TakeReminderTurn,
    TellExpiring,
    WalkExpiring,
)
from storage.outbox_plans import add_messages
from storage.plans import Plan, many, one, written

REMINDERS = "reminders"
_DAY = 24 * 3600 * 1_000_000


def plan_marketing_command(command: MarketingCommand) -> Plan[object]:  # noqa: C901, PLR0911 - one for each command
    """The plan whose result is the command's own answer."""
    match command:
        case RecordConsent():
            return _record_consent(command)
        case SuppressAddress():
            return _suppress(command)
        case LiftSuppressions():
            return _lift(command)
        case ForgetAddress():
            return _forget(command)
        case AddCampaign():
            return _add_campaign(command)
        case StopCampaign():
            return _stop_campaign(command)
        case CountOffers():
            return count_offers(command.events)
        case CountTaken():
            return written("count_taken", {"window": command.days * _DAY, "since": rows.from_time(command.since)})
        case TakeReminderTurn():
            return take_lease(REMINDERS, command.lease)
        case TellExpiring():
            return _tell_expiring(command)


def plan_marketing_query(query: MarketingQuery) -> Plan[object]:
    """The plan that finds the query's own answer."""
    match query:
        case FindAddress():
            return _find_address(query)
        case ListConsents():
            return _list_consents(query)
        case ListCampaigns():
            return _list_campaigns()
        case CountFates():
            return _count_fates(query)
        case WalkExpiring():
            return _walk_expiring(query)


def _record_consent(command: RecordConsent) -> Plan[bool]:
    consent = command.consent
    since: rows.Parameters = {"lookup": consent.lookup, "at": rows.from_time(consent.given_at)}
    if (yield from one("later_unsubscribing", since)) is not None:
        return False
    if (yield from written("put_consent", rows.flat(consent))) == 0:
        return False
    yield from written("lift_unsubscribing", {"lookup": consent.lookup})
    yield from written("add_audit", rows.flat(command.audit))
    return True


def _suppress(command: SuppressAddress) -> Plan[bool]:
    row = command.suppression
    added = yield from written("add_suppression", {**rows.flat(row), "reason": row.reason.value})
    gone = 0
    if row.reason is not Suppression.BOUNCE:
        gone = yield from written("forget_consent", {"lookup": row.lookup})
    if added or gone:
        yield from written("add_audit", rows.flat(command.audit))
    return added > 0


def _lift(command: LiftSuppressions) -> Plan[int]:
    lifted = yield from written("forget_suppressions", {"lookup": command.lookup})
    if lifted:
        yield from written("add_audit", rows.flat(command.audit))
    return lifted


def _forget(command: ForgetAddress) -> Plan[int]:
    gone = yield from written("forget_suppressions", {"lookup": command.lookup})
    gone += yield from written("forget_consent", {"lookup": command.lookup})
    if gone:
        yield from written("add_audit", rows.flat(command.audit))
    return gone


def forget_addresses(lookups: tuple[bytes, ...], *, before: datetime | None) -> Plan[None]:
    """Take away what is known of addresses; only what was written before a time where one is given."""
    for lookup in sorted(set(lookups)):
        if before is None:
            yield from written("forget_suppressions", {"lookup": lookup})
            yield from written("forget_consent", {"lookup": lookup})
        else:
            old: rows.Parameters = {"lookup": lookup, "at": rows.from_time(before)}
            yield from written("forget_old_suppressions", old)
            yield from written("forget_old_consent", old)


def _add_campaign(command: AddCampaign) -> Plan[bool]:
    if (yield from written("add_campaign", rows.flat(command.campaign))) == 0:
        return False
    yield from written("add_audit", rows.flat(command.audit))
    return True


def _stop_campaign(command: StopCampaign) -> Plan[bool]:
    if (yield from written("stop_campaign", {"name": command.name, "at": rows.from_time(command.at)})) == 0:
        return False
    yield from written("add_audit", rows.flat(command.audit))
    return True


def count_offers(events: tuple[OfferEvent, ...]) -> Plan[int]:
    """Write events of offers, in the order of their keys; how many were new."""
    added = 0
    for event in sorted(events, key=lambda event: (event.campaign, event.fate, event.subject)):
        added += yield from written("add_offer_event", {**rows.flat(event), "fate": event.fate.value})
    return added


def _tell_expiring(command: TellExpiring) -> Plan[bool]:
    told = yield from written(
        "add_reminder",
        {
            "license_id": command.license_id,
            "version": command.version,
            "expires_at": rows.from_time(command.expires_at),
            "days": command.days,
            "at": rows.from_time(command.at),
        },
    )
    if told:
        yield from add_messages(command.messages)
    return told > 0


def _find_address(query: FindAddress) -> Plan[AddressView]:
    consent = yield from one("consent", {"lookup": query.lookup})
    found = yield from many("suppressions", {"lookup": query.lookup})
    return AddressView(
        consent=None if consent is None else _consent(consent), suppressions=tuple(map(_suppression, found))
    )


def _list_consents(query: ListConsents) -> Plan[tuple[Consent, ...]]:
    found = yield from many("consents_after", {"after": query.after, "limit": query.limit})
    return tuple(map(_consent, found))


def _list_campaigns() -> Plan[tuple[CampaignRow, ...]]:
    found = yield from many("campaigns", {})
    return tuple(map(_campaign, found))


def _count_fates(query: CountFates) -> Plan[tuple[FateCount, ...]]:
    found = yield from many("offer_counts", {"campaign": query.campaign, "day": _DAY})
    return tuple(
        FateCount(
            campaign=row["campaign"],
            fate=Fate(row["fate"]),
            day=(rows.to_time(0) + timedelta(days=row["day"])).date(),
            count=row["offers"],
        )
        for row in found
    )


def _walk_expiring(query: WalkExpiring) -> Plan[ExpiringPage]:
    end = yield from one("last_license_of_page", {"after": query.after, "limit": query.limit})
    last = None if end is None else end["last"]
    if last is None:
        return ExpiringPage(licenses=(), last=None)
    found = yield from many(
        "expiring_licenses",
        {
            "after": query.after,
            "last": last,
            "earliest": _text(query.earliest),
            "latest": _text(query.latest),
        },
    )
    licenses = []
    for row in found:
        expires_at = datetime.fromisoformat(row["expiration_time"])
        told = yield from many(
            "reminders_told", {"license_id": row["license_id"], "expires_at": rows.from_time(expires_at)}
        )
        licenses.append(
            ExpiringLicense(
                license_id=row["license_id"],
                ticket_id=row["ticket_id"],
                item_number=row["item_number"],
                version=row["version"],
                expires_at=expires_at,
                shop=row["shop"],
                order_id=row["order_id"],
                order_number=row["order_number"],
                customer_sealed=row["customer_sealed"],
                told=tuple(each["days"] for each in told),
            )
        )
    return ExpiringPage(licenses=tuple(licenses), last=last)


def _text(moment: datetime) -> str:
    """A time as it stands in a licence's options, where it sorts as text."""
    return moment.astimezone(UTC).replace(microsecond=0).isoformat()


def _consent(row: rows.Row) -> Consent:
    return Consent(
        lookup=row["lookup"],
        sealed=row["sealed"],
        given_at=rows.to_time(row["given_at"]),
        source=row["source"],
        recorded_by=row["recorded_by"],
    )


def _suppression(row: rows.Row) -> SuppressionRow:
    return SuppressionRow(
        lookup=row["lookup"], reason=Suppression(row["reason"]), at=rows.to_time(row["at"]), source=row["source"]
    )


def _campaign(row: rows.Row) -> CampaignRow:
    return CampaignRow(
        name=row["name"],
        rules=row["rules"],
        offer_item=row["offer_item"],
        created_at=rows.to_time(row["created_at"]),
        stopped_at=None if row["stopped_at"] is None else rows.to_time(row["stopped_at"]),
    )
