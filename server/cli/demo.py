"""`opendepot demo`: the whole way of an order, for real, in one command."""

import asyncio
import contextlib
import secrets
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from lxml import etree

from opendepot import Container, DepotClient, SalesClient
from opendepot.service import Exchanged
from server.cli.initialise import CONFIG, VENDOR_CERTIFICATE, initialise
from server.core import opened_core, utc_now
from server.listener import Serving, serving
from server.settings import Settings, load_settings
from soap.messages import depot, sales

FIRM_CODE = 6000010
ITEM, SECOND_ITEM = "EDITOR-1Y", "PLUGIN"
ITEMS = (
    (ITEM, 100, ("expirationTime=add:365d", "text=One year of updates")),
    (SECOND_ITEM, 101, ("featureMap=3",)),
)
_LONG = 72


def demo(
    serve: Annotated[bool, typer.Option("--serve", help="Leave the server running and say what to try.")] = False,  # noqa: FBT002  an option is named on the command line
    folder: Annotated[
        Path | None, typer.Option("--dir", help="Keep everything in this folder.", show_default=False)
    ] = None,
) -> None:
    """Run the whole cycle here: order, ticket, collect, import, receipt, and a second order on the same ticket."""
    with _folder(folder, keep=serve) as place:
        asyncio.run(_run(place, serve=serve))


@contextlib.contextmanager
def _folder(folder: Path | None, *, keep: bool) -> Iterator[Path]:
    if folder is not None:
        yield folder
    elif keep:
        yield Path(tempfile.mkdtemp(prefix="opendepot-demo-"))
    else:
        with tempfile.TemporaryDirectory(prefix="opendepot-demo-") as made:
            yield Path(made)


async def _run(folder: Path, *, serve: bool) -> None:
    await asyncio.to_thread(initialise, folder)
    settings = load_settings(folder / CONFIG, port=0, admin_port=0, validate_answers=True)
    with (folder / "events.log").open("a", encoding="utf-8") as log:
        async with serving(settings, log=log) as up:
            _step(f"A server is up at {up.url} (admin listener {up.admin_url}), its files are in {folder}")
            api_key = await _stocked(settings)
            await _cycle(up, folder, api_key)
            if serve:
                _say_what_to_try(up, folder, api_key)
                await _until_told()


async def _stocked(settings: Settings) -> str:
    """Add the demo's items where they are missing, and a shop; its API key."""
    async with opened_core(settings) as core:
        known = {item.item_number for item in await core.catalogue.list_items()}
        for number, product_code, options in ITEMS:
            if number not in known:
                await core.catalogue.add_item(
                    item_number=number, firm_code=FIRM_CODE, product_code=product_code, options=options
                )
        _, api_key = await core.catalogue.add_shop(f"demo-shop-{secrets.token_hex(4)}")
        return api_key


async def _cycle(up: Serving, folder: Path, api_key: str) -> None:
    """Order, look, collect, confirm; then order again on the same ticket and collect that too."""
    run = secrets.token_hex(4)
    async with (
        SalesClient(up.url, api_key=api_key, on_exchange=_show) as shop,
        DepotClient(up.url, on_exchange=_show) as licensee,
    ):
        _step("The shop orders two pieces of one item and receives a ticket")
        receipt = await shop.create_order(
            sales.CreateOrderRequest(
                transaction_id=f"demo-{run}-1",
                order_number=f"DEMO-{run}",
                order_line=(sales.OrderLine(item_number=ITEM, quantity=2),),
            )
        )
        _step("The application looks at the ticket")
        await licensee.get_ticket(receipt.ticket)
        container = Container.create(
            folder / f"container-{run}.json",
            trust_pem=(folder / VENDOR_CERTIFICATE).read_bytes(),
            clock=utc_now,
            random=secrets.token_bytes,
        )
        await _collect_one(licensee, receipt, container)
        _step("The shop orders again on the same ticket, by originalOrderNumber")
        second = await shop.create_order(
            sales.CreateOrderRequest(
                transaction_id=f"demo-{run}-2",
                original_order_number=f"DEMO-{run}",
                order_line=(sales.OrderLine(item_number=SECOND_ITEM, quantity=1),),
            )
        )
        _expect(second.ticket == receipt.ticket, "the second order is on the same ticket")
        await _collect_rest(licensee, receipt, container)
        _step("The shop sees that everything was collected and confirmed")
        order = await shop.get_order(sales.GetOrderRequest(order_id=receipt.order_id))
        _expect([x.confirmed for x in order.license] == [2], "both pieces are confirmed")
    typer.secho("\nDone: ordered twice, collected twice, confirmed.", bold=True)


async def _collect_one(licensee: DepotClient, receipt: sales.OrderReceipt, container: Container) -> None:
    """Collect one piece message by message: context, update, import, receipt."""
    _step(f"The application makes a container ({container.serial}) and exports its context")
    context = container.context(FIRM_CODE)
    _step("It sends ticket and context, and gets a signed update file; one piece of two")
    one = depot.LicenseTarget(license_id=receipt.license[0].license_id, target=depot.TargetQuantity(quantity=1))
    result = await licensee.get_license_update(
        depot.GetLicenseUpdateRequest(ticket=receipt.ticket, license=(one,), context=context)
    )
    imported = container.import_update(result.update or b"")
    _step(f"It imports the file ({imported.applied} steps applied) and returns the receipt")
    await licensee.confirm_license_update(imported.receipt)


async def _collect_rest(licensee: DepotClient, receipt: sales.OrderReceipt, container: Container) -> None:
    """Collect all that is free by one call of the SDK."""
    _step("The application collects all that is free: context, update, import and receipt in one call of the SDK")
    (collected,) = await licensee.collect(receipt.ticket, container)
    for entry in collected.listing:
        typer.echo(f"   {container.serial} holds {entry.quantity} x {entry.item_number}")


def _step(text: str) -> None:
    typer.secho(f"\n== {text}", bold=True)


def _expect(holds: bool, what: str) -> None:  # noqa: FBT001  reads well at the call
    """Let the demo fail loudly when what it shows is not so."""
    if not holds:
        typer.secho(f"\nThis should hold, but does not: {what}", err=True, bold=True)
        raise typer.Exit(1)


def _show(exchanged: Exchanged) -> None:
    typer.echo(f"   POST {exchanged.address}  {exchanged.operation} -> HTTP {exchanged.status}")
    for message in (exchanged.request, exchanged.answer):
        for line in _readable(message):
            typer.echo(f"     {line}")


def _readable(message: bytes) -> list[str]:
    """Give the Body of a message, indented, long texts cut."""
    root = etree.fromstring(message)
    for element in root.iter():
        if element.text and len(element.text) > _LONG:
            element.text = f"{element.text[:_LONG]}... ({len(element.text)} characters)"
    body = root[-1][0]
    etree.indent(body)
    return etree.tostring(body, encoding="unicode", with_tail=False).splitlines()


def _say_what_to_try(up: Serving, folder: Path, api_key: str) -> None:
    typer.echo(
        f"""
The server stays up until Ctrl-C. To try, in another terminal:

  curl '{up.url}/v1/sales?wsdl'
  curl '{up.admin_url}/metrics'
  tail -f {folder / "events.log"}
  opendepot item list --config {folder / CONFIG}
  opendepot container create my-container.json --trust {folder / VENDOR_CERTIFICATE}
  opendepot collect --url {up.url} --ticket TICKET --container my-container.json

The shop's API key, for Authorization: Bearer, is
  {api_key}"""
    )


async def _until_told() -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await stop.wait()
