"""The how-to that connects a CRM, carried out: its files, its commands, and the example CRM that ships."""

import re
import secrets
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from opendepot import Container, DepotClient, OzommClient, SalesClient
from server.app import opened_core, utc_now
from server.cli.initialise import CONFIG, VENDOR_CERTIFICATE, initialise
from server.cli.main import app
from server.listener import serving
from server.ozomm.configuration import OzommConfiguration
from server.ozomm.example_crm import UNPAID, decided, example_crm
from server.settings import load_settings
from soap.messages import ozomm, sales

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "connect-your-crm.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
FIRM_CODE = 6000010


def first_file(url: str) -> str:
    """The file of the first part, with the line that is added to it."""
    first, added = BLOCKS[0], BLOCKS[1]
    assert "http://127.0.0.1:9000/renewals" in first
    return first.replace("seconds = 5\n", "seconds = 5\n" + added).replace("http://127.0.0.1:9000/renewals", url)


def test_all_that_the_page_configures_is_valid() -> None:
    OzommConfiguration(**tomllib.loads(first_file("http://127.0.0.1:9000/renewals")))
    for block in BLOCKS[2:]:
        found = tomllib.loads(block)
        found["sources"].setdefault("crm", {"kind": "everybody"})
        OzommConfiguration(**found)


@pytest.mark.slow
async def test_the_example_crm_is_connected_by_configuration_alone(tmp_path: Path) -> None:
    place = tmp_path / "depot"
    with ThreadPoolExecutor(1) as pool:
        pool.submit(initialise, place).result()
    config = place / CONFIG
    async with example_crm(port=0) as url:
        (place / "ozomm.toml").write_text(first_file(url))
        config.write_text('ozomm_file = "ozomm.toml"\n' + config.read_text())
        with ThreadPoolExecutor(1) as pool:
            checked = pool.submit(CliRunner().invoke, app, ["ozomm", "check", "--config", str(config)]).result()
        assert checked.output == "EDITOR*: crm decides; while it is silent: queue\n"
        settings = load_settings(config, port=0, admin_port=0)
        async with opened_core(settings) as core:
            await core.catalogue.add_item(
                item_number="EDITOR", firm_code=FIRM_CODE, product_code=100, options=("expirationTime=add:365d",)
            )
            _, api_key = await core.catalogue.add_shop("shop")
        async with serving(settings) as up:
            container = Container.create(
                tmp_path / "container.json",
                trust_pem=(place / VENDOR_CERTIFICATE).read_bytes(),
                clock=utc_now,
                random=secrets.token_bytes,
            )
            async with SalesClient(up.url, api_key=api_key) as shop:
                line = sales.OrderLine(item_number="EDITOR", quantity=1)
                receipt = await shop.create_order(sales.CreateOrderRequest(transaction_id="t", order_line=(line,)))
            async with DepotClient(up.url) as licensee:
                await licensee.collect(receipt.ticket, container)
            async with OzommClient(up.url) as client:
                extension = await client.extend_license(
                    ozomm.ExtendLicenseRequest(
                        transaction_id="my-first-extension",
                        ticket=receipt.ticket,
                        context=ozomm.ContainerContext(file=container.context(FIRM_CODE)),
                        language="de",
                    )
                )
    if receipt.ticket.endswith(UNPAID):
        assert (extension.state, extension.text) == ("Refused", "Bitte begleichen Sie zuerst Ihre Rechnung.")
        return
    assert extension.state == "Extended"
    assert extension.update is not None
    assert extension.update.file is not None
    assert container.import_update(extension.update.file).applied
    assert [each.title for each in extension.offer] == ["Mehr vom Editor"]


def test_the_example_crm_refuses_who_has_not_paid() -> None:
    assert decided({"contract": "1-0", "speaks": "de"})["renewal"]["status"] == "unpaid"
    assert decided({"contract": "1-1"})["upgrades"][0]["headline"] == "More of the editor"
