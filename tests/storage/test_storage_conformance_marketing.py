"""Consent, suppression, reminders and campaigns on every storage."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from storage.audit import Lease, ListAudit
from storage.erasure import EraseOrders
from storage.marketing import (
    AddCampaign,
    CampaignRow,
    Consent,
    CountFates,
    CountOffers,
    CountTaken,
    ExpiringLicense,
    Fate,
    FateCount,
    FindAddress,
    ForgetAddress,
    LiftSuppressions,
    ListCampaigns,
    ListConsents,
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
from storage.outbox import ListOutbox

SECOND = timedelta(seconds=1)


def consent(make, lookup=b"A", **values):
    row = Consent(lookup=lookup, sealed=b"sealed", given_at=make.now, source="shop", recorded_by="cli")
    return RecordConsent(consent=replace(row, **values), audit=make.audit("address"))


def suppress(make, lookup=b"A", *, reason=Suppression.UNSUBSCRIBE, at=None):
    row = SuppressionRow(lookup=lookup, reason=reason, at=at or make.now, source="one-click")
    return SuppressAddress(suppression=row, audit=make.audit("address"))


async def known(storage, lookup=b"A"):
    view = await storage.query(FindAddress(lookup=lookup))
    return view.consent, [row.reason for row in view.suppressions]


async def actions(storage):
    return len(await storage.query(ListAudit(limit=1000, subject="address")))


async def test_a_consent_comes_back_as_it_was_and_the_newest_one_holds(storage, make):
    command = consent(make)
    assert await storage.execute(command)
    assert await known(storage) == (command.consent, [])
    newer = consent(make, given_at=make.now + SECOND, source="phone", sealed=b"other", recorded_by="support")
    assert await storage.execute(newer)
    assert not await storage.execute(command)
    assert await known(storage) == (newer.consent, [])
    assert await storage.execute(consent(make, b"B"))
    assert [row.lookup for row in await storage.query(ListConsents(after=b"", limit=9))] == [b"A", b"B"]
    assert [row.lookup for row in await storage.query(ListConsents(after=b"A", limit=9))] == [b"B"]
    assert await actions(storage) == 3


async def test_unsubscribing_takes_the_consent_until_a_later_one(storage, make):
    await storage.execute(consent(make))
    assert await storage.execute(suppress(make, at=make.now + SECOND))
    assert not await storage.execute(suppress(make, at=make.now + 2 * SECOND))
    assert await known(storage) == (None, [Suppression.UNSUBSCRIBE])
    assert not await storage.execute(consent(make, given_at=make.now + SECOND))
    later = consent(make, given_at=make.now + 2 * SECOND)
    assert await storage.execute(later)
    assert await known(storage) == (later.consent, [])


async def test_a_bounce_leaves_the_consent_and_a_complaint_outlives_a_new_one(storage, make):
    await storage.execute(consent(make))
    await storage.execute(suppress(make, reason=Suppression.BOUNCE))
    assert await known(storage) == (consent(make).consent, [Suppression.BOUNCE])
    await storage.execute(suppress(make, reason=Suppression.COMPLAINT))
    await storage.execute(consent(make, given_at=make.now + SECOND))
    assert (await known(storage))[1] == [Suppression.BOUNCE, Suppression.COMPLAINT]
    assert await storage.execute(LiftSuppressions(lookup=b"A", audit=make.audit("address"))) == 2
    assert await storage.execute(LiftSuppressions(lookup=b"A", audit=make.audit("address"))) == 0
    assert (await known(storage))[1] == []
    assert await actions(storage) == 5


async def test_an_address_is_forgotten_whole(storage, make):
    await storage.execute(consent(make))
    await storage.execute(suppress(make, reason=Suppression.BOUNCE))
    await storage.execute(consent(make, b"B"))
    assert await storage.execute(ForgetAddress(lookup=b"A", audit=make.audit("address"))) == 2
    assert await known(storage) == (None, [])
    assert (await known(storage, b"B"))[0] is not None


@pytest.mark.parametrize("old", [True, False])
async def test_an_erasure_takes_addresses_and_a_sweep_only_what_is_old(stocked, make, old):
    order = make.order()
    await stocked.execute(order)
    await stocked.execute(consent(make))
    await stocked.execute(suppress(make, reason=Suppression.BOUNCE))
    command = EraseOrders(
        order_ids=(order.order.order_id,), operation="CreateOrder", at=make.now, audit=make.audit(), addresses=(b"A",),
        addresses_before=make.now + (SECOND if old else timedelta()),
    )  # fmt: skip
    await stocked.execute(command)
    assert (await known(stocked) == (None, [])) is old
    await stocked.execute(replace(command, addresses_before=None))
    assert await known(stocked) == (None, [])


async def test_of_many_at_once_who_record_and_unsubscribe_none_fails_and_the_last_word_holds(storage, open_node, make):
    other = await open_node()
    commands = [
        consent(make, given_at=make.now + number * SECOND)
        if number % 2
        else suppress(make, at=make.now + number * SECOND)
        for number in range(12)
    ]
    await asyncio.gather(*((storage, other)[number // 2 % 2].execute(each) for number, each in enumerate(commands)))
    await storage.execute(suppress(make, at=make.now + 100 * SECOND))
    assert await known(storage) == (None, [Suppression.UNSUBSCRIBE])


def expiring(make, days, **values):
    """An order whose only licence expires after so many days."""
    order = make.order(**values)
    moment = (make.now + timedelta(days=days)).replace(microsecond=0)
    line = replace(order.licenses[0], options=json.dumps({"expiration_time": moment.isoformat()}))
    return replace(order, licenses=(line,)), moment


def walk(make, after="", *, days=30, limit=100):
    return WalkExpiring(after=after, limit=limit, earliest=make.now, latest=make.now + timedelta(days=days))


async def test_what_expires_in_time_is_found_page_by_page_with_its_customer(stocked, make):
    near, moment = expiring(make, 10, number="N-1")
    far, _ = expiring(make, 31)
    gone, _ = expiring(make, -1)
    withdrawn, _ = expiring(make, 10)
    withdrawn = replace(withdrawn, licenses=(replace(withdrawn.licenses[0], withdrawn=True),))
    for order in (near, far, make.order(), gone, withdrawn):
        await stocked.execute(order)
    page = await stocked.query(walk(make))
    line = near.licenses[0]
    assert list(page.licenses) == [
        ExpiringLicense(
            license_id=line.license_id,
            ticket_id=line.ticket_id,
            item_number=line.item_number,
            version=1,
            expires_at=moment,
            shop="acme",
            order_id=near.order.order_id,
            order_number="N-1",
            customer_sealed=b"customer",
            told=(),
        )
    ]
    found, after = [], ""
    while (page := await stocked.query(walk(make, after, limit=2, days=40))).last is not None:
        found += [each.license_id for each in page.licenses]
        after = page.last
    assert found == [line.license_id, far.licenses[0].license_id]


async def test_the_customer_is_the_one_of_the_newest_order_on_the_ticket_that_names_one(stocked, make):
    first, _ = expiring(make, 10)
    await stocked.execute(first)
    second = make.order(ticket=first.ticket)
    second = replace(second, order=replace(second.order, customer_sealed=b"newer"))
    await stocked.execute(second)
    third = make.order(ticket=first.ticket)
    await stocked.execute(replace(third, order=replace(third.order, customer_sealed=None)))
    (found,) = (await stocked.query(walk(make))).licenses
    assert (found.order_id, found.customer_sealed) == (second.order.order_id, b"newer")


def tell(make, order, moment, *, days=30, version=1):
    line = order.licenses[0]
    message = make.message(line.ticket_id, channel="mail")
    return TellExpiring(
        license_id=line.license_id, version=version, expires_at=moment, days=days, at=make.now, messages=(message,)
    )


async def test_a_stage_is_told_once_whoever_tells_it_and_not_of_a_licence_that_changed(stocked, open_node, make):
    order, moment = expiring(make, 10)
    await stocked.execute(order)
    other = await open_node()
    told = await asyncio.gather(*(each.execute(tell(make, order, moment)) for each in (stocked, other) * 4))
    assert sorted(told) == [False] * 7 + [True]
    assert not await stocked.execute(tell(make, order, moment, days=7, version=2))
    assert await stocked.execute(tell(make, order, moment, days=7))
    assert len(await stocked.query(ListOutbox(limit=100))) == 2
    (found,) = (await stocked.query(walk(make))).licenses
    assert found.told == (7, 30)


async def test_one_process_at_a_time_has_the_turn(storage, make):
    def turn(owner, now):
        return TakeReminderTurn(lease=Lease(owner=owner, now=now, until=now + 10 * SECOND))

    assert await storage.execute(turn("one", make.now))
    assert not await storage.execute(turn("two", make.now + 9 * SECOND))
    assert await storage.execute(turn("two", make.now + 10 * SECOND))
    assert not await storage.execute(turn("one", make.now + 11 * SECOND))


def campaign(make, name="up", **values):
    row = CampaignRow(name=name, rules="{}", offer_item="ITEM-1", created_at=make.now)
    return AddCampaign(campaign=replace(row, **values), audit=make.audit(name))


async def test_a_campaign_is_added_once_and_stopped_once(storage, make):
    assert await storage.execute(campaign(make))
    assert not await storage.execute(campaign(make, rules='{"other":1}'))
    assert await storage.execute(StopCampaign(name="up", at=make.now + SECOND, audit=make.audit("up")))
    assert not await storage.execute(StopCampaign(name="up", at=make.now, audit=make.audit("up")))
    assert not await storage.execute(StopCampaign(name="down", at=make.now, audit=make.audit("down")))
    assert await storage.query(ListCampaigns()) == (campaign(make, stopped_at=make.now + SECOND).campaign,)


def event(make, subject="s", *, fate=Fate.SHOWN, campaign="up", at=None, license_id="l"):
    return OfferEvent(campaign=campaign, fate=fate, subject=subject, license_id=license_id, at=at or make.now)


async def test_what_became_of_offers_is_counted_once_by_day(storage, make):
    tomorrow = make.now + timedelta(days=1)
    events = (event(make), event(make, "t"), event(make, fate=Fate.MAILED, at=tomorrow), event(make, campaign="other"))
    assert await storage.execute(CountOffers(events=events)) == 4
    assert await storage.execute(CountOffers(events=(event(make, at=tomorrow), event(make, "u")))) == 1
    counts = await storage.query(CountFates(campaign="up"))
    assert list(counts) == [
        FateCount(campaign="up", fate=Fate.MAILED, day=tomorrow.date(), count=1),
        FateCount(campaign="up", fate=Fate.SHOWN, day=make.now.date(), count=3),
    ]
    assert len(await storage.query(CountFates())) == 3


async def test_an_offer_is_taken_by_a_later_order_of_its_item_on_the_same_ticket(stocked, make):
    await stocked.execute(make.item("ITEM-2"))
    await stocked.execute(campaign(make, offer_item="ITEM-2"))
    first = make.order()
    await stocked.execute(first)
    license_id = first.licenses[0].license_id
    shown = (event(make, license_id=license_id), event(make, "again", license_id=license_id))
    await stocked.execute(CountOffers(events=shown))

    async def bought(item, days, ticket):
        order = make.order(ticket=ticket, items=(item,))
        line = replace(order.licenses[0], created_at=make.now + timedelta(days=days))
        await stocked.execute(replace(order, licenses=(line,)))

    await bought("ITEM-2", 0, first.ticket)
    await bought("ITEM-1", 1, first.ticket)
    await bought("ITEM-2", 91, first.ticket)
    await bought("ITEM-2", 1, None)
    count = CountTaken(days=90, since=make.now)
    assert await stocked.execute(count) == 0
    await bought("ITEM-2", 90, first.ticket)
    assert await stocked.execute(replace(count, since=make.now + SECOND)) == 0
    assert await stocked.execute(count) == 1
    assert await stocked.execute(count) == 0
    (taken,) = [each for each in await stocked.query(CountFates()) if each.fate is Fate.TAKEN]
    assert (taken.count, taken.day) == (1, (make.now + timedelta(days=90)).date())
