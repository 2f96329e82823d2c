"""The pages for people in Chromium: on a phone, in the dark, by keyboard, without JavaScript, and by the rules of axe.

Whatever a page writes to the console fails the test: a breach of its Content-Security-Policy is told there.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from playwright.async_api import Browser, ConsoleMessage, Page
from sites import Site

from soap import load_contract
from soap.validate import Validator

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser"), pytest.mark.asyncio(loop_scope="module")]

WIDE, PHONE, NARROWEST = 1200, 360, 320
"""Widths in CSS pixels; the last is that of WCAG 2.2, success criterion 1.4.10."""
LEAST_TARGET = 44
"""CSS pixels, WCAG 2.2, success criterion 2.5.5."""
PATIENCE_MS = 15_000
SERVICES = ("sales", "depot", "ozomm", "admin")
ALL = (*SERVICES, "unsubscribe", "cut")
OPEN_ALL = "for (const one of document.querySelectorAll('details')) one.open = true"


@asynccontextmanager
async def opened(browser: Browser, url: str, *, width: int = WIDE, **options: Any) -> AsyncIterator[Page]:
    context = await browser.new_context(viewport={"width": width, "height": 800}, **options)
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    told: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        # Any status but 200, and a network that is not there, are told in this way; a breach of the policy is not.
        if not message.text.startswith("Failed to load resource:"):
            told.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: told.append(str(error)))
    try:
        await page.goto(url)
        yield page
        assert told == []
    finally:
        await context.close()


async def violations(page: Page, axe: str) -> list[str]:
    await page.evaluate(axe)
    found = await page.evaluate("axe.run({ resultTypes: ['violations'] })")
    assert len(found["passes"]) > 5, "it looked"
    return [f"{one['id']}: {one['help']}: {one['nodes'][0]['html']}" for one in found["violations"]]


@pytest.mark.parametrize(
    ("name", "scheme"), [*((name, "light") for name in ALL), ("sales", "dark"), ("unsubscribe", "dark")]
)
async def test_no_page_breaks_a_rule_of_accessibility(
    browser: Browser, site: Site, axe: str, name: str, scheme: str
) -> None:
    # The dark scheme is seen on a phone, the light one on a desk.
    width = {"light": WIDE, "dark": PHONE}[scheme]
    async with opened(browser, site.pages[name], width=width, color_scheme=scheme) as page:
        await page.evaluate(OPEN_ALL)
        if (name, scheme) != ("sales", "light"):
            # The same on every page, and most of it.
            await page.locator("#faults ~ *").evaluate_all("all => all.slice(2).forEach(one => one.remove())")
        assert await violations(page, axe) == []
        dark = await page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
        assert dark is (scheme == "dark")


async def test_axe_sees_what_is_wrong(browser: Browser, site: Site, axe: str) -> None:
    async with opened(browser, site.pages["unsubscribe"]) as page:
        await page.evaluate("document.querySelector('button').textContent = ''; document.documentElement.lang = ''")
        assert [one.partition(":")[0] for one in await violations(page, axe)] == ["button-name", "html-has-lang"]


@pytest.mark.parametrize("name", ALL)
async def test_a_phone_shows_it_whole_and_a_finger_hits_it(browser: Browser, site: Site, name: str) -> None:
    async with opened(browser, site.pages[name], width=PHONE) as page:
        await page.evaluate(OPEN_ALL)
        pressed = await page.evaluate(
            """[...document.querySelectorAll("a, button, summary, input, textarea")].map(one => {
                 const box = one.getBoundingClientRect();
                 return [one.textContent.slice(0, 40), box.width, box.height, box.left, box.right]})"""
        )
        assert all(left >= 0 and right <= PHONE for _, _, _, left, right in pressed)
        assert [what for what, width, height, *_ in pressed if min(width, height) < LEAST_TARGET] == []
        for width in (PHONE, NARROWEST):
            await page.set_viewport_size({"width": width, "height": 800})
            assert await page.evaluate("document.documentElement.scrollWidth") == width
        assert pressed or name == "cut"


async def test_without_javascript_all_can_be_read_and_only_buttons_are_missing(browser: Browser, site: Site) -> None:
    async with (
        opened(browser, site.pages["sales"], java_script_enabled=False) as plain,
        opened(browser, site.pages["sales"]) as page,
    ):
        for one in await plain.locator("article > details > summary").all():
            await one.click()
        first = plain.locator("article").first
        for one in await first.locator("details details > summary").all():
            await one.click()
        assert await first.locator("pre:visible").count() == 6
        assert await plain.locator("button:visible, form:visible, textarea:visible, input:visible").count() == 0
        await page.evaluate("for (const one of document.querySelectorAll('article > details')) one.open = true")
        await (
            page.locator("article")
            .first.locator("details details")
            .evaluate_all("all => all.forEach(one => { one.open = true })")
        )
        assert await page.locator("form:visible").count() > 1
        gone = "button, form, [role=status]"
        await page.locator(gone).evaluate_all("all => all.forEach(one => one.remove())")
        assert (await plain.inner_text("body")).split() == (await page.inner_text("body")).split()


async def test_by_keyboard_alone_an_operation_is_opened_read_and_copied(browser: Browser, site: Site) -> None:
    async with opened(browser, site.pages["depot"]) as page:
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])

        async def reach(selector: str) -> None:
            for _ in range(12):
                await page.keyboard.press("Tab")
                if await page.evaluate("chosen => document.activeElement.matches(chosen)", selector):
                    outline = await page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
                    assert outline == "3px", "where the keyboard is can be seen"
                    return
            pytest.fail(f"{selector} is out of reach")

        await reach("article summary")
        assert not await page.locator("article pre").first.is_visible()
        await page.keyboard.press("Enter")
        assert await page.locator("article pre").first.is_visible()
        await reach("button.copy")
        await page.keyboard.press("Space")
        await page.get_by_text("copied").wait_for()
        assert "<GetTicket" in await page.evaluate("navigator.clipboard.readText()")
        await reach("pre")
        await reach("summary")
        await page.keyboard.press("Enter")
        assert await page.get_by_label("GetTicket in curl", exact=True).is_visible()


async def test_every_sample_is_copied_as_it_stands(browser: Browser, reading_site: Site) -> None:
    async with opened(browser, reading_site.pages["sales"]) as page:
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await page.evaluate(OPEN_ALL)
        assert await page.locator("form").count() == 0, "sending is not a default"
        order = page.locator("article#CreateOrder")
        labels = ["Sample request of CreateOrder"]
        labels += [f"CreateOrder in {one}" for one in ("curl", "Python (zeep)", "PHP", "C#", "Java")]
        for label in labels:
            await order.get_by_role("button", name=f"Copy {label}", exact=True).click()
            await order.get_by_text(" copied").first.wait_for()
            copied = await page.evaluate("navigator.clipboard.readText()")
            assert copied == await order.get_by_label(label, exact=True).text_content()
            assert "CreateOrder" in copied


async def test_what_may_not_be_copied_is_selected(browser: Browser, site: Site) -> None:
    async with opened(browser, site.pages["sales"] + "#CreateOrder") as page:
        # As it is for a page by http:// from another machine.
        await page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
        await page.locator("#CreateOrder button.copy").first.click()
        await page.get_by_text("selected: copy it").wait_for()
        selected = await page.evaluate("getSelection().toString()")
        assert selected.strip() == (await page.locator("#CreateOrder pre").first.text_content() or "").strip()


async def test_the_sandbox_sends_a_message_and_shows_what_comes_back(browser: Browser, site: Site) -> None:
    async with opened(browser, site.pages["sales"] + "#CreateOrder") as page:
        order = page.locator("#CreateOrder")
        send, answer = order.get_by_role("button", name="Send CreateOrder"), order.locator("output")
        assert not await answer.is_visible()
        await send.click()
        await order.get_by_text("NotIdentified").wait_for()
        assert (await answer.inner_text()).startswith("401")
        await order.get_by_label("API key").fill(site.api_key)
        await order.get_by_label("Message").press("Tab")
        await page.keyboard.press("Enter")
        await order.get_by_text("CreateOrderResponse").wait_for()
        assert (await answer.inner_text()).startswith("200 OK")
        assert site.api_key not in page.url
        await page.context.set_offline(offline=True)
        await send.click()
        await order.get_by_text("not sent: ").wait_for()


@pytest.mark.parametrize("sends", [False, True])
async def test_the_policy_of_the_page_stops_whatever_is_not_its_own(
    browser: Browser, site: Site, reading_site: Site, sends: bool
) -> None:
    where = (site if sends else reading_site).pages["sales"]
    context = await browser.new_context()
    page = await context.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    await page.goto(where)
    await page.evaluate(
        """() => { const own = document.createElement("script"); own.textContent = "window.ran = true";
             document.body.append(own); document.body.setAttribute("style", "color: red"); }"""
    )
    assert await page.evaluate("window.ran") is None
    fetched = await page.evaluate("fetch(location.pathname).then(() => true, () => false)")
    assert fetched is sends
    named = {part for part in ("script-src", "style-src", "connect-src") if any(f"{part} '" in one for one in refused)}
    assert named == {"script-src", "style-src", *(() if sends else ("connect-src",))}, refused
    await context.close()


async def test_the_soapui_project_comes_down_under_its_name(browser: Browser, site: Site, tmp_path: Path) -> None:
    async with opened(browser, site.pages["sales"]) as page:
        async with page.expect_download() as coming:
            await page.get_by_role("link", name="SoapUI project").click()
        download = await coming.value
        assert download.suggested_filename == "Sales-soapui-project.xml"
        await download.save_as(tmp_path / "project.xml")
    contract = load_contract("v1/sales.wsdl")
    validator = Validator(contract.schemas[contract.namespace])
    requests = etree.parse(tmp_path / "project.xml").findall(".//{*}request")
    assert len(requests) == 2 * len(contract.operations)
    assert all(validator.valid(etree.fromstring(one.text or "")[0][0]) for one in requests)


async def test_links_lead_to_the_faults_and_an_address_opens_its_operation(browser: Browser, site: Site) -> None:
    async with opened(browser, site.pages["depot"] + "#ReturnLicense") as page:
        named = page.locator("#ReturnLicense")
        assert await named.get_by_text("Sample request").is_visible()
        assert not await page.locator("#GetTicket").get_by_text("Sample request").is_visible()
        await named.get_by_role("link", name="RuleFault").click()
        top = await page.locator("h3#RuleFault").evaluate("one => one.getBoundingClientRect().top")
        assert 0 <= top < 100
        await page.evaluate("location.hash = '#GetTicket'")
        await page.locator("#GetTicket").get_by_text("Sample request").wait_for()


async def test_a_customer_unsubscribes_by_keyboard(browser: Browser, site: Site) -> None:
    async with opened(browser, site.pages["unsubscribe"], locale="de-DE", java_script_enabled=False) as page:
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.textContent") == "Abbestellen"
        await page.keyboard.press("Enter")
        await page.get_by_text("keine Angebote per Mail mehr.").wait_for()
        assert await page.get_by_role("button").count() == 0
