"""Lost containers, approvals, blocks, two copies and how support mends them (transfer protocol, section 5)."""

import json
import shutil
from datetime import timedelta
from typing import Any

import pytest
from rules import FIRM, OTHER_FIRM, World, held

from containers import Container, ContainerError
from licensing.allowances import Allowances
from licensing.errors import (
    ApprovalClosed,
    ApprovalUnknown,
    ContainerNotMarked,
    ContainerUnknown,
    ContextOld,
    NothingFree,
    ReasonRequired,
    TicketUnknown,
)
from licensing.losses import LossDecision
from licensing.orders import OrderReceipt

MARK = "SELECT mark FROM containers"
SUMS = "SELECT sum(wanted), sum(occupied), sum(confirmed) FROM placements"


async def restorable(world: World, quantity: int = 1, **rules: Any) -> OrderReceipt:
    await world.catalogue().add_item(
        item_number="R", firm_code=FIRM, product_code=1, allowances=Allowances(**{"restores": 1, **rules})
    )
    return await world.order(quantity, item="R")


async def report(world: World, order: OrderReceipt, serial: str, firm_code: int = FIRM) -> LossDecision:
    return await world.losses().restore_license(
        ticket=order.ticket, serial=serial, firm_code=firm_code, reason="stolen"
    )


def copied(world: World, name: str = "c") -> Container:
    shutil.copy(world.folder / f"{name}.json", world.folder / "copy.json")
    return world.opened("copy")


async def two_copies(world: World, order: OrderReceipt) -> tuple[Container, Container]:
    container = world.container("c")
    await world.collected(order, container, (0, 1))
    copy = copied(world)
    await world.ask(order, container.context(FIRM), (0, 1))
    assert (await world.ask(order, copy.context(FIRM), (0, 1))).state == "Marked"
    return container, copy


async def test_a_lost_container_frees_its_pieces_at_once_and_gets_nothing(world: World) -> None:
    order, container, second = await restorable(world), world.container("c1"), world.container("c2")
    await world.collected(order, container)
    assert await report(world, order, container.serial) == LossDecision(state="Lost")
    assert await report(world, order, container.serial) == LossDecision(state="Lost"), "once"
    assert world.sql("SELECT count(*) FROM movements") == [(1,)]
    assert world.sql(SUMS) == [(0, 0, 0)]
    await world.collected(order, second)
    assert held(second) == 1


@pytest.mark.parametrize("confirmed", [False, True])
async def test_trace_7_lost_and_found_again_it_comes_back_to_ok_and_frees_nothing(
    world: World, confirmed: bool
) -> None:
    order, container, second = await restorable(world), world.container("c1"), world.container("c2")
    update = (await world.ask(order, container.context(FIRM))).update or b""
    if confirmed:
        await world.confirm(container.import_update(update).receipt)
    await report(world, order, container.serial)
    await world.collected(order, second)
    sums = world.sql(SUMS)
    answer = await world.ask(order, container.context(FIRM))
    assert answer.state == "Lost"
    assert (await world.ask(order, container.context(FIRM))).update == answer.update, "one removal step"
    imported = container.import_update(answer.update or b"")
    assert await world.confirm(container.context(FIRM)) == "Confirmed"
    assert await world.confirm(imported.receipt) == "Confirmed"
    assert (held(container), world.sql(f"{MARK} WHERE serial = ?", container.serial)) == (0, [("ok",)])
    assert world.sql(SUMS) == sums
    if not confirmed:
        container.import_update(update)
        assert held(container) == 0, "the file that was at large is behind the removal"
    with pytest.raises(NothingFree):
        await world.ask(order, container.context(FIRM))
    await world.confirm(
        second.import_update((await world.return_to_depot(order, second.context(FIRM))).update or b"").receipt
    )
    await world.collected(order, container)
    assert held(container) == 1


async def test_restores_are_automatic_so_often_then_after_a_time_and_by_approval_otherwise(world: World) -> None:
    order, container = await restorable(world, restore_days=30), world.container("c1")
    await world.collected(order, container)
    assert (await report(world, order, container.serial)).state == "Lost"
    second = world.container("c2")
    await world.collected(order, second)
    asked = await report(world, order, second.serial)
    assert asked.state == "ApprovalNeeded"
    assert await report(world, order, second.serial) == asked, "one approval, however often it is reported"
    assert held(second) == 1
    assert world.sql(SUMS) == [(1, 1, 1)]
    (waiting,) = await world.losses().list_approvals()
    assert (waiting.approval_id, waiting.serial, waiting.reason) == (asked.approval_id, second.serial, "stolen")
    world.now += timedelta(days=31)
    assert (await report(world, order, second.serial)).state == "Lost"


async def test_an_approval_is_decided_once(world: World) -> None:
    order, container = await world.order(1), world.container()
    await world.collected(order, container)
    heard: list[str] = []
    world.alarms.listen(lambda name, _fields: heard.append(name))
    number = (await report(world, order, container.serial)).approval_id or ""
    assert heard == ["approval_needed"]
    losses = world.losses()
    with pytest.raises(ReasonRequired):
        await losses.decide_approval(number, approve=True, reason=" ", actor="cli")
    with pytest.raises(ApprovalUnknown):
        await losses.decide_approval("none", approve=True, reason="r", actor="cli")
    assert (await losses.decide_approval(number, approve=True, reason="proof seen", actor="cli")).state == "Lost"
    with pytest.raises(ApprovalClosed):
        await losses.decide_approval(number, approve=False, reason="r", actor="cli")
    assert world.sql("SELECT state, reason FROM approvals") == [("Approved", "proof seen")]
    assert world.sql(SUMS) == [(0, 0, 0)]
    assert await losses.list_approvals() == ()


async def test_a_denied_loss_stays_denied_and_frees_nothing_until_support_declares_it(world: World) -> None:
    order, container = await world.order(1), world.container()
    await world.collected(order, container)
    number = (await report(world, order, container.serial)).approval_id or ""
    await world.losses().decide_approval(number, approve=False, reason="in use yesterday", actor="cli")
    assert await report(world, order, container.serial) == LossDecision(state="Denied", approval_id=number)
    assert world.sql(SUMS) == [(1, 1, 1)]
    await world.losses().declare_lost(container.serial, FIRM, reason="destroyed", actor="cli")
    assert (await report(world, order, container.serial)).state == "Lost"
    with pytest.raises(ContainerUnknown):
        await world.losses().declare_lost("130-1", FIRM, reason="r", actor="cli")


async def test_a_loss_is_reported_by_a_ticket_that_has_something_there_only(world: World) -> None:
    order, container = await world.order(1), world.container()
    await world.collected(order, container)
    for serial, firm_code, ticket in (
        ("130-1", FIRM, order),
        (container.serial, OTHER_FIRM, order),
        (container.serial, FIRM, await world.order(1)),
    ):
        with pytest.raises(ContainerUnknown):
            await report(world, ticket, serial, firm_code)
    with pytest.raises(TicketUnknown):
        await world.losses().restore_license(
            ticket="00000-00000-00000-00000-00000", serial=container.serial, firm_code=FIRM, reason=None
        )


async def test_support_accepts_one_copy_which_heals_and_the_other_loads_nothing(world: World) -> None:
    order = await world.order(3)
    container, copy = await two_copies(world, order)
    losses, sums = world.losses(), world.sql(SUMS)
    update = await losses.accept(container.serial, FIRM, context=copy.context(FIRM), reason="asked", actor="cli")
    assert (world.sql(MARK), world.sql(SUMS)) == ([("healing",)], sums)
    with pytest.raises(ContainerError) as refused:
        container.import_update(update)
    assert refused.value.code == "RestoredCopy"
    other = await world.ask(order, container.context(FIRM), (0, 2))
    assert (other.state, other.update) == ("Healing", update), (
        "the other copy is not marked again, and gets nothing new"
    )
    answer = await world.ask(order, copy.context(FIRM), (0, 2))
    assert (answer.state, answer.update) == ("Healing", update)
    assert await world.confirm(copy.context(FIRM)) == "Healing"
    copy.import_update(update)
    answer = await world.ask(order, copy.context(FIRM), (0, 2))
    copy.import_update(answer.update or b"")
    assert (answer.state, held(copy), world.sql(MARK)) == ("Done", 2, [("ok",)])
    assert (await world.ask(order, container.context(FIRM), (0, 3))).state == "ExportAgain"
    assert world.sql(MARK) == [("ok",)], "what was told apart does not mark it again"
    actions = [row[0] for row in world.sql("SELECT action FROM audit WHERE action <> 'AddItem' ORDER BY audit_id")]
    assert [action for action in actions if action in {"Accepted", "Healed"}] == ["Accepted", "Healed"]


async def test_a_context_that_both_copies_can_have_is_not_accepted(world: World) -> None:
    order = await world.order(2)
    container, copy = await two_copies(world, order)
    sent = copy.context(FIRM)
    await world.confirm(sent)
    losses = world.losses()
    with pytest.raises(ContextOld):
        await losses.accept(container.serial, FIRM, context=sent, reason="r", actor="cli")
    with pytest.raises(ContainerUnknown, match="another container"):
        await losses.accept(container.serial, FIRM, context=world.container("x").context(FIRM), reason="r", actor="cli")
    healthy = world.container("healthy")
    await world.collected(order, healthy)
    with pytest.raises(ContainerNotMarked):
        await losses.accept(healthy.serial, FIRM, context=healthy.context(FIRM), reason="r", actor="cli")


async def test_a_marked_container_can_be_declared_lost_and_come_back(world: World) -> None:
    order = await world.order(2)
    container, copy = await two_copies(world, order)
    await world.losses().declare_lost(container.serial, FIRM, reason="stolen", actor="cli")
    assert world.sql(SUMS) == [(0, 0, 0)]
    answer = await world.ask(order, copy.context(FIRM))
    copy.import_update(answer.update or b"")
    assert (answer.state, held(copy)) == ("Lost", 0)
    assert (await world.ask(order, container.context(FIRM))).state == "Lost"
    assert await world.confirm(copy.context(FIRM)) == "Confirmed"
    assert world.sql(MARK) == [("ok",)]
    assert (await world.ask(order, container.context(FIRM))).state == "ExportAgain"
    await world.collected(order, copy)
    assert held(copy) == 2


async def test_a_copy_of_an_accepted_container_is_noticed_like_any_other(world: World) -> None:
    order = await world.order(3)
    container, copy = await two_copies(world, order)
    update = await world.losses().accept(container.serial, FIRM, context=copy.context(FIRM), reason="r", actor="c")
    copy.import_update(update)
    shutil.copy(world.folder / "copy.json", world.folder / "third.json")
    third = world.opened("third")
    assert await world.confirm(copy.context(FIRM)) == "Confirmed"
    assert await world.confirm(third.context(FIRM)) == "Marked"


async def test_a_blocked_container_gets_nothing_but_its_receipts_are_taken(world: World) -> None:
    order, container = await world.order(3), world.container()
    update = (await world.ask(order, container.context(FIRM), (0, 1))).update or b""
    await world.losses().block(container.serial, reason="chargeback", actor="cli")
    answer = await world.ask(order, container.context(FIRM), (0, 2))
    assert (answer.state, answer.update) == ("Blocked", None)
    assert await world.confirm(container.import_update(update).receipt) == "Confirmed"
    await world.losses().block("130-999", reason="never heard of", actor="cli")
    await world.losses().unblock(container.serial, reason="paid", actor="cli")
    await world.collected(order, container, (0, 2))
    assert held(container) == 2
    with pytest.raises(ReasonRequired):
        await world.losses().block(container.serial, reason="", actor="cli")


async def test_the_history_has_contexts_steps_licences_and_decisions(world: World) -> None:
    order = await world.order(2)
    container, _copy = await two_copies(world, order)
    (found,) = await world.losses().history(container.serial)
    assert (found.container.mark, len(found.steps), len(found.placements)) == ("marked", 1, 1)
    assert [audit.action for audit in found.audit][-1] == "Marked: two copies"
    assert len(found.contexts) == 4
    assert all(json.loads(audit.details) for audit in found.audit)
    with pytest.raises(ContainerUnknown):
        await world.losses().history("130-1")
