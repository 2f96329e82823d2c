"""What every storage must do for returns, losses, approvals, blocks, epochs, and for those who wait."""

from dataclasses import replace
from datetime import timedelta

import pytest

from storage.commands import (
    Applied,
    BlockContainer,
    ContainerChanges,
    DecideApproval,
    FindApproval,
    FindContainer,
    ListApprovals,
    ListContainers,
    LoadServer,
    Moved,
    RaiseEpoch,
    RequestApproval,
    WatchContainers,
)
from storage.errors import QuantityExceeded
from storage.records import Allowance, Approval, Mark, Movement

E = 1_800_000_000_000


@pytest.fixture
async def placed(stocked, make):
    """A storage with a container that holds two of three pieces, the order and the container's row."""
    order = make.order(quantity=3)
    await stocked.execute(order)
    license_id = order.licenses[0].license_id
    container = make.container(healing_export=4, healing_nonce=b"h", lost_at=make.now, contact_epoch=E)
    command = make.apply(
        container,
        context=make.context(1),
        license_versions={license_id: 1},
        placements=(make.placement(license_id, wanted=2, occupied=2),),
        audit=make.audit(f"{container.serial}/{container.firm_code}"),
    )
    assert await stocked.execute(command) == Applied()
    return stocked, order, replace(container, version=1)


async def test_all_of_a_container_s_row_is_read_back_and_its_history_is_whole(placed):
    storage, _order, container = placed
    (found,) = await storage.query(FindContainer(serial=container.serial))
    assert (found.container, found.blocked, len(found.contexts), len(found.audit)) == (container, False, 1, 1)
    assert len(found.placements) == 1
    assert await storage.query(FindContainer(serial="130-404")) == ()


async def test_movements_are_counted_and_the_options_changed(placed, load, make):
    storage, order, container = placed
    license_id = order.licenses[0].license_id
    movement = Movement(license_id=license_id, serial=container.serial, kind="Return", quantity=1, at=make.now)
    command = replace(
        make.apply(container, license_versions={license_id: 2}),
        movements=(movement, replace(movement, at=make.now + timedelta(days=1)), replace(movement, kind="Restore")),
        options={license_id: '{"text":"new"}'},
    )
    assert await storage.execute(command) == Applied()
    view = await load(storage, ticket_lookup=order.ticket.lookup, allowances=True)
    assert view.allowances == (
        Allowance(
            license_id=license_id,
            rules="{}",
            returns=2,
            returned_at=make.now + timedelta(days=1),
            restores=1,
            restored_at=make.now,
        ),
    )
    assert [use.license.options for use in view.licenses] == ['{"text":"new"}']


async def test_a_rejoining_is_a_fact_whatever_the_sums_are(placed, load, make):
    storage, order, container = placed
    license_id = order.licenses[0].license_id
    command = make.apply(
        container,
        license_versions={license_id: 2},
        placements=(make.placement(license_id, wanted=9, occupied=9),),
    )
    with pytest.raises(QuantityExceeded):
        await storage.execute(command)
    assert await storage.execute(replace(command, rejoining=True)) == Applied()
    view = await load(storage, license_ids=(license_id, "unknown"))
    assert (view.placements[0].wanted, len(view.licenses)) == (9, 1)


async def test_an_epoch_never_falls(stocked, make):
    for epoch, expected in ((make.epoch + 5, make.epoch + 5), (make.epoch + 1, make.epoch + 5)):
        row = await stocked.execute(RaiseEpoch(epoch=epoch, audit=make.audit()))
        assert row.current_epoch == expected
    assert (await stocked.query(LoadServer())).current_epoch == make.epoch + 5


async def test_a_block_moves_what_was_read_before(placed, load, make):
    storage, _order, container = placed
    block = BlockContainer(serial=container.serial, reason="r", at=make.now, audit=make.audit())
    assert await storage.execute(block)
    assert await storage.execute(replace(block, reason="again"))
    assert (await load(storage)).blocked
    assert await storage.execute(make.apply(container)) == Moved()
    assert await storage.execute(replace(block, reason=None))
    assert not (await load(storage)).blocked
    assert await storage.execute(replace(block, serial="130-404"))


async def test_approvals_are_asked_for_once_and_decided_once(placed, make):
    storage, order, container = placed
    first = Approval(
        approval_id="a1",
        serial=container.serial,
        firm_code=container.firm_code,
        ticket_id=order.ticket.ticket_id,
        state="Open",
        requested_at=make.now,
        reason="lost",
    )
    for approval in (first, replace(first, approval_id="a2")):
        assert await storage.execute(RequestApproval(approval=approval, audit=make.audit())) == first
    assert await storage.query(ListApprovals()) == (first,)
    denied = replace(first, state="Denied", decided_at=make.now, reason="no")
    assert await storage.execute(DecideApproval(approval=denied, audit=make.audit()))
    assert not await storage.execute(DecideApproval(approval=denied, audit=make.audit()))
    assert await storage.query(FindApproval(approval_id="a1")) == denied
    assert await storage.query(FindApproval(serial=container.serial, firm_code=container.firm_code)) == denied
    assert await storage.query(FindApproval(approval_id="a9")) is None
    third = replace(first, approval_id="a3")
    assert await storage.execute(RequestApproval(approval=third, audit=make.audit())) == third
    approved = replace(third, state="Approved", decided_at=make.now)
    lost = replace(make.apply(replace(container, mark=Mark.LOST)), approval=approved)
    assert await storage.execute(lost) == Applied()
    again = replace(lost, container=replace(lost.container, version=2))
    assert await storage.execute(again) == Moved(), "decided before"
    assert (await storage.query(FindContainer(serial=container.serial)))[0].container.version == 2


async def test_those_who_wait_see_a_number_that_rises_with_every_change(placed, make):
    storage, order, container = placed
    watch = WatchContainers(serials=(container.serial, "130-404"))
    first = await storage.query(watch)
    key = (container.serial, container.firm_code)
    assert (first.current_epoch, set(first.changes)) == (make.epoch, {key})
    await storage.execute(make.apply(container, license_versions={order.licenses[0].license_id: 2}))
    second = await storage.query(watch)
    assert second.changes[key] > first.changes[key]
    assert await storage.query(WatchContainers(serials=())) == ContainerChanges(current_epoch=make.epoch, changes={})


async def test_containers_are_listed_by_ticket_customer_and_firm_code_behind_any_place(placed, make):
    storage, order, container = placed
    key = (container.serial, container.firm_code)
    choices = (
        {"ticket_lookup": order.ticket.lookup},
        {"shop_id": order.order.shop_id, "customer_lookup": order.order.customer_lookup},
        {"firm_code": container.firm_code},
    )
    for choice in choices:
        if None in choice.values():
            continue
        assert await storage.query(ListContainers(after=("", -1), limit=9, **choice)) == (key,)
        assert await storage.query(ListContainers(after=(container.serial, -1), limit=9, **choice)) == (key,)
        assert await storage.query(ListContainers(after=key, limit=9, **choice)) == ()
    assert await storage.query(ListContainers(after=("", -1), limit=9, ticket_lookup=b"none")) == ()
    assert await storage.query(ListContainers(after=("", -1), limit=9, shop_id="none", customer_lookup=b"none")) == ()
    assert await storage.query(ListContainers(after=("", -1), limit=9, firm_code=404)) == ()
