"""Lines that renew a licence: one quantity, one swap, dates and units added up, and only by whom it belongs to."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rules import FIRM, World, held

from licensing.errors import (
    FirmCodeDiffers,
    LicenseRepeated,
    LicenseUnknown,
    NothingFree,
    NotRenewable,
    OriginalAmbiguous,
    OriginalRequired,
    QuantityDiffers,
    RightMissing,
    TicketUnknown,
)
from licensing.options import renew, replace_options
from licensing.orders import OrderLine, OrderReceipt, OrderRequest
from licensing.rights import EXTEND_ANY

AT = datetime(2026, 6, 1, tzinfo=UTC)


async def renewing(
    world: World, order: OrderReceipt, *, item: str = "A", shop: str = "shop", quantity: int = 2, **changes: object
) -> OrderReceipt:
    world.orders += 1
    request = OrderRequest(
        transaction_id=f"t-{world.orders}",
        order_number=f"n-{world.orders}",
        original_order_number="n-1",
        lines=(OrderLine(item_number=item, quantity=quantity, extends_license_id=order.licenses[0].license_id),),
    )
    return await world.sales().create_order(shop=world.shops[shop], request=replace(request, **changes))  # type: ignore[arg-type]


@pytest.fixture
async def year(world: World) -> World:
    await world.catalogue().add_item(
        item_number="YEAR", firm_code=FIRM, product_code=1, options=("expirationTime=add:365d", "unitCounter=10")
    )
    return world


async def test_a_renewed_licence_keeps_its_name_and_its_pieces_and_is_swapped_in_one_step(year: World) -> None:
    order, container, other = await year.order(2, item="YEAR"), year.container("c"), year.container("o")
    container.import_update((await year.ask(order, container.context(FIRM))).update or b"")
    before = container.listing(FIRM)[0]
    second = await renewing(year, order, item="YEAR")
    assert (second.ticket, second.licenses[0].license_id) == (order.ticket, order.licenses[0].license_id)
    with pytest.raises(NothingFree):
        await year.ask(order, other.context(FIRM))
    answer = await year.ask(order, container.context(FIRM))
    container.import_update(answer.update or b"")
    (after,) = container.listing(FIRM)
    assert (after.license_id, after.quantity, after.generation) == (before.license_id, 2, 2)
    assert before.options.expiration_time
    assert after.options.expiration_time
    assert (after.options.expiration_time - before.options.expiration_time).days == 365
    assert (before.options.unit_counter, after.options.unit_counter) == (10, 20)


async def test_both_orders_say_what_became_of_their_line(year: World) -> None:
    order = await year.order(2)
    second = await renewing(year, order, item="YEAR")
    sales, shop = year.sales(), year.shops["shop"]
    (first_line,) = (await sales.get_order(shop=shop, order_id=order.order_id)).licenses
    (second_line,) = (await sales.get_order(shop=shop, order_id=second.order_id)).licenses
    assert (first_line.state, first_line.item_number, first_line.generation) == ("Replaced", "A", 1)
    assert (second_line.state, second_line.item_number, second_line.generation) == ("NotCollected", "YEAR", 2)
    assert first_line.license_id == second_line.license_id
    overview = await year.depot().get_ticket(tickets=(order.ticket,))
    assert [(x.license_id, x.item_number) for x in overview.licenses] == [(first_line.license_id, "YEAR")]


async def test_an_expired_licence_says_so_until_it_is_renewed(year: World) -> None:
    order, shop = await year.order(2, item="YEAR"), year.shops["shop"]
    year.now = datetime(2027, 6, 1, tzinfo=UTC)
    assert [x.state for x in (await year.sales().get_order(shop=shop, order_id=order.order_id)).licenses] == ["Expired"]
    assert (await year.depot().get_ticket(tickets=(order.ticket,))).licenses[0].state == "Expired"
    await renewing(year, order, item="YEAR")
    assert (await year.depot().get_ticket(tickets=(order.ticket,))).licenses[0].state == "NotCollected"


async def test_the_same_renewal_again_is_one_renewal(year: World) -> None:
    order = await year.order(2, item="YEAR")
    second = await renewing(year, order, item="YEAR")
    again = await renewing(year, order, item="YEAR", transaction_id="t-2", order_number="n-2")
    assert again == second
    assert year.sql("SELECT generation FROM licenses WHERE extends_license_id IS NULL") == [(2,)]


async def test_what_a_line_cannot_renew_is_told_with_its_place(year: World) -> None:
    order = await year.order(2)
    line = OrderLine(item_number="A", quantity=2, extends_license_id=order.licenses[0].license_id)
    await year.catalogue().add_item(item_number="USE", firm_code=FIRM, product_code=1, options=("usagePeriod=30d",))
    other = await year.order(1)
    for error, path, changes in (
        (OriginalRequired, "orderLine[1]/extendsLicenseId", {"original_order_number": None}),
        (LicenseUnknown, "orderLine[1]/extendsLicenseId", {"original_order_number": "n-2"}),
        (LicenseUnknown, "orderLine[1]/extendsLicenseId", {"lines": (replace(line, extends_license_id="x"),)}),
        (LicenseRepeated, "orderLine[2]/extendsLicenseId", {"lines": (line, line)}),
        (QuantityDiffers, "orderLine[1]/quantity", {"lines": (replace(line, quantity=1),)}),
        (FirmCodeDiffers, "orderLine[1]", {"lines": (replace(line, item_number="O"),)}),
        (NotRenewable, "orderLine[1]", {"lines": (replace(line, item_number="USE"),)}),
        (OriginalAmbiguous, "originalTicket", {"original_ticket": order.ticket}),
        (RightMissing, "originalTicket", {"original_ticket": order.ticket, "original_order_number": None}),
    ):
        with pytest.raises(error) as refused:
            await renewing(year, order, **changes)
        assert refused.value.path == path
    assert other.licenses[0].license_id not in str(year.sql("SELECT details FROM audit"))
    assert year.sql("SELECT count(*) FROM orders") == [(2,)]


async def test_another_shop_renews_only_with_the_right_and_by_the_ticket(year: World) -> None:
    order = await year.order(2)
    ticketed = {"shop": "other", "original_order_number": None, "original_ticket": order.ticket.lower()}
    with pytest.raises(RightMissing):
        await renewing(year, order, **ticketed)  # type: ignore[arg-type]
    year.shops["other"] = replace(year.shops["other"], rights=EXTEND_ANY)
    assert (await renewing(year, order, **ticketed)).ticket == order.ticket  # type: ignore[arg-type]
    for ticket in ("00000-00000-00000-00000-00000", "x" * 25):
        with pytest.raises(TicketUnknown):
            await renewing(year, order, **{**ticketed, "original_ticket": ticket})  # type: ignore[arg-type]


async def test_a_line_of_another_shop_on_the_ticket_is_not_renewed_by_its_first_shop(year: World) -> None:
    order = await year.order(1)
    year.shops["other"] = replace(year.shops["other"], rights=EXTEND_ANY)
    line = OrderLine(item_number="A", quantity=1)
    request = OrderRequest(transaction_id="o", original_ticket=order.ticket, lines=(line,))
    foreign = await year.sales().create_order(shop=year.shops["other"], request=request)
    with pytest.raises(LicenseUnknown):
        await renewing(year, foreign, quantity=1)


async def test_a_right_is_given_and_taken_by_the_shop_s_name(world: World) -> None:
    catalogue = world.catalogue()
    _, key = await catalogue.add_shop("third")
    await catalogue.set_rights("third", (EXTEND_ANY,))
    found = await catalogue.find_shop(key, None)
    assert found is not None
    assert found.rights == EXTEND_ANY
    await catalogue.set_rights("third", ())
    found = await catalogue.find_shop(key, None)
    assert found is not None
    assert found.rights == ""


@pytest.mark.parametrize(
    ("held_", "item", "renewed"),
    [
        ('{"expiration_time": "2026-07-01T00:00:00+00:00"}', '{"expiration_time": "add:10"}', "2026-07-11T00:00:00"),
        ('{"expiration_time": "2026-05-01T00:00:00+00:00"}', '{"expiration_time": "add:10"}', "2026-06-11T00:00:00"),
        ('{"expiration_time": "2026-07-01T00:00:00+00:00"}', '{"expiration_time": "2026-06-15T00:00:00+00:00"}', "15T"),
        ('{"expiration_time": "2026-07-01T00:00:00+00:00"}', "{}", "2026-07-01T00:00:00"),
        ("{}", '{"expiration_time": "add:10"}', "{}"),
        ('{"maintenance_end": "2026-07-01T00:00:00+00:00"}', '{"maintenance_end": "add:10"}', "2026-07-11T00:00:00"),
        ('{"unit_counter": 5}', '{"unit_counter": 7}', "12"),
        ('{"expiration_time": "9998-07-01T00:00:00+00:00"}', '{"expiration_time": "add:36500"}', "9998-12-31"),
    ],
)
def test_what_a_renewal_makes_of_options(held_: str, item: str, renewed: str) -> None:
    assert renewed in renew(held_, item, at=AT)


def test_a_replacement_never_gives_time() -> None:
    kept = replace_options(
        '{"expiration_time": "2026-07-01T00:00:00+00:00", "text": "old"}', '{"expiration_time": "add:365"}', at=AT
    )
    assert kept == '{"expiration_time": "2026-07-01T00:00:00+00:00"}'
    assert "2027-06-01" in replace_options("{}", '{"expiration_time": "add:365"}', at=AT)


async def test_pieces_of_a_renewed_licence_are_counted_once(year: World) -> None:
    order, first, second = await year.order(2, item="YEAR"), year.container("c1"), year.container("c2")
    first.import_update((await year.ask(order, first.context(FIRM), (0, 1))).update or b"")
    await renewing(year, order, item="YEAR")
    second.import_update((await year.ask(order, second.context(FIRM))).update or b"")
    first.import_update((await year.ask(order, first.context(FIRM), (0, 1))).update or b"")
    assert (held(first), held(second)) == (1, 1)
