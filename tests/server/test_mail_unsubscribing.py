"""The page to unsubscribe on a real listener: GET shows, POST acts, the token alone says for whom."""

import json

import pytest

from server.cli.initialise import CONFIG
from server.core import opened_core
from server.mail.unsubscribing import UNSUBSCRIBE_PATH
from server.settings import load_settings

TO = "customer@example.org"
MAIL = {
    "mail_server": "127.0.0.1", "mail_port": 1, "mail_from": "licences@example.com",
    "public_url": "https://licences.example.com",
}  # fmt: skip


@pytest.fixture
async def place(start, folder):
    """A server, the URL of a customer's page, and a way to ask what is known of the customer."""
    server = await start(**MAIL)
    async with opened_core(load_settings(folder / CONFIG, **MAIL)) as core:
        await core.addresses.record_consent(TO, source="shop", actor="cli")
        yield server, server.up.local_url + UNSUBSCRIBE_PATH + core.addresses.token(TO), core.addresses


async def test_looking_changes_nothing_and_one_click_unsubscribes(place):
    server, url, book = place
    for method in ("GET", "HEAD"):
        async with server.session.request(method, url, headers={"Accept-Language": "fr, de-AT;q=0.9"}) as answer:
            assert answer.status == 200
            text = await answer.text()
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["Cache-Control"] == "no-store"
    assert (await book.wishes(TO)).offers
    async with server.session.get(url, headers={"Accept-Language": "fr, de-AT;q=0.9"}) as answer:
        text = await answer.text()
    assert "Abbestellen" in text
    assert '<form method="post">' in text
    # As RFC 8058, section 3.2, has it.
    body = "List-Unsubscribe=One-Click"
    for _ in range(2):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        async with server.session.post(url, data=body, headers=headers) as answer:
            assert answer.status == 200
            assert "no more offers" in await answer.text()
    wishes = await book.wishes(TO)
    assert (wishes.offers, wishes.reachable) == (False, True)
    told = [json.loads(line) for line in server.log.getvalue().splitlines()]
    assert [event["new"] for event in told if event["event"] == "mail_unsubscribed"] == [True, False]
    assert TO not in server.log.getvalue()
    assert url.rpartition("/")[2] not in server.log.getvalue()


async def test_a_form_of_a_browser_unsubscribes_too(place):
    server, url, book = place
    async with server.session.post(url, data={"List-Unsubscribe": "One-Click"}) as answer:
        assert answer.status == 200
    assert not (await book.wishes(TO)).offers


async def test_a_token_that_was_changed_or_cut_is_nobodys(place):
    server, url, book = place
    front, _, token = url.rpartition("/")
    other = ("A" if token[0] != "A" else "B") + token[1:]
    last = token[:-1] + ("A" if token[-1] != "A" else "B")
    for wrong in (other, last, token[:-4], token + "AAAA", "", "%00", "..", "A" * 3000):
        async with server.session.post(f"{front}/{wrong}") as answer:
            assert answer.status in {404, 400, 414}, wrong
    assert (await book.wishes(TO)).offers


async def test_other_methods_and_large_bodies_are_refused(place):
    server, url, book = place
    async with server.session.put(url, data=b"") as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET, HEAD, POST"
    async with server.session.post(url, data=b"x" * 5000) as answer:
        assert answer.status == 413
    assert (await book.wishes(TO)).offers


async def test_without_mail_there_is_no_such_page(start):
    server = await start()
    async with server.session.get(server.up.local_url + UNSUBSCRIBE_PATH + "A") as answer:
        assert answer.status == 404
        assert "Nothing is here" in await answer.text()
