"""Where the catalogue, options and page tokens end: pages, first and last values, and what a shell may hand over."""

from datetime import UTC, datetime

import pytest
from rules import World

from containers import render_state
from containers.model import Entry
from licensing.errors import NameInvalid, OptionInvalid, PageTokenInvalid, TicketUnknown
from licensing.options import licence_options, parse_options, resolve

ORDERED = datetime(2026, 1, 1, tzinfo=UTC)


async def test_the_catalogue_lists_all_items_that_are_sold_however_many(world: World) -> None:
    for number in range(501):
        await world.catalogue().add_item(item_number=f"N{number:03}", firm_code=1, product_code=1)
    world.sql("UPDATE items SET active = 0 WHERE item_number = 'N007'")
    numbers = [item.item_number for item in await world.catalogue().list_items()]
    assert numbers == ["A", "B", *(f"N{number:03}" for number in range(501) if number != 7), "O"]


async def test_an_empty_catalogue_has_an_empty_page(world: World) -> None:
    world.sql("UPDATE items SET active = 0")
    page = await world.sales().list_items(shop=world.shops["shop"], page_token=None)
    assert (page.items, page.next_page_token, await world.catalogue().list_items()) == ((), None, ())


async def test_a_full_last_page_is_the_last(world: World) -> None:
    for number in range(97):
        await world.catalogue().add_item(item_number=f"Ü{number:03}", firm_code=1, product_code=1)
    sales, shop = world.sales(), world.shops["shop"]
    page = await sales.list_items(shop=shop, page_token=None)
    assert (len(page.items), page.next_page_token) == (100, None)
    await world.catalogue().add_item(item_number="Ü097", firm_code=1, product_code=1)
    page = await sales.list_items(shop=shop, page_token=None)
    rest = await sales.list_items(shop=shop, page_token=page.next_page_token)
    assert ([item.item_number for item in rest.items], rest.next_page_token) == (["Ü097"], None)


@pytest.mark.parametrize("token", ["\udc80", "4Q==", "====", "QQ==\n"])
async def test_what_no_answer_gave_is_no_page_token(world: World, token: str) -> None:
    with pytest.raises(PageTokenInvalid) as refused:
        await world.sales().list_items(shop=world.shops["shop"], page_token=token)
    assert refused.value.path == "pageToken"


@pytest.mark.parametrize(
    "pair",
    [
        "expirationTime=1970-01-01",
        "expirationTime=9998-12-31T23:59:59",
        "featureMap=0",
        "featureMap=0xFFFFFFFF",
        "unitCounter=2147483647",
        "usagePeriod=1d",
        "usagePeriod=P36500D",
        "expirationTime=add:36500d",
        "text=",
        f"text={'x' * 256}",
        f"customerInformation={'ü' * 128}",
        "text=a\tb\n<&>]]>\u00a0\U0001f511",
    ],
)
def test_every_value_that_is_accepted_can_stand_in_a_container_file(pair: str) -> None:
    options = licence_options(resolve(parse_options([pair]), ordered_at=ORDERED))
    entry = Entry(license_id="l", generation=1, item_number="A", product_code=1, quantity=1, options=options)
    assert render_state((entry,))


@pytest.mark.parametrize(
    "pair",
    [
        "expirationTime=1969-12-31T23:59:59",
        "expirationTime=9999-01-01",
        "expirationTime=9999-12-31T23:00:00-05:00",
        "expirationTime=0001-01-01T00:00:00+05:00",
        "expirationTime=set:",
        "expirationTime=add:",
        "expirationTime=",
        "unitCounter=2147483648",
        "unitCounter=",
        f"unitCounter={'9' * 5000}",
        "usagePeriod=36501d",
        "usagePeriod=0d",
        f"text={'x' * 257}",
        "text=\udc80",
        "text=\ufffe",
        "text=\r",
    ],
)
def test_a_value_that_could_not_stand_there_is_refused_with_the_option_s_name(pair: str) -> None:
    name = pair.partition("=")[0]
    with pytest.raises(OptionInvalid, match=f"^{name} must be") as refused:
        parse_options([pair])
    assert refused.value.path == name


def test_add_counts_from_the_order_and_never_later() -> None:
    kept = parse_options(["expirationTime=add:30d", "maintenanceEnd=2030-01-01"])
    first = resolve(kept, ordered_at=datetime(2026, 1, 1, 23, 59, 59, 999999, tzinfo=UTC))
    assert licence_options(first).expiration_time == datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
    assert resolve(first, ordered_at=datetime(2027, 1, 1, tzinfo=UTC)) == first


async def test_an_order_keeps_the_options_of_its_day(world: World) -> None:
    await world.catalogue().add_item(
        item_number="YEAR", firm_code=1, product_code=1, options=("expirationTime=add:365d",)
    )
    await world.order(1, item="YEAR")
    ordered = world.now
    world.sql("UPDATE items SET options = '{}'")
    ((options,),) = world.sql("SELECT options FROM licenses")
    expiration = licence_options(str(options)).expiration_time
    assert expiration is not None
    assert (expiration - ordered).days in {364, 365}


@pytest.mark.parametrize("name", ["a ", "a\u2028b", "a\udc80", "\ufffe"])
async def test_a_name_that_no_file_can_carry_is_refused(world: World, name: str) -> None:
    with pytest.raises(NameInvalid):
        await world.catalogue().add_item(item_number=name, firm_code=1, product_code=1)


async def test_tickets_are_looked_at_together_each_licence_once_and_the_wrong_one_is_named(world: World) -> None:
    first, second = await world.order(2), await world.order(3)
    depot = world.depot()
    overview = await depot.get_ticket(tickets=(second.ticket, first.ticket, second.ticket.lower()))
    assert [x.license_id for x in overview.licenses] == [second.licenses[0].license_id, first.licenses[0].license_id]
    assert (overview.state, [x.free for x in overview.licenses]) == ("NotCollected", [3, 2])
    for unknown in ("00000-00000-00000-00000-00000", "no ticket"):
        with pytest.raises(TicketUnknown) as refused:
            await depot.get_ticket(tickets=(first.ticket, first.ticket, unknown))
        assert refused.value.path == "ticket[3]"


async def test_an_overview_says_how_far_all_is_collected_and_what_may_be_done(world: World) -> None:
    first, second, container = await world.order(2), await world.order(1), world.container()
    await world.ask(first, container.context(10))
    overview = await world.depot().get_ticket(tickets=(first.ticket, second.ticket))
    assert overview.state == "PartlyCollected"
    assert [(x.state, x.collected, x.confirmed, x.free, x.actions) for x in overview.licenses] == [
        ("WhollyCollected", 2, 0, 0, ("Return",)),
        ("NotCollected", 0, 0, 1, ("Collect",)),
    ]
