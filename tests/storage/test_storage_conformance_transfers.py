"""What every storage must do for containers, contexts, steps and placements."""

from dataclasses import replace

import pytest

from storage.commands import Applied, FindOrder, FindTickets, LoadSteps, Moved, StoreSigned
from storage.errors import ConstraintRefused, NotInitialised, QuantityExceeded, StepUnknown
from storage.records import Mark

E = 1_800_000_000_000


@pytest.fixture
async def licensed(stocked, make):
    """The storage with one order of three pieces on a ticket; the order is `licensed.order`."""
    order = make.order(quantity=3)
    await stocked.execute(order)
    return stocked, order


async def test_nothing_is_decided_before_the_server_has_an_epoch(storage, load):
    with pytest.raises(NotInitialised):
        await load(storage)


async def test_an_unknown_container_has_no_row_and_no_history(stocked, load, make):
    view = await load(stocked)
    assert view.current_epoch == make.epoch
    assert (view.container, view.same_export, view.export_below, view.export_above) == (None,) * 4
    assert (view.steps, view.at_context, view.transfer, view.ticket, view.licenses, view.placements) == (
        (),
        None,
        None,
        None,
        (),
        (),
    )


async def test_everything_one_decision_writes_is_read_back_equal(licensed, load, make):
    storage, order = licensed
    license_id = order.licenses[0].license_id
    step = make.step((E, 1), (0, 0), kind="Reset")
    command = make.apply(
        make.container(
            epoch=E,
            base=(E, 1),
            end=(E, 1),
            end_state=b"<full/>",
            newest_export=1,
            newest_nonce=b"nonce 1",
        ),
        context=make.context(1),
        license_versions={license_id: 1},
        placements=(make.placement(license_id, wanted=2, occupied=2),),
        steps=(step,),
        transfer=make.transfer(b"key", (0, 0), (E, 1)),
        audit=make.audit(),
    )
    assert await storage.execute(command) == Applied()
    view = await load(storage, context_counter=(E, 1), export=2, key=b"key", ticket_lookup=order.ticket.lookup)
    assert view.container == replace(command.container, version=1)
    assert view.steps == (step,)
    assert view.at_context == step
    assert view.transfer == command.transfer
    assert view.ticket == order.ticket
    (use,) = view.licenses
    assert use.license == replace(order.licenses[0], version=2)
    assert (use.wanted, use.occupied, use.confirmed) == (2, 2, 0)
    assert view.placements == command.placements


@pytest.mark.parametrize("version", [0, 2, 7])
async def test_a_decision_on_an_old_container_row_changes_nothing(licensed, make, dump, version):
    storage, order = licensed
    license_id = order.licenses[0].license_id
    await storage.execute(make.apply(make.container()))
    before = dump()
    command = make.apply(
        make.container(version=version, mark=Mark.MARKED),
        context=make.context(1),
        license_versions={license_id: 1},
        placements=(make.placement(license_id, wanted=1, occupied=1),),
        audit=make.audit(),
    )
    assert await storage.execute(command) == Moved()
    assert dump() == before
    assert await storage.execute(replace(command, container=replace(command.container, version=1))) == Applied()


async def test_a_decision_on_an_unknown_container_row_changes_nothing(stocked, make, dump):
    before = dump()
    assert await stocked.execute(make.apply(make.container(version=1))) == Moved()
    assert dump() == before


async def test_a_decision_on_an_old_licence_row_changes_nothing(stocked, make, dump):
    order = make.order(items=("ITEM-1", "ITEM-2"))
    await stocked.execute(order)
    first, second = (line.license_id for line in order.licenses)
    before = dump()
    command = make.apply(make.container(), license_versions={first: 1, second: 2}, context=make.context(1))
    assert await stocked.execute(command) == Moved()
    assert dump() == before
    assert await stocked.execute(replace(command, license_versions={first: 1, second: 1})) == Applied()


@pytest.mark.parametrize("case", [(1, 1, True), (2, 1, False), (1, 2, False), (0, 1, True), (0, 2, False)])
async def test_a_raise_must_fit_both_sums(licensed, make, dump, case):
    wanted, occupied, fits = case
    storage, order = licensed
    license_id = order.licenses[0].license_id
    other = make.placement(license_id, wanted=2, occupied=2, serial="130-2")
    await storage.execute(make.apply(make.container("130-2"), placements=(other,)))
    before = dump()
    command = make.apply(make.container(), placements=(make.placement(license_id, wanted=wanted, occupied=occupied),))
    if fits:
        assert await storage.execute(command) == Applied()
    else:
        with pytest.raises(QuantityExceeded):
            await storage.execute(command)
        assert dump() == before


async def test_what_is_out_may_exceed_a_lowered_quantity_but_not_rise_any_more(licensed, make, behind):
    storage, order = licensed
    license_id = order.licenses[0].license_id
    await storage.execute(make.apply(make.container(), placements=(make.placement(license_id, wanted=3, occupied=3),)))
    behind("UPDATE licenses SET quantity = 1")
    for version, wanted, occupied in ((1, 1, 3), (2, 0, 2), (3, 1, 2)):
        command = make.apply(
            make.container(version=version),
            placements=(make.placement(license_id, wanted=wanted, occupied=occupied),),
        )
        assert await storage.execute(command) == Applied()
    too_much = make.apply(make.container(version=4), placements=(make.placement(license_id, wanted=1, occupied=3),))
    with pytest.raises(QuantityExceeded):
        await storage.execute(too_much)


async def test_more_confirmed_than_occupied_is_refused(licensed, make):
    storage, order = licensed
    placement = make.placement(order.licenses[0].license_id, wanted=1, occupied=1, confirmed=2)
    with pytest.raises(ConstraintRefused):
        await storage.execute(make.apply(make.container(), placements=(placement,)))


async def test_sums_count_every_container_and_placements_only_this_one(licensed, load, make):
    storage, order = licensed
    license_id = order.licenses[0].license_id
    mine = make.placement(license_id, wanted=1, occupied=1, confirmed=1)
    await storage.execute(make.apply(make.container(), placements=(mine,)))
    other = make.placement(license_id, wanted=1, occupied=2, serial="130-2")
    await storage.execute(make.apply(make.container("130-2"), placements=(other,)))
    view = await load(storage)
    assert [(use.license.license_id, use.wanted, use.occupied, use.confirmed) for use in view.licenses] == [
        (license_id, 2, 3, 1)
    ]
    assert view.placements == (mine,)
    (ticket,) = await storage.query(FindTickets(lookups=(order.ticket.lookup,)))
    assert ticket.licenses == view.licenses
    assert (await storage.query(FindOrder(shop_id="shop-acme", order_id=order.order.order_id))).licenses == (
        view.licenses
    )


async def test_a_ticket_brings_its_licences_of_every_firm_code_and_a_placement_only_those_of_its_own(
    stocked, load, make
):
    ours, theirs = make.order(), make.order(firm_code=99)
    mixed = make.order(ticket=ours.ticket, firm_code=99)
    for order in (ours, theirs, mixed):
        await stocked.execute(order)
    placed = tuple(
        make.placement(order.licenses[0].license_id, wanted=1, occupied=1) for order in (ours, theirs, mixed)
    )
    await stocked.execute(make.apply(make.container(), placements=placed))
    view = await load(stocked, ticket_lookup=ours.ticket.lookup)
    assert [use.license.license_id for use in view.licenses] == [
        ours.licenses[0].license_id,
        mixed.licenses[0].license_id,
    ]
    assert view.placements == placed[:1]


async def test_the_nearest_contexts_from_base_on_are_found(stocked, load, make):
    steps = (make.step((E, 1), (0, 0), kind="Reset"), make.step((E, 2), (E, 1)))
    contexts = [(1, (0, 0)), (3, (0, 0)), (4, (E, 1)), (7, (E, 1)), (9, (E, 2))]
    await stocked.execute(
        make.apply(make.container(base=(E, 1), end=(E, 2)), steps=steps, context=make.context(*contexts[0]))
    )
    for version, (export, counter) in enumerate(contexts[1:], 1):
        await stocked.execute(
            make.apply(make.container(version=version, base=(E, 1), end=(E, 2)), context=make.context(export, counter))
        )
    expected = {
        1: (None, None, 4),
        3: (None, None, 4),
        4: (4, None, 7),
        5: (None, 4, 7),
        7: (7, 4, 9),
        8: (None, 7, 9),
        12: (None, 9, None),
    }
    for export, neighbours in expected.items():
        view = await load(stocked, export=export, context_counter=(E, 1))
        found = (view.same_export, view.export_below, view.export_above)
        assert tuple(row and row.export for row in found) == neighbours
    assert view.export_below == make.context(9, (E, 2))


async def test_the_same_context_is_kept_once_and_another_under_the_same_number_beside_it(stocked, make, behind):
    await stocked.execute(make.apply(make.container(), context=make.context(1)))
    await stocked.execute(make.apply(make.container(version=1), context=make.context(1)))
    await stocked.execute(make.apply(make.container(version=2), context=make.context(1, nonce=b"copy")))
    assert behind("SELECT nonce FROM contexts ORDER BY nonce") == [(b"copy",), (b"nonce 1",)]


CHAIN = [
    ((E, 1), (0, 0), "Reset"),
    ((E, 2), (E, 1), "Delta"),
    ((E + 5, 1), (E, 2), "Reset"),
    ((E + 5, 2), (E + 5, 1), "Delta"),
]


@pytest.mark.parametrize(
    "case",
    [
        ((0, 0), (0, 0), (0, 0), None, [0, 1, 2, 3]),
        ((0, 0), (0, 0), (E, 1), None, [0, 1, 2, 3]),  # unconfirmed states are needed whatever the context says
        ((E, 1), (E, 1), (E, 1), None, [1, 2, 3]),
        ((E + 5, 2), (E, 1), (E, 1), None, [1, 2, 3]),  # a late context gets what followed it
        ((E + 5, 2), (E + 5, 1), (0, 0), None, [2, 3]),  # but nothing from before the last reset
        ((E, 2), (E + 5, 1), (0, 0), None, [2, 3]),
        ((E + 5, 2), (E + 5, 1), (E + 5, 2), None, []),
        ((E + 5, 2), (E + 5, 1), (E + 5, 2), b"key", [1, 2, 3]),  # the file of an earlier request
    ],
)
async def test_the_steps_that_are_read_are_those_that_a_decision_needs(stocked, load, make, case):
    confirmed, base, context, key, expected = case
    steps = tuple(make.step(counter, start, kind=kind) for counter, start, kind in CHAIN)
    await stocked.execute(
        make.apply(
            make.container(base=base, confirmed=confirmed, end=(E + 5, 2)),
            steps=steps,
            transfer=make.transfer(b"key", (E, 1), (E, 2)),
        )
    )
    view = await load(stocked, context_counter=context, key=key)
    assert view.steps == tuple(steps[index] for index in expected)
    at_context = {step.counter: step for step in steps}.get(context)
    assert view.at_context == at_context


async def test_histories_of_other_containers_and_firm_codes_stay_apart(stocked, load, make):
    await stocked.execute(
        make.apply(
            make.container(end=(E, 1)),
            context=make.context(1),
            steps=(make.step((E, 1), (0, 0)),),
            transfer=make.transfer(b"key", (0, 0), (E, 1)),
        )
    )
    for other in ({"serial": "130-2"}, {"firm_code": 11}):
        view = await load(stocked, key=b"key", **other)
        assert (view.container, view.same_export, view.steps, view.transfer) == (None, None, (), None)


async def test_one_counter_has_one_step(stocked, make, dump):
    await stocked.execute(make.apply(make.container(end=(E, 1)), steps=(make.step((E, 1), (0, 0)),)))
    before = dump()
    with pytest.raises(ConstraintRefused):
        await stocked.execute(
            make.apply(make.container(version=1, end=(E, 1)), steps=(make.step((E, 1), (0, 0), content=b"x"),))
        )
    assert dump() == before


async def test_a_step_rises_and_a_request_leads_to_a_step_that_exists(stocked, make):
    with pytest.raises(ConstraintRefused):
        await stocked.execute(make.apply(make.container(), steps=(make.step((E, 1), (E, 1)),)))
    with pytest.raises(ConstraintRefused):
        await stocked.execute(make.apply(make.container(), transfer=make.transfer(b"key", (0, 0), (E, 1))))


async def test_the_first_signature_of_a_step_stays(stocked, load, make):
    steps = (make.step((E, 1), (0, 0)), make.step((E, 2), (E, 1)))
    await stocked.execute(make.apply(make.container(end=(E, 2)), steps=steps))
    first = StoreSigned(serial="130-1", firm_code=10, signed=(((E, 2), b"first"),))
    assert await stocked.execute(first) == (b"first",)
    second = StoreSigned(serial="130-1", firm_code=10, signed=(((E, 1), b"one"), ((E, 2), b"second")))
    assert await stocked.execute(second) == (b"one", b"first")
    assert [step.signed for step in (await load(stocked)).steps] == [b"one", b"first"]


async def test_steps_are_read_from_one_counter_to_another(stocked, load, make):
    steps = tuple(make.step((E, number), (E, number - 1) if number > 1 else (0, 0)) for number in range(1, 5))
    await stocked.execute(make.apply(make.container(end=(E, 4)), steps=steps))

    async def read(first, last, firm_code=10):
        found = await stocked.query(LoadSteps(serial="130-1", firm_code=firm_code, first=first, last=last))
        return [step.counter for step in found]

    assert await read((E, 2), (E, 3)) == [(E, 2), (E, 3)]
    assert await read((0, 9), (E, 1)) == [(E, 1)]
    assert await read((E, 4), (E + 1, 0)) == [(E, 4)]
    assert await read((E, 3), (E, 2)) == await read((E, 5), (E, 9)) == await read((E, 1), (E, 4), firm_code=11) == []
    assert (
        await stocked.query(LoadSteps(serial="130-1", firm_code=10, first=(E, 1), last=(E, 4)))
        == (await load(stocked)).steps
    )


async def test_a_signature_for_a_step_that_was_never_reserved_is_refused_whole(stocked, make, load):
    await stocked.execute(make.apply(make.container(end=(E, 1)), steps=(make.step((E, 1), (0, 0)),)))
    with pytest.raises(StepUnknown):
        await stocked.execute(StoreSigned(serial="130-1", firm_code=10, signed=(((E, 1), b"one"), ((E, 9), b"nine"))))
    assert (await load(stocked)).steps[0].signed is None
