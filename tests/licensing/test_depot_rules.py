"""Each refusal and each state of an answer of the Depot."""

import shutil
from typing import Any

import pytest
from rules import FIRM, OTHER_FIRM, World, held

import licensing.transfers.carrying
from containers import ContainerError
from licensing.errors import (
    ContainerUnregistered,
    Contended,
    ContextRefused,
    LicenseRepeated,
    LicenseUnknown,
    MixedFirmCodes,
    NothingFree,
    TicketUnknown,
)
from licensing.transfers.planning import Target
from storage.commands import ApplyTransfer, Moved

NO_TICKET = "00000-00000-00000-00000-00000"


async def test_unknown_tickets(world: World) -> None:
    order, container = await world.order(), world.container()
    with pytest.raises(TicketUnknown) as refused:
        await world.depot().get_ticket(tickets=(order.ticket, NO_TICKET))
    assert refused.value.path == "ticket[2]"
    for call in (
        world.depot().show_ticket(NO_TICKET),
        world.depot().get_license_update(ticket=NO_TICKET, targets=(), context=container.context(FIRM)),
    ):
        with pytest.raises(TicketUnknown):
            await call


async def test_wishes_that_are_refused_name_their_place_and_keep_what_came_before(world: World) -> None:
    order, other, container = await world.order(2), await world.order(1, item="O"), world.container()
    license_id = order.licenses[0].license_id
    for targets, kind, path in (
        ((Target(license_id="none"),), LicenseUnknown, "license[1]/licenseId"),
        ((Target(license_id=license_id), Target(license_id=license_id)), LicenseRepeated, "license"),
        ((Target(license_id=license_id, quantity=3),), NothingFree, "license[1]/target/quantity"),
    ):
        with pytest.raises(kind) as refused:
            await world.depot().get_license_update(
                ticket=order.ticket, targets=targets, context=container.context(FIRM)
            )
        assert refused.value.path == path
    with pytest.raises(MixedFirmCodes):
        await world.ask(other, container.context(FIRM))
    with pytest.raises(MixedFirmCodes):
        await world.ask(order, container.context(OTHER_FIRM), (0, 1))
    assert world.sql("SELECT count(*) FROM contexts WHERE firm_code = ?", FIRM) == [(4,)], "contexts are recorded"
    assert world.sql("SELECT count(*) FROM transfers") == [(0,)], "faults are not remembered"


async def test_several_licences_are_all_or_nothing(world: World) -> None:
    order = await world.order(1)
    await world.order(1, item="B", original="n-1")
    container, second = world.container("c1"), world.container("c2")
    overview = await world.depot().get_ticket(tickets=(order.ticket,))
    first, other = (x.license_id for x in overview.licenses)
    await world.ask(order, container.context(FIRM), (0, 1))
    with pytest.raises(NothingFree):
        await world.depot().get_license_update(
            ticket=order.ticket,
            targets=(Target(license_id=other, quantity=1), Target(license_id=first, quantity=1)),
            context=second.context(FIRM),
        )
    assert world.sql("SELECT sum(wanted) FROM placements WHERE license_id = ?", other) == [(None,)]


async def test_a_target_never_lowers_and_left_out_means_there_and_free(world: World) -> None:
    order, first, second = await world.order(3), world.container("c1"), world.container("c2")
    first.import_update((await world.ask(order, first.context(FIRM), (0, 2))).update or b"")
    assert (await world.ask(order, first.context(FIRM), (0, 1))).state == "NothingNew"
    assert held(first) == 2
    second.import_update((await world.ask(order, second.context(FIRM))).update or b"")
    assert held(second) == 1


async def test_files_that_are_no_context(world: World) -> None:
    order = await world.order()
    for data in (b"", b"<context/>", world.container().context(FIRM).replace(b"<export>1<", b"<export>2<")):
        with pytest.raises(ContextRefused):
            await world.ask(order, data)
        with pytest.raises(ContextRefused):
            await world.depot().confirm_license_update(receipt=data)


async def test_a_serial_that_its_key_does_not_prove(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    order, container = await world.order(), world.container()
    monkeypatch.setattr(licensing.transfers.carrying, "software_serial", lambda _key: "3-4019155")
    with pytest.raises(ContainerUnregistered):
        await world.ask(order, container.context(FIRM))


async def test_receipts_open_late_and_of_strangers(world: World) -> None:
    order, container = await world.order(3), world.container()
    stranger = world.container("stranger")
    assert await world.confirm(stranger.context(FIRM)) == "Confirmed", "nothing is open for a container never met"
    first = (await world.ask(order, container.context(FIRM), (0, 1))).update or b""
    early = container.import_update(first).receipt
    second = (await world.ask(order, container.context(FIRM), (0, 2))).update or b""
    assert await world.confirm(early) == "Open", "a step is on its way"
    assert await world.confirm(container.import_update(second).receipt) == "Confirmed"
    assert await world.confirm(early) == "ExportAgain"


async def test_occupied_falls_and_confirmed_rises_at_the_receipt_only(world: World) -> None:
    order, container = await world.order(2), world.container()
    update = (await world.ask(order, container.context(FIRM))).update or b""
    query = "SELECT wanted, occupied, confirmed FROM placements"
    assert world.sql(query) == [(2, 2, 0)]
    receipt = container.import_update(update).receipt
    assert world.sql(query) == [(2, 2, 0)]
    await world.confirm(receipt)
    assert world.sql(query) == [(2, 2, 2)]
    details = await world.depot().show_ticket(order.ticket)
    assert [(p.state, p.mark, p.serial) for p in details.placements] == [("Confirmed", "ok", container.serial)]
    assert details.ending == order.ticket[-5:]


async def test_a_marked_container_gets_the_same_file_for_the_same_request_and_nothing_else(world: World) -> None:
    order, container = await world.order(3), world.container("c")
    container.import_update((await world.ask(order, container.context(FIRM), (0, 1))).update or b"")
    context = container.context(FIRM)
    answer = await world.ask(order, context, (0, 2))
    shutil.copy(world.folder / "c.json", world.folder / "copy.json")
    await world.ask(order, container.context(FIRM), (0, 2))
    assert (await world.ask(order, world.opened("copy").context(FIRM), (0, 2))).state == "Marked"
    assert await world.ask(order, context, (0, 2)) == answer
    assert (await world.ask(order, container.context(FIRM))).state == "Marked"
    assert world.sql("SELECT count(*) FROM audit WHERE action LIKE 'Marked%'") == [(1,)]


async def test_a_state_that_no_chain_has_is_marked(world: World) -> None:
    order, container = await world.order(2), world.container()
    await world.ask(order, container.context(FIRM), (0, 1))
    world.sql("UPDATE containers SET confirmed_state = end_state")
    assert (await world.ask(order, container.context(FIRM))).state == "Marked"


async def test_a_new_epoch_of_the_server_resets_a_container_and_keeps_what_it_holds(world: World) -> None:
    order, container = await world.order(2), world.container()
    container.import_update((await world.ask(order, container.context(FIRM), (0, 1))).update or b"")
    world.sql("UPDATE server SET current_epoch = current_epoch + 1000")
    container.import_update((await world.ask(order, container.context(FIRM), (0, 2))).update or b"")
    assert held(container) == 2
    epochs = world.sql("SELECT kind, number FROM steps ORDER BY epoch, number")
    assert epochs == [("Reset", 1), ("Reset", 1), ("Delta", 2)]
    assert await world.confirm(container.context(FIRM)) == "Confirmed"


async def test_rows_that_keep_moving_end_in_a_refusal_that_may_be_repeated(world: World) -> None:
    order, container = await world.order(), world.container()

    class Moving:
        async def execute(self, command: Any) -> Any:
            return Moved() if isinstance(command, ApplyTransfer) else await world.storage.execute(command)

        async def query(self, query: Any) -> Any:
            return await world.storage.query(query)

    depot = world.depot(Moving())  # type: ignore[arg-type]  # stands for a storage under pressure
    with pytest.raises(Contended):
        await depot.get_license_update(ticket=order.ticket, targets=(), context=container.context(FIRM))
    update = (await world.ask(order, container.context(FIRM))).update or b""
    with pytest.raises(Contended):
        await depot.confirm_license_update(receipt=container.import_update(update).receipt)
    assert Contended.retry


async def test_a_file_for_another_container_is_refused_there(world: World) -> None:
    order, first, second = await world.order(), world.container("c1"), world.container("c2")
    update = (await world.ask(order, first.context(FIRM))).update or b""
    with pytest.raises(ContainerError):
        second.import_update(update)
    assert held(second) == 0


async def test_who_collected_is_kept_sealed(world: World) -> None:
    order, container = await world.order(), world.container()
    await world.depot().get_license_update(
        ticket=order.ticket, targets=(), context=container.context(FIRM), user="Ann Staff"
    )
    ((sealed,),) = world.sql("SELECT user_sealed FROM transfers")
    assert isinstance(sealed, bytes)
    assert b"Ann" not in sealed
    assert world.vault.open("user", sealed) == b"Ann Staff"
