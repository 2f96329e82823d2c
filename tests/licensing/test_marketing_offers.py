"""Who is offered what, and what a mail is as a message."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.announcing import PURPOSE
from licensing.marketing.mails import Mail, Mailer, MailKind, MailLicense, read_mail
from licensing.marketing.offers import Campaign, Offer, OfferSubject, OfferText, best_language, offers_for
from licensing.vault import Vault

NOW = datetime(2027, 1, 2, tzinfo=UTC)
TEXTS = {"en": OfferText(title="Pro", text="More."), "de": OfferText(title="Profi", text="Mehr.", url="https://e.org")}
SUBJECT = OfferSubject(
    item_number="EDITOR", expires_at=NOW + timedelta(days=10), customer_group="edu", language="de-AT"
)


def campaign(**values):
    return Campaign(**{"name": "up", "offer_item": "PRO", "texts": TEXTS, **values})


@pytest.mark.parametrize(
    ("rules", "met"),
    [
        ({}, True),
        ({"items": ("EDITOR", "X")}, True),
        ({"items": ("X",)}, False),
        ({"customer_groups": ("edu",)}, True),
        ({"customer_groups": ("gov",)}, False),
        ({"days_before_expiry": 10}, True),
        ({"days_before_expiry": 9}, False),
        ({"languages": ("de",)}, True),
        ({"languages": ("fr",)}, False),
        ({"starts_at": NOW}, True),
        ({"starts_at": NOW + timedelta(microseconds=1)}, False),
        ({"ends_at": NOW}, False),
        ({"ends_at": NOW + timedelta(microseconds=1)}, True),
        ({"offer_item": "EDITOR"}, False),
    ],
)
def test_a_campaign_is_for_those_who_meet_every_rule(rules, met):
    assert bool(offers_for(SUBJECT, [campaign(**rules)], now=NOW)) is met


def test_what_is_over_or_never_ends_is_not_near_its_end():
    near = campaign(days_before_expiry=30)
    for expires_at in (None, NOW - timedelta(seconds=1)):
        subject = OfferSubject(item_number="EDITOR", expires_at=expires_at)
        assert offers_for(subject, [near], now=NOW) == ()


def test_an_offer_has_the_words_of_the_language_that_fits_best():
    (german,) = offers_for(SUBJECT, [campaign()], now=NOW)
    assert german == Offer(campaign="up", item_number="PRO", title="Profi", text="Mehr.", url="https://e.org")
    (english,) = offers_for(OfferSubject(item_number="EDITOR", language="fr"), [campaign()], now=NOW)
    assert english.title == "Pro"
    only = campaign(texts={"pl": OfferText(title="Wersja", text="")})
    assert [offer.title for offer in offers_for(SUBJECT, [only], now=NOW)] == ["Wersja"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("de-AT", "de"), ("DE_at", "de"), ("pt-BR", "pt-BR"), ("pt-PT", None), ("", None), (None, None), ("d", None)],
)
def test_the_language_is_looked_up_from_the_narrow_to_the_wide(wanted, found):
    assert best_language(wanted, ["de", "pt-BR", "en"]) == found


texts = st.none() | st.text(max_size=20)


@given(
    kind=st.sampled_from(list(MailKind)), address=st.text(max_size=30), name=texts, language=texts, reason=texts,
    expires_at=st.none() | st.datetimes(timezones=st.just(UTC)), url=texts,
)  # fmt: skip
def test_a_mail_is_sealed_and_comes_back_as_it_was(*, kind, address, name, language, reason, expires_at, url):
    vault = Vault(pepper=bytes(32), sealing_key=bytes(32), random=bytes)
    mailer = Mailer(vault=vault, clock=lambda: NOW, random=bytes)
    mail = Mail(
        kind=kind, address=address, name=name, language=language, reason=reason,
        licenses=(MailLicense(license_id="l", item_number="EDITOR", expires_at=expires_at),),
        offers=(Offer(campaign="up", item_number="PRO", title="t", text="x", url=url),),
    )  # fmt: skip
    message = mailer.message(mail, ticket_id="t", order_id="o")
    assert (message.channel, message.kind, message.order_id) == ("mail", kind.value, "o")
    assert read_mail(vault.open(PURPOSE, message.content_sealed)) == mail


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"type":"mail.other"}', b'{"type":"mail.test"}'])
def test_what_is_no_mail_is_refused(content):
    with pytest.raises(ValueError):  # noqa: PT011  whatever it says
        read_mail(content)
