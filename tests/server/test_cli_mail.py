"""The verbs of mails: preview, a test, consent and bounces. Addresses come by standard input alone."""

import asyncio
import json

import pytest
from smtp_receiver import SmtpReceiver, smtp_started
from typer.testing import CliRunner

from licensing.errors import AddressInvalid
from server.cli.initialise import CONFIG
from server.cli.main import app
from server.core import opened_core
from server.errors import SettingsError
from server.mail.templates import TemplateInvalid
from server.outbox.posting import message_ids, read_password
from server.settings import load_settings

TO = "customer@example.org"
MAIL = """
public_url = "https://licences.example.com"
mail_server = "127.0.0.1"
mail_port = {port}
mail_security = "none"
mail_from = "Example Ltd <licences@example.com>"
mail_templates = "mail"
"""


@pytest.fixture
def config(folder):
    path = folder / CONFIG
    (folder / "mail").mkdir()
    path.write_text(path.read_text() + MAIL.format(port=1))
    return path


def run(config, *arguments, given=f"{TO}\n"):
    return CliRunner().invoke(app, ["mail", *map(str, arguments), "--config", str(config)], input=given)


def test_a_mail_is_previewed_as_text_and_as_html_in_a_language(config, folder):
    text = run(config, "preview", "extended", "--language", "de-AT").output
    assert text.startswith("Subject: Ihre Lizenz wurde verlängert\n\nGuten Tag Ada Example,")
    html = run(config, "preview", "offers", "--language", "de", "--html").output
    assert html.startswith("<!DOCTYPE html>")
    assert "Angebote abbestellen" in html
    (folder / "mail" / "offers.spring.de.txt.j2").write_text("Subject: Frühling\n\n{{ offers[0].campaign }}\n")
    assert run(config, "preview", "offers", "--language", "de", "--campaign", "spring").output == (
        "Subject: Frühling\n\nspring\n"
    )
    refused = run(config, "preview", "offers", "--language", "de", "--campaign", "spring", "--html")
    assert isinstance(refused.exception, SettingsError)
    assert "there are expiring, extended," in run(config, "preview", "nothing").output.replace("\n", " ").replace(
        "│", ""
    )
    (folder / "mail" / "extended.en.txt.j2").write_text("Subject: x\n\n{{ nothing }}")
    wrong = run(config, "preview", "extended")
    assert isinstance(wrong.exception, TemplateInvalid)
    assert "extended.en.txt.j2 line 3" in str(wrong.exception)


async def test_a_test_is_sent_to_an_address_that_stands_on_no_command_line(config):
    async with smtp_started(SmtpReceiver()) as receiver:
        config.write_text(config.read_text().replace("mail_port = 1", f"mail_port = {receiver.port}"))
        sent = await asyncio.to_thread(run, config, "send-test", "--language", "de")
        assert "has taken the mail" in sent.output
        assert [mail.recipients for mail in receiver.arrived] == [[TO]]
        assert receiver.arrived[0].message["Subject"] == "Ein Test"
    refused = await asyncio.to_thread(run, config, "send-test")
    assert isinstance(refused.exception, SettingsError)
    assert "the mail was not taken" in str(refused.exception)
    wrong = await asyncio.to_thread(run, config, "send-test", given="nobody\n")
    assert isinstance(wrong.exception, AddressInvalid)


def test_a_consent_is_recorded_shown_suppressed_lifted_and_forgotten(config):
    assert "recorded" in run(config, "consent", "add", "--source", "fair", "--group", "edu", "--by", "Support").output
    (listed,) = json.loads(run(config, "consent", "list", "--json").output)
    assert (listed["address"], listed["customer_group"], listed["source"], listed["recorded_by"]) == (
        TO, "edu", "fair", "Support",
    )  # fmt: skip
    assert TO in run(config, "consent", "list").output
    assert "consent of" in run(config, "consent", "show").output
    assert "suppressed" in run(config, "suppress", "--reason", "unsubscribe").output
    shown = run(config, "consent", "show", "--json").stdout
    shown = json.loads(shown[shown.index("{") :])  # the runner writes what was typed, too
    assert shown["consent"] is None
    assert [row["reason"] for row in shown["suppressions"]] == ["unsubscribe"]
    again = run(config, "consent", "add", "--source", "old form", "--given-at", "2020-01-01")
    assert "not recorded: a newer consent or a later unsubscribing" in again.output
    assert "1 suppressions lifted" in run(config, "lift").output
    assert "recorded" in run(config, "consent", "add", "--source", "old form", "--given-at", "2020-01-01").output
    assert "forgotten" in run(config, "forget").output
    assert "nothing was known" in run(config, "forget").output
    actions = CliRunner().invoke(app, ["audit", "list", "--config", str(config), "--json"]).output
    assert {"RecordConsent", "SuppressAddress", "LiftSuppressions", "ForgetAddress"} <= {
        row["action"] for row in json.loads(actions)
    }
    assert TO not in actions


async def test_bounces_are_read_from_a_file_and_from_standard_input(config, tmp_path):
    settings = load_settings(config)
    async with opened_core(settings) as core:
        message_id = message_ids(settings, core.vault).of("id", TO)
    notice = (
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        f"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns;x\n\n"
        f"Final-Recipient: rfc822;{TO}\nAction: failed\nStatus: 5.1.1\n\n"
        f"--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: {message_id}\n\n--b--\n"
    )
    file = tmp_path / "bounces"
    file.write_text(f"From x Sat Jan  2 00:00:00 2027\n{notice}\nFrom x Sat Jan  2 00:00:00 2027\nSubject: Hi\n\nHi\n")
    counted = await asyncio.to_thread(run, config, "bounces", file, "--json")
    assert json.loads(counted.output) == {
        "bounced": 1, "complained": 0, "failed for now": 0, "not ours": 0, "no notice": 1,
    }  # fmt: skip
    piped = await asyncio.to_thread(run, config, "bounces", "-", given=notice)
    assert piped.output == "1 bounced, 0 complained, 0 failed for now, 0 not ours, 0 no notice\n"
    shown = await asyncio.to_thread(run, config, "consent", "show")
    assert "suppressed by bounce" in shown.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('mail_server = "h"\n', "mail_from belong together"),
        ('mail_server = "h"\nmail_from = "a@b.c"\n', "needs public_url"),
        ('mail_from = "nobody"\n', "mail_from"),
        ('mail_from = "a@b.c\\nBcc: x@y.z"\n', "mail_from"),
        (MAIL.format(port=25) + 'mail_user = "u"\n', "mail_password_file belong together"),
        (MAIL.format(port=25) + 'mail_user = "u"\nmail_password_file = "p"\n', "could be read on the way"),
        ("reminder_days = [30, 7]\n", "reminder_days needs mail_server"),
        ('reminder_days = [30]\nreminder_to = "crm"\n', "needs webhook_url"),
        (MAIL.format(port=25) + "reminder_days = [7, 7]\n", "different numbers of days"),
        (MAIL.format(port=25) + "reminder_days = [0]\n", "different numbers of days"),
    ],
)
def test_settings_that_do_not_fit_are_refused_with_their_name(tmp_path, text, said):
    path = tmp_path / "opendepot.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=said):
        load_settings(path)


def test_a_password_is_read_from_a_file_that_nobody_else_can_read(tmp_path):
    path = tmp_path / "password"
    path.write_text("correct horse\n")
    path.chmod(0o600)
    assert read_password(path) == "correct horse"
    for wrong in ("", "two\nlines\n"):
        path.write_text(wrong)
        with pytest.raises(SettingsError, match="one line"):
            read_password(path)
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        read_password(path)
    with pytest.raises(SettingsError, match="cannot read"):
        read_password(tmp_path / "none")
