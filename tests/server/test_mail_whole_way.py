"""A real server, a real SMTP server and a real CRM: what is ordered is reminded of, offered, and unsubscribed from."""

import asyncio
import re

import pytest
from smtp_receiver import PASSWORD, USER, SmtpReceiver, made_certificate, smtp_started
from webhook_receiver import SECRET_TEXT, Receiver, started
from wire import envelope, order

from licensing.marketing.campaigns import read_campaign
from opendepot import OzommClient, SalesClient
from server.cli.initialise import CONFIG
from server.core import opened_core
from server.settings import load_settings
from soap.messages import ozomm, sales
from storage.marketing import Fate
from storage.outbox import ListOutbox

TO = "ada@example.org"
CUSTOMER = f"<customer><name>Ada</name><email>{TO}</email><language>de</language></customer>"
SPRING = {"offer_item": "PLUGIN", "items": ["EDITOR"], "texts": {"de": {"title": "Zusatz", "text": "Mehr."}}}


@pytest.mark.slow
async def test_a_reminder_with_an_offer_arrives_at_customer_and_crm_and_its_link_unsubscribes(start, folder, tmp_path):
    authorities, context = made_certificate(tmp_path)
    for name, content in (("smtp", PASSWORD), ("webhook", SECRET_TEXT)):
        (folder / "secrets" / name).write_text(content)
        (folder / "secrets" / name).chmod(0o600)
    crm = Receiver()
    runner = await started(crm)
    async with smtp_started(SmtpReceiver(), starttls=context) as smtp:
        settings = {
            "public_url": "https://licences.example.com", "mail_server": "127.0.0.1", "mail_port": smtp.port,
            "mail_from": "Example Ltd <licences@example.com>", "mail_authorities_file": authorities,
            "mail_user": USER, "mail_password_file": folder / "secrets" / "smtp",
            "webhook_url": crm.url, "webhook_secret_file": folder / "secrets" / "webhook",
            "webhook_events": ("license.expiring",), "reminder_to": "both",
        }  # fmt: skip
        server = await start(**settings)
        async with opened_core(load_settings(folder / CONFIG, **settings)) as core:
            await core.campaigns.add(read_campaign("spring", SPRING))
            await core.addresses.record_consent(TO, source="shop", actor="cli")
            url = f"{server.up.local_url}/v1/sales"
            headers = {"Content-Type": "text/xml", "Authorization": f"Bearer {server.api_key}"}
            async with server.session.post(url, data=envelope(order(extra=CUSTOMER)), headers=headers) as answer:
                assert answer.status == 200, await answer.text()
            # A second process that has the reminders on: all of them are those of the first one's database.
            await start(**settings, reminder_days=(400,))
            await asyncio.gather(smtp.count(1), crm.count(1))
            mail = smtp.arrived[0].message
            assert (mail["To"], mail["Subject"]) == (TO, "Ihre Lizenz läuft bald ab")
            assert "Zusatz" in mail.get_body(("plain",)).get_content()
            assert (crm.arrived[0]["type"], crm.arrived[0]["data"]["itemNumber"]) == ("license.expiring", "EDITOR")
            async with asyncio.timeout(20):
                while await core.storage.query(ListOutbox(limit=9)):  # noqa: ASYNC110  another process changes it
                    await asyncio.sleep(0.05)
            assert [each.campaign for each in await core.campaigns.report()] == ["spring"]
            (path,) = re.findall(r"https://licences\.example\.com(/\S+)>", mail["List-Unsubscribe"])
            async with server.session.post(server.up.local_url + path, data="List-Unsubscribe=One-Click") as answer:
                assert answer.status == 200
            assert not (await core.addresses.wishes(TO)).offers
        for secret in (TO, "Ada", PASSWORD):
            assert secret not in server.log.getvalue()
    await runner.cleanup()


OZOMM = """
patience_seconds = 20

[sources.customers]
kind = "csv"
file = "customers.csv"
match = { item = "item_number" }
read = { eligible = "eligible", email = "email" }

[[rules]]
items = ["EDITOR"]
eligibility = "customers"
"""


@pytest.mark.slow
async def test_an_extension_shows_and_mails_the_offers_of_campaigns_and_a_later_order_takes_them(start, folder):
    (folder / "ozomm.toml").write_text(OZOMM)
    (folder / "customers.csv").write_text(f"item,eligible,email\nEDITOR,yes,{TO}\n")
    async with smtp_started(SmtpReceiver()) as smtp:
        settings = {
            "public_url": "https://licences.example.com", "mail_server": "127.0.0.1", "mail_port": smtp.port,
            "mail_security": "none", "mail_from": "licences@example.com", "ozomm_file": folder / "ozomm.toml",
        }  # fmt: skip
        server = await start(**settings)
        url = server.up.local_url
        async with opened_core(load_settings(folder / CONFIG, **settings)) as core:
            await core.campaigns.add(read_campaign("spring", SPRING))
            await core.addresses.record_consent(TO, source="shop", actor="cli")
            async with SalesClient(url, api_key=server.api_key) as shop:
                line = (sales.OrderLine(item_number="EDITOR", quantity=1),)
                receipt = await shop.create_order(
                    sales.CreateOrderRequest(transaction_id="t-1", order_number="n-1", order_line=line)
                )
                async with OzommClient(url) as licensee:
                    for _ in range(2):
                        request = ozomm.ExtendLicenseRequest(transaction_id="x-1", ticket=receipt.ticket, language="de")
                        answer = await licensee.extend_license(request)
                        assert (answer.state, [each.title for each in answer.offer]) == ("Extended", ["Zusatz"])
                await smtp.count(1)
                mail = smtp.arrived[0].message
                assert mail["Subject"] == "Ihre Lizenz wurde verlängert"
                assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
                assert "Zusatz" in mail.get_body(("html",)).get_content()
                line = (sales.OrderLine(item_number="PLUGIN", quantity=1),)
                await shop.create_order(
                    sales.CreateOrderRequest(transaction_id="t-2", original_order_number="n-1", order_line=line)
                )
            async with asyncio.timeout(20):
                while await core.storage.query(ListOutbox(limit=9)):  # noqa: ASYNC110  another process changes it
                    await asyncio.sleep(0.05)
            counts = {each.fate: each.count for each in await core.campaigns.report("spring")}
        assert counts == {Fate.SHOWN: 1, Fate.MAILED: 1, Fate.TAKEN: 1}
        assert len(smtp.arrived) == 1
        assert TO not in server.log.getvalue()
