"""What expires is told once for each licence and stage, to whom it concerns; campaigns are kept and counted."""

import asyncio
import json
import random
from datetime import UTC, datetime, timedelta

import pytest

from licensing.announcing import PURPOSE, Announcer, Kind
from licensing.catalogue import Catalogue
from licensing.errors import CampaignInvalid, CampaignUnknown, NameTaken, VaultError
from licensing.marketing.addresses import AddressBook
from licensing.marketing.campaigns import Campaigns, campaign_of, read_campaign
from licensing.marketing.mails import Mailer, MailKind, read_mail
from licensing.marketing.offers import OfferSubject
from licensing.marketing.reminding import LEASE, Reminding
from licensing.orders import Customer, OrderLine, OrderRequest, Sales
from licensing.vault import Vault
from storage import open_storage
from storage.marketing import Fate
from storage.outbox import ListOutbox

NOW = datetime(2027, 1, 2, tzinfo=UTC)
TO = "customer@example.org"
SPRING = {
    "offer_item": "PRO",
    "items": ["A"],
    "customer_groups": ["edu"],
    "texts": {"de": {"title": "Pro", "text": "x"}},
}


class World:
    """A shop that sells licences for a year, and who is told of their end."""

    def __init__(self, storage, path):
        self.storage = storage
        self.path = path
        self.now = NOW
        self.rng = random.Random(1)
        self.vault = Vault(pepper=bytes(32), sealing_key=bytes(32), random=self.rng.randbytes)
        self.book = AddressBook(storage=storage, vault=self.vault, clock=self.clock)
        self.campaigns = Campaigns(storage=storage, clock=self.clock)
        self.sales = Sales(storage=storage, vault=self.vault, clock=self.clock, random=self.rng.randbytes)
        self.orders = 0
        self.shop = None

    def clock(self):
        return self.now

    async def order(self, *, item="A", email=TO, original=None, extends=None, **customer):
        self.orders += 1
        request = OrderRequest(
            transaction_id=f"t-{self.orders}",
            order_number=f"n-{self.orders}",
            lines=(OrderLine(item_number=item, quantity=1, extends_license_id=extends),),
            original_order_number=original,
            customer=Customer(name="Zoë", email=email, customer_number="C-7", language="de", **customer),
        )
        return (await self.sales.create_order(shop=self.shop, request=request)).licenses[0].license_id

    def reminding(self, owner="one", *, days=(7, 30), mail=True, crm=False, storage=None, vault=None):
        vault = vault or self.vault
        storage = storage or self.storage
        return Reminding(
            storage=storage,
            vault=vault,
            clock=self.clock,
            owner=owner,
            days=days,
            book=self.book,
            campaigns=self.campaigns,
            mailer=Mailer(vault=vault, clock=self.clock, random=self.rng.randbytes) if mail else None,
            announcer=Announcer(vault=vault, clock=self.clock, random=self.rng.randbytes) if crm else None,
        )

    async def messages(self):
        found = await self.storage.query(ListOutbox(limit=1000))
        return [(row.message, self.vault.open(PURPOSE, row.message.content_sealed)) for row in found]


@pytest.fixture
async def world(tmp_path):
    path = tmp_path / "depot.db"
    storage = await open_storage(path)
    made = World(storage, path)
    catalogue = Catalogue(storage=storage, vault=made.vault, clock=made.clock, random=made.rng.randbytes)
    for item in ("A", "PRO"):
        await catalogue.add_item(item_number=item, firm_code=10, product_code=1, options=("expirationTime=add:365d",))
    await catalogue.add_item(item_number="EVER", firm_code=10, product_code=1)
    made.shop, _ = await catalogue.add_shop("shop")
    yield made
    await storage.close()


def at(days):
    """So many days before a licence that was ordered at NOW expires."""
    return NOW + timedelta(days=365 - days)


async def test_each_stage_is_told_once_however_often_it_is_looked_at(world):
    license_id = await world.order()
    await world.order(item="EVER")
    told = []
    for days in (31, 30, 29, 8, 7, 6.5, 1, 0, -1):
        world.now = at(days)
        told.append(await world.reminding().turn())
        told.append(await world.reminding().turn())
    assert told == [0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    (first, content), (second, _) = await world.messages()
    assert (first.channel, first.kind) == ("mail", "mail.expiring")
    assert first.message_id != second.message_id
    mail = read_mail(content)
    assert (mail.kind, mail.address, mail.name, mail.language) == (MailKind.EXPIRING, TO, "Zoë", "de")
    assert [each.license_id for each in mail.licenses] == [license_id]
    assert mail.licenses[0].expires_at == at(0)


async def test_who_was_away_for_a_stage_gets_the_next_one_alone(world):
    await world.order()
    world.now = at(3)
    assert await world.reminding().turn() == 1
    assert await world.reminding().turn() == 0


async def test_a_renewal_begins_the_stages_anew(world):
    license_id = await world.order()
    world.now = at(20)
    assert await world.reminding().turn() == 1
    await world.order(original="n-1", extends=license_id)
    world.now = at(10)
    assert await world.reminding().turn() == 0
    world.now = at(5)
    assert await world.reminding().turn() == 0
    world.now = at(30) + timedelta(days=365)
    assert await world.reminding().turn() == 1


async def test_the_crm_is_told_without_a_name_or_an_address(world):
    license_id = await world.order()
    world.now = at(29)
    assert await world.reminding(crm=True, mail=False).turn() == 1
    ((message, content),) = await world.messages()
    assert (message.channel, message.kind) == ("webhook", Kind.LICENSE_EXPIRING)
    data = json.loads(content)["data"]
    assert data == {
        "licenseId": license_id, "itemNumber": "A", "expiresAt": at(0).isoformat(), "daysBefore": 30,
        "shop": "shop", "orderNumber": "n-1", "customerNumber": "C-7",
    }  # fmt: skip
    assert TO.encode() not in content


async def test_both_are_told_in_one_step_and_who_has_no_address_is_left(world):
    await world.order()
    await world.order(email=None)
    await world.order(email="no address")
    world.now = at(29)
    assert await world.reminding().turn() == 1
    world.now = at(6)
    assert await world.reminding(crm=True).turn() == 3
    assert sorted(message.channel for message, _ in await world.messages()) == ["mail"] * 2 + ["webhook"] * 3


async def test_two_processes_at_once_tell_each_licence_once_and_one_waits_for_the_others_lease(world):
    for _ in range(15):
        await world.order()
    world.now = at(29)
    other = await open_storage(world.path)
    told = await asyncio.gather(world.reminding("one").turn(), world.reminding("two", storage=other).turn())
    assert sum(told) == 15
    assert len(await world.messages()) == 15
    world.now = at(6)
    holder = "one" if told[0] else "two"
    waiting = "two" if told[0] else "one"
    assert await world.reminding(holder, days=(30,)).turn() == 0
    assert await world.reminding(waiting).turn() == 0
    world.now += LEASE
    assert await world.reminding(waiting).turn() == 15
    await other.close()


async def test_a_customer_who_cannot_be_unsealed_keeps_nobody_else_from_being_told(world):
    await world.order()
    strange = Vault(pepper=bytes(32), sealing_key=b"x" * 32, random=world.rng.randbytes)
    sales, world.sales = (
        world.sales,
        Sales(storage=world.storage, vault=strange, clock=world.clock, random=world.rng.randbytes),
    )
    await world.order()
    world.sales = sales
    await world.order()
    world.now = at(29)
    with pytest.raises(VaultError):
        await world.reminding().turn()
    assert len(await world.messages()) == 2


async def test_an_offer_is_in_the_reminder_of_whom_it_is_meant_for_and_who_agreed(world):
    await world.campaigns.add(read_campaign("spring", SPRING))
    await world.order()
    world.now = at(29)
    await world.reminding().turn()
    await world.book.record_consent(TO, source="shop", actor="cli")
    world.now = at(7)
    await world.reminding().turn()
    await world.order()
    await world.book.record_consent(TO, source="shop", actor="cli", customer_group="edu")
    world.now = at(7) + timedelta(days=358)
    await world.reminding(days=(400,)).turn()
    offers = [[offer.title for offer in read_mail(content).offers] for _, content in await world.messages()]
    assert sorted(offers) == [[], [], ["Pro"]]


async def test_a_campaign_comes_back_as_it_was_read_and_is_counted(world):
    values = {
        **SPRING, "days_before_expiry": 30, "languages": ["de"], "starts_at": NOW, "ends_at": datetime(2027, 6, 1),  # noqa: DTZ001  as TOML may have it
    }  # fmt: skip
    campaign = read_campaign("spring", values)
    assert campaign.ends_at == datetime(2027, 6, 1, tzinfo=UTC)
    await world.campaigns.add(campaign)
    assert [campaign_of(row) for row in await world.campaigns.rows()] == [campaign]
    with pytest.raises(NameTaken):
        await world.campaigns.add(campaign)
    license_id = await world.order()
    subject = OfferSubject(item_number="A", expires_at=NOW + timedelta(days=9), customer_group="edu", language="de")
    offers = await world.campaigns.offers(subject, now=NOW)
    for subject_id in ("extension-1", "extension-1", "extension-2"):
        await world.campaigns.shown(offers, license_id=license_id, subject=subject_id)
    world.now += timedelta(days=1)
    await world.order(item="PRO", original="n-1")
    counts = {each.fate: each.count for each in await world.campaigns.report("spring")}
    assert counts == {Fate.SHOWN: 2, Fate.TAKEN: 1}
    await world.campaigns.stop("spring")
    assert await world.campaigns.offers(subject, now=NOW) == ()
    for refused in (world.campaigns.stop("spring"), world.campaigns.report("none")):
        with pytest.raises(CampaignUnknown):
            await refused


@pytest.mark.parametrize(
    ("name", "change", "field"),
    [
        ("Spring", {}, "Spring"),
        ("a" * 41, {}, "name"),
        ("spring", {"itms": []}, "itms"),
        ("spring", {"offer_item": None}, "offer_item"),
        ("spring", {"offer_item": ""}, "offer_item"),
        ("spring", {"items": "A"}, "items"),
        ("spring", {"items": [1]}, "items"),
        ("spring", {"days_before_expiry": True}, "days_before_expiry"),
        ("spring", {"days_before_expiry": 0}, "days_before_expiry"),
        ("spring", {"texts": {}}, "texts"),
        ("spring", {"texts": {"de/": {"title": "x", "text": ""}}}, "texts.de/"),
        ("spring", {"texts": {"de": {"text": "x"}}}, "texts.de.title"),
        ("spring", {"texts": {"de": {"title": "x", "text": "", "link": ""}}}, "texts.de"),
        ("spring", {"texts": {"de": {"title": "x", "text": "", "url": "javascript:alert(1)"}}}, "texts.de.url"),
        ("spring", {"texts": {"de": {"title": "x", "text": "", "url": "https://"}}}, "texts.de.url"),
        ("spring", {"starts_at": "tomorrow"}, "starts_at"),
        ("spring", {"starts_at": NOW, "ends_at": NOW}, "ends_at"),
    ],
)
def test_a_campaign_that_cannot_be_is_refused_with_its_name_and_field(name, change, field):
    with pytest.raises(CampaignInvalid, match=field):
        read_campaign(name, {**SPRING, **change})
