"""What is known of a mail address goes with the personal data of the orders that name it."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from licensing.catalogue import Catalogue
from licensing.erasure import Erasure
from licensing.errors import AddressInvalid, TokenInvalid
from licensing.marketing.addresses import AddressBook, read_address, wishes_of
from licensing.orders import Customer, OrderLine, OrderRequest, Sales
from licensing.vault import Vault
from storage import open_storage
from storage.marketing import AddressView, Consent, Suppression, SuppressionRow

NOW = datetime(2027, 1, 2, tzinfo=UTC)


class World:
    """A shop that orders, and what is known of its customers' addresses."""

    def __init__(self, storage):
        self.storage = storage
        self.now = NOW
        rng = random.Random(1)
        self.vault = Vault(pepper=bytes(32), sealing_key=bytes(32), random=rng.randbytes)
        self.book = AddressBook(storage=storage, vault=self.vault, clock=self.clock)
        self.erasure = Erasure(storage=storage, vault=self.vault, clock=self.clock)
        self.sales = Sales(storage=storage, vault=self.vault, clock=self.clock, random=rng.randbytes)
        self.catalogue = Catalogue(storage=storage, vault=self.vault, clock=self.clock, random=rng.randbytes)
        self.shop = None

    def clock(self):
        return self.now

    async def order(self, number, email):
        lines = (OrderLine(item_number="A", quantity=1),)
        customer = Customer(name="Somebody", email=email)
        request = OrderRequest(transaction_id=number, order_number=number, lines=lines, customer=customer)
        await self.sales.create_order(shop=self.shop, request=request)

    async def known(self, address):
        view = await self.book.view(address)
        return view.consent is not None, bool(view.suppressions)


@pytest.fixture
async def world(tmp_path):
    storage = await open_storage(tmp_path / "depot.db")
    made = World(storage)
    await made.catalogue.add_item(item_number="A", firm_code=10, product_code=1)
    made.shop, _ = await made.catalogue.add_shop("shop")
    yield made
    await storage.close()


async def test_an_erasure_at_a_customers_wish_takes_consent_and_suppression(world):
    await world.order("n-1", "Customer@bücher.example")
    await world.order("n-2", "other@example.org")
    for address in ("customer@xn--bcher-kva.example", "other@example.org"):
        await world.book.record_consent(address, source="shop", actor="cli")
        await world.book.suppress(world.book.lookup(address), Suppression.BOUNCE, source="x", actor="cli")
    await world.erasure.erase(await world.erasure.find(order_number="n-1"))
    assert await world.known("customer@bücher.example") == (False, False)
    assert await world.known("other@example.org") == (True, True)


async def test_the_sweep_leaves_what_was_said_since(world):
    await world.order("n-1", "a@example.org")
    await world.order("n-2", "b@example.org")
    await world.book.record_consent("a@example.org", source="shop", actor="cli")
    world.now += timedelta(days=20)
    await world.book.record_consent("b@example.org", source="shop", actor="cli")
    world.now += timedelta(days=20)
    assert await world.erasure.sweep(days=30) == 2
    assert await world.known("a@example.org") == (False, False)
    assert await world.known("b@example.org") == (True, False)


async def test_a_consent_is_known_with_where_when_and_by_whom(world):
    await world.book.record_consent(" a@EXAMPLE.org ", source="fair", actor="support", customer_group="edu")
    (found,) = await world.book.consents()
    assert (found.address, found.customer_group, found.given_at) == ("a@EXAMPLE.org", "edu", NOW)
    assert (found.source, found.recorded_by) == ("fair", "support")
    assert await world.book.lift("a@example.org", actor="cli") == 0
    assert await world.book.forget("A@example.org", actor="cli") == 1
    assert await world.book.consents() == ()


async def test_a_token_is_good_for_its_address_and_no_other_server(world):
    token = world.book.token("a@example.org")
    assert world.book.read_token(token) == world.book.lookup("A@Example.org")
    other = Vault(pepper=b"x" * 32, sealing_key=bytes(32), random=bytes)
    stranger = AddressBook(storage=world.storage, vault=other, clock=world.clock)
    for wrong in (stranger.token("a@example.org"), "", "é", token[:-1], token + "="):
        with pytest.raises(TokenInvalid):
            world.book.read_token(wrong)


@pytest.mark.parametrize("reason", list(Suppression))
def test_where_consent_and_suppression_are_both_known_the_suppression_wins(reason):
    consent = Consent(lookup=b"A", sealed=b"", given_at=NOW, source="shop", recorded_by="cli")
    row = SuppressionRow(lookup=b"A", reason=reason, at=NOW - timedelta(days=9), source="x")
    wishes = wishes_of(AddressView(consent=consent, suppressions=(row,)))
    assert (wishes.offers, wishes.reachable) == (False, reason is not Suppression.BOUNCE)
    assert wishes_of(AddressView(consent=consent, suppressions=())).offers
    assert not wishes_of(AddressView(consent=None, suppressions=())).offers


@pytest.mark.parametrize(
    "text", ["", "a", "@", "a@", "@b", "a@b\nc", "a b@c", "a@b,c@d", "ä@b", f"{'a' * 250}@b.cc", "a@b\0"]
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(AddressInvalid):
        read_address(text)
