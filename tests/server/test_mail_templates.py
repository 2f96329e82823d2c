"""Templates of mails: what is shipped renders, an operator's own takes its place, and a wrong one says where."""

import random
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.headerregistry import Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.errors import AddressInvalid
from licensing.marketing.addresses import AddressBook
from licensing.marketing.mails import Mail, MailKind, MailLicense
from licensing.marketing.offers import Offer
from licensing.vault import Vault
from server.mail.composing import Composer, MessageIds
from server.mail.templates import SHIPPED, MailTemplates, TemplateInvalid

NOW = datetime(2027, 1, 2, tzinfo=UTC)
OFFER = Offer(campaign="spring", item_number="PRO", title="Pro", text="More.", url="https://e.org/?a=1&b=2")
LICENSE = MailLicense(license_id="1", item_number="EDITOR", expires_at=NOW)
VALUES = {
    "name": None, "licenses": (LICENSE, MailLicense(license_id="2", item_number="PLUGIN")),
    "offers": (), "reason": None, "sender": "Example", "unsubscribe_url": None,
}  # fmt: skip


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("kind", list(MailKind))
def test_every_mail_is_shipped_in_two_languages_as_text_and_html(kind, language):
    rendered = MailTemplates().render(kind.template, VALUES, language=language)
    assert (rendered.language, bool(rendered.subject), bool(rendered.text.strip())) == (language, True, True)
    assert rendered.html is not None
    assert "unsubscribe" not in rendered.text
    full = {
        **VALUES,
        "name": "Ada & <b>",
        "offers": (OFFER,),
        "unsubscribe_url": "https://e.org/u",
        "reason": "Because",
    }
    rendered = MailTemplates().render(kind.template, full, language=language)
    assert "Ada & <b>" in rendered.text
    assert "Ada &amp; &lt;b&gt;" in rendered.html
    assert "https://e.org/u" in rendered.text
    assert 'href="https://e.org/u"' in rendered.html
    if kind is not MailKind.TEST:
        assert "https://e.org/?a=1&b=2" in rendered.text
        assert "https://e.org/?a=1&amp;b=2" in rendered.html
    assert "\n\n\n\n" not in rendered.text


def test_every_shipped_file_belongs_to_a_mail():
    known = {kind.template for kind in MailKind} | {"base"}
    assert {path.name.partition(".")[0] for path in SHIPPED.iterdir()} == known


def test_a_file_of_the_operators_takes_the_place_of_the_shipped_one_and_not_of_its_html(tmp_path):
    (tmp_path / "extended.de.txt.j2").write_text("Subject: Eigenes\n\n{{ sender }}\n")
    rendered = MailTemplates(tmp_path).render("extended", VALUES, language="de-AT")
    assert (rendered.subject, rendered.text, rendered.html) == ("Eigenes", "Example\n", None)
    assert MailTemplates(tmp_path).render("extended", VALUES, language="en").html is not None
    (tmp_path / "extended.de.html.j2").write_text('{% extends "base.html.j2" %}{% block content %}Hier{% endblock %}')
    assert "Hier" in MailTemplates(tmp_path).render("extended", VALUES, language="de").html
    (tmp_path / "base.html.j2").write_text("Rahmen {% block content %}{% endblock %}")
    assert MailTemplates(tmp_path).render("extended", VALUES, language="de").html == "Rahmen Hier"
    assert "Rahmen" in MailTemplates(tmp_path).render("extended", VALUES, language="en").html
    (tmp_path / "extended.en.html.j2").write_text("Own")
    rendered = MailTemplates(tmp_path).render("extended", VALUES, language="en")
    assert (rendered.subject, rendered.html) == ("Your licence was extended", "Own")


def test_a_campaign_and_a_language_have_templates_of_their_own(tmp_path):
    (tmp_path / "offers.spring.fr.txt.j2").write_text("Subject: Printemps\n\nx\n")
    (tmp_path / "offers.pt-BR.txt.j2").write_text("Subject: Oferta\n\nx\n")
    templates = MailTemplates(tmp_path)
    for language, campaign, subject in [
        ("fr", "spring", "Printemps"), ("de", "spring", "Printemps"), ("fr", "autumn", "An offer for you"),
        ("pt-br", None, "Oferta"), ("pt", None, "An offer for you"), (None, None, "An offer for you"),
    ]:  # fmt: skip
        assert templates.render("offers", VALUES, language=language, campaign=campaign).subject == subject


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("Subject: x\n\n{% if %}\n", 3, "Expected an expression"),
        ("Subject: x\n\n\n{{ nobody }}\n", 4, "a value that the mail does not have"),
        ("Subject: x\n\n{{ licenses[0].nothing.more }}\n", 3, "a value that the mail does not have"),
        ("Subject: x\n\n{{ ''.__class__.__mro__ }}\n", 3, "a value that the mail does not have|sandbox"),
        ("Subject: x\n\n{{ licenses.__class__ ('x') }}\n", 3, "sandbox|value"),
        ("Subject: x\n\n{{ 1 / 0 }}\n", 3, "ZeroDivisionError"),
        ("Subject: x\n\n{% for n in range(10000000) %}x{% endfor %}\n", 3, "OverflowError"),
        ('Subject: x\n\n{% include "none.j2" %}\n', 3, "there is no template none.j2"),
        ('Subject: x\n\n{% include "../secret.j2" %}\n', 3, "there is no template"),
        ("no subject\n", 1, "must begin with a line"),
        ("Subject:  \n\nx", 1, "must begin with a line"),
        ("", 1, "must begin with a line"),
        ("Subject: x\n\n{{ name | date }}\n{{ sender | date }}\n", 4, "AttributeError"),
    ],
)
def test_a_wrong_template_names_file_line_and_mend(tmp_path, text, line, problem):
    folder = tmp_path / "mail"
    folder.mkdir()
    (tmp_path / "secret.j2").write_text("secret")
    path = folder / "extended.en.txt.j2"
    path.write_text(text)
    with pytest.raises(TemplateInvalid, match=problem) as refused:
        MailTemplates(folder).render("extended", VALUES, language="en")
    assert (refused.value.file, refused.value.line) == (str(path), line)
    assert "opendepot mail preview" in str(refused.value)


def test_a_template_that_there_is_not_is_refused(tmp_path):
    with pytest.raises(TemplateInvalid, match="no such template"):
        MailTemplates(tmp_path).render("nothing", VALUES, language="en")


def test_no_value_of_a_mail_stands_in_the_error(tmp_path):
    (tmp_path / "extended.en.txt.j2").write_text("Subject: x\n\n{{ licenses[sender] }}{{ {}[sender].x }}\n")
    with pytest.raises(TemplateInvalid) as refused:
        MailTemplates(tmp_path).render("extended", {**VALUES, "sender": "Secret"}, language="en")
    assert "Secret" not in str(refused.value)


class NoStorage:
    """Composing asks nothing of it."""


def composer(folder=None):
    vault = Vault(pepper=bytes(32), sealing_key=bytes(32), random=random.Random(1).randbytes)
    return Composer(
        sender=Address("Ünited, Ltd", addr_spec="licences@example.com"), reply_to=Address(addr_spec="help@example.com"),
        public_url="https://licences.example.com", templates=MailTemplates(folder),
        book=AddressBook(storage=NoStorage(), vault=vault, clock=lambda: NOW),
        ids=MessageIds(vault, domain="example.com"), clock=lambda: NOW,
    )  # fmt: skip


SHIPPED_ONLY = composer()
FIELDS = ["message-id", "list-unsubscribe", "list-unsubscribe-post", "date", "from", "to", "reply-to", "subject"]
FIELDS += ["mime-version", "content-type", "content-language"]
words = st.text(max_size=120)


@given(name=words, title=words, text=words, item=words, language=st.none() | words, reason=words)
def test_whatever_stands_in_a_mail_its_headers_are_ours(*, name, title, text, item, language, reason):
    offer = Offer(campaign="spring", item_number=item, title=title, text=text)
    mail = Mail(
        kind=MailKind.EXTENSION_REFUSED, address="a@example.org", name=name, language=language, reason=reason,
        licenses=(MailLicense(license_id="1", item_number=item, expires_at=NOW),), offers=(offer,),
    )  # fmt: skip
    content = SHIPPED_ONLY.compose(mail, message_id="id").content
    assert all(line.isascii() and len(line) <= 998 for line in content.split(b"\r\n"))
    assert b"\n" not in content.replace(b"\r\n", b"")
    found = message_from_bytes(content, policy=policy.default)
    assert [field.lower() for field in found] == FIELDS
    assert found["To"] == "a@example.org"
    assert found["From"] == '"Ünited, Ltd" <licences@example.com>'
    assert found["Reply-To"] == "help@example.com"


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mail")
    (folder / "extended.en.txt.j2").write_text("Subject: A {{ name }} B\n\nx\n")
    return composer(folder)


@given(subject=st.text(max_size=300))
def test_a_subject_is_one_line_whatever_is_in_it(subject, own):
    mail = Mail(kind=MailKind.EXTENDED, address="a@example.org", name=subject)
    content = own.compose(mail, message_id="id").content
    found = message_from_bytes(content, policy=policy.default)
    printable = "".join(c if c.isprintable() else " " for c in subject)
    assert found["Subject"].split() == f"A {printable} B".split() or "\n" in subject
    assert found["Bcc"] is None


@pytest.mark.parametrize("address", ["a@b.c\nBcc: x@y.z", "a@b.c>", "<a@b.c", "a@b.c\0"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(AddressInvalid):
        composer().compose(Mail(kind=MailKind.TEST, address=address), message_id="id")


def test_a_message_id_is_known_for_its_address_alone():
    ids = MessageIds(Vault(pepper=bytes(32), sealing_key=bytes(32), random=bytes), domain="example.com")
    made = ids.of("0193-id", "A@example.org")
    assert ids.is_of(made, "a@example.org")
    assert ids.is_of(f" {made}\r\n", "a@example.org")
    assert not ids.is_of(made, "b@example.org")
    for wrong in ("", "<>", "<@>", "<.@x>", made.replace("0193", "0194"), "<0193-id@example.com>"):
        assert not ids.is_of(wrong, "a@example.org")
