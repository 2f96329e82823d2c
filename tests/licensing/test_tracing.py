"""The life of a ticket is told whole, in order, with reasons, and without the ticket."""

import pytest
from rules import FIRM, World

from licensing.errors import TicketUnknown
from licensing.tracing import UNREADABLE, Tracer
from licensing.vault import Vault
from licensing.vendor_actions import VendorActions


async def test_everything_that_happened_is_told_in_order(world: World) -> None:
    order, container = await world.order(2), world.container()
    await world.order(1)
    answer = await world.ask(order, container.context(FIRM))
    await world.confirm(container.import_update(answer.update or b"").receipt)
    actions = VendorActions(storage=world.storage, vault=world.vault, clock=world.clock, random=world.random)
    shop, license_id = world.shops["shop"], order.licenses[0].license_id
    await actions.replace_license(
        shop=shop, transaction_id="r", license_id=license_id, item_number="B", reason="wrong edition"
    )
    await actions.cancel_order(shop=shop, transaction_id="c", order_number="n-1", reason="sent back")
    tracer = Tracer(storage=world.storage, vault=world.vault, depot=world.depot())
    life = await tracer.trace(order.ticket.lower())
    assert [(x.action, x.subject, x.reason) for x in life.history] == [
        ("CreateOrder", order.order_id, None),
        ("GetLicenseUpdate", f"{container.serial}/{FIRM}", None),
        ("ConfirmLicenseUpdate", f"{container.serial}/{FIRM}", None),
        ("ReplaceLicense", license_id, "wrong edition"),
        ("CancelOrder", order.order_id, "sent back"),
    ]
    assert [x.state for x in life.now.placements] == ["WithdrawPending"]
    assert order.ticket not in repr(life)
    other = Vault(pepper=world.vault.peppers, sealing_key=bytes(32), random=world.random)
    reasons = [
        x.reason
        for x in (await Tracer(storage=world.storage, vault=other, depot=world.depot()).trace(order.ticket)).history
    ]
    assert reasons[-1] == UNREADABLE


async def test_a_ticket_that_is_none_has_no_life(world: World) -> None:
    tracer = Tracer(storage=world.storage, vault=world.vault, depot=world.depot())
    with pytest.raises(TicketUnknown):
        await tracer.trace("00000-00000-00000-00000-00000")
