"""Protected, hidden and secret data from the item or the order to the container; sealed on the way."""

import hmac
from dataclasses import replace

import pytest
from rules import FIRM, World, held

from containers import ContainerError, read_update
from containers.blocks import HIDDEN, PROTECTED
from licensing.data import DataField, parse_data, shown_data
from licensing.errors import DataInvalid, OptionInvalid, TransactionConflict
from licensing.orders import OrderLine, OrderReceipt, OrderRequest

TEXT = """
[protected]
1 = "for everybody"
[hidden]
7 = "the hidden phrase"
[secret]
0 = "base64:c2VjcmV0IHBocmFzZQ=="
"""
PLAIN = (b"the hidden phrase", b"secret phrase")


async def ordered(world: World, *fields: DataField, transaction: str = "data") -> OrderReceipt:
    line = OrderLine(item_number="D", quantity=2, data=fields)
    request = OrderRequest(transaction_id=transaction, lines=(line,))
    return await world.sales().create_order(shop=world.shops["shop"], request=request)


@pytest.fixture
async def stocked(world: World) -> World:
    await world.catalogue().add_item(item_number="D", firm_code=FIRM, product_code=4, data=parse_data(TEXT))
    return world


async def test_data_reaches_its_container_and_nobody_else_sees_it(stocked: World) -> None:
    world = stocked
    order, container = await ordered(world), world.container()
    answer = await world.ask(order, container.context(FIRM))
    receipt = container.import_update(answer.update or b"").receipt
    assert await world.confirm(receipt) == "Confirmed"
    (license_,) = order.licenses
    assert container.fields(FIRM, license_.license_id, kind=PROTECTED) == {1: b"for everybody"}
    assert container.fields(FIRM, license_.license_id, kind=HIDDEN) == {7: PLAIN[0]}
    expected = hmac.digest(PLAIN[1], b"challenge", "sha256")
    assert container.answer(FIRM, license_.license_id, number=0, challenge=b"challenge") == expected
    stored = b"".join(path.read_bytes() for path in world.folder.glob("depot.db*"))
    for place in (stored, answer.update or b"", receipt):
        assert not any(secret in place for secret in PLAIN)
    assert b"for everybody" not in stored


async def test_what_has_not_changed_makes_no_step_and_what_has_is_brought_once(stocked: World) -> None:
    world = stocked
    order, container = await ordered(world), world.container()
    await world.collected(order, container, (0, 1))
    assert (await world.ask(order, container.context(FIRM), (0, 1))).state == "NothingNew"
    more = (await world.ask(order, container.context(FIRM), (0, 2))).update or b""
    assert read_update(more).steps[-1].step.blocks == (), "the container has them"
    container.import_update(more)
    assert held(container) == 2
    other = world.container("other")
    await world.return_to_depot(order, container.context(FIRM))
    assert held(other) == 0


async def test_an_order_brings_data_beside_that_of_its_item_and_in_its_place(stocked: World) -> None:
    world = stocked
    fields = (DataField(kind="hidden", number=7, value=b"mine"), DataField(kind="hidden", number=8, value=b"too"))
    order, container = await ordered(world, *fields), world.container()
    assert await ordered(world, *fields) == order, "once"
    with pytest.raises(TransactionConflict):
        await ordered(world, replace(fields[0], value=b"other"), fields[1])
    await world.collected(order, container)
    assert container.fields(FIRM, order.licenses[0].license_id, kind=HIDDEN) == {7: b"mine", 8: b"too"}
    assert b"mine" not in b"".join(path.read_bytes() for path in world.folder.glob("depot.db*"))


async def test_a_file_for_one_container_brings_another_nothing(stocked: World) -> None:
    world = stocked
    order, first, second = await ordered(world), world.container("c1"), world.container("c2")
    files = [(await world.ask(order, c.context(FIRM), (0, 1))).update or b"" for c in (first, second)]
    blocks = [set(read_update(file).steps[-1].step.blocks) for file in files]
    assert len(blocks[0] & blocks[1]) == 1, "only what is protected, and not encrypted, is the same"
    with pytest.raises(ContainerError, match="another container"):
        second.import_update(files[0])


async def test_a_reset_brings_all_data_again(stocked: World) -> None:
    world = stocked
    order, container = await ordered(world), world.container()
    await world.collected(order, container)
    world.sql("UPDATE server SET current_epoch = current_epoch + 1000")
    answer = await world.ask(order, container.context(FIRM))
    assert len(read_update(answer.update or b"").steps[0].step.blocks) == 3
    container.import_update(answer.update or b"")
    assert container.fields(FIRM, order.licenses[0].license_id, kind=HIDDEN) == {7: PLAIN[0]}


async def test_an_item_shows_which_fields_it_has_and_loses_them_by_name(stocked: World) -> None:
    world = stocked
    catalogue = world.catalogue()
    item = await catalogue.update_item("D", data={"hidden": {9: b"nine"}})
    assert shown_data(item.options, vault=world.vault) == ("protectedData=1", "hiddenData=7,9", "secretData=0")
    item = await catalogue.update_item("D", without=("hiddenData",))
    assert catalogue.data_of(item) == ("protectedData=1", "secretData=0")
    details = world.sql("SELECT details FROM audit WHERE action = 'ChangeItem'")
    assert "nine" not in str(details)


@pytest.mark.parametrize(
    "text",
    [
        "= broken",
        "[open]\n1 = 'x'",
        "protected = 1",
        "[hidden]\n128 = 'x'",
        "[hidden]\nx = 'x'",
        "[secret]\n1 = 2",
        "[secret]\n1 = ''",
        "[secret]\n1 = 'base64:secret!'",
        f"[secret]\n1 = '{'secret' * 50}'",
    ],
)
def test_data_that_cannot_be_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(OptionInvalid) as refused:
        parse_data(text)
    assert refused.value.path == "data"
    assert "secret!" not in refused.value.message
    assert "secretsecret" not in refused.value.message


async def test_a_field_of_an_order_that_cannot_be_is_named_by_its_place(stocked: World) -> None:
    field = DataField(kind="hidden", number=1, value=b"x")
    for wrong in (replace(field, value=b""), replace(field, value=b"x" * 257), field):
        with pytest.raises(DataInvalid) as refused:
            await ordered(stocked, field, wrong)
        assert refused.value.path == "orderLine[1]/data[2]"
