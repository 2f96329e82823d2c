"""`opendepot mail preview|send-test|bounces|consent|suppress|lift|forget`."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from licensing.marketing.addresses import KnownConsent
from licensing.marketing.mails import Mail, MailKind, MailLicense
from licensing.marketing.offers import Offer
from opendepot.cli.verbs import Verbs
from server.cli.common import ConfigOption, JsonOption, print_json, print_rows, with_config, with_core
from server.core import Core, utc_now
from server.errors import SettingsError
from server.settings import load_settings, mailbox
from storage.marketing import AddressView, Suppression

app = typer.Typer(no_args_is_help=True, help="Mails to customers: templates, consent, bounces.")
consent = typer.Typer(no_args_is_help=True, help="Who agreed to get offers.")
app.add_typer(consent, name="consent", cls=Verbs)

ACTOR = "cli"
LanguageOption = Annotated[str | None, typer.Option(help="The customer's language, such as de.", show_default=False)]
GivenOption = Annotated[
    datetime | None,
    typer.Option(
        "--given-at",
        formats=["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"],
        help="When, in UTC. Left out: now.",
        show_default=False,
    ),
]


@app.command()
def preview(
    template: Annotated[str, typer.Argument(metavar="TEMPLATE", help="Its name, such as extended or offers.")],
    language: LanguageOption = None,
    campaign: Annotated[
        str | None, typer.Option(help="The campaign whose own templates are looked for.", show_default=False)
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="Print the HTML.")] = False,  # noqa: FBT002  an option is named on the command line
    config: ConfigOption = None,
) -> None:
    """Print what a mail would look like, with made-up values. Nothing is sent."""
    from server.mail.templates import MailTemplates  # noqa: PLC0415  the other verbs need no templates

    settings = load_settings(config)
    templates = MailTemplates(settings.mail_templates)
    if template not in templates.names():
        raise typer.BadParameter(f"there is no template {template}; there are {', '.join(templates.names())}")
    mail = example(template, campaign)
    is_list = bool(mail.offers)
    rendered = templates.render(
        template,
        {
            "name": mail.name,
            "licenses": mail.licenses,
            "offers": mail.offers,
            "reason": mail.reason,
            "sender": mailbox(settings.mail_from or "Example Ltd <licences@example.com>").display_name,
            "unsubscribe_url": "https://licences.example.com/v1/mail/unsubscribe/TOKEN" if is_list else None,
        },
        language=language,
        campaign=campaign,
    )
    if html and rendered.html is None:
        raise SettingsError(f"the mail {template} has no HTML in {rendered.language}; its text is sent alone")
    typer.echo(rendered.html if html else f"Subject: {rendered.subject}\n\n{rendered.text}", nl=html)


def example(template: str, campaign: str | None) -> Mail:
    """Give a mail with made-up values."""
    offers = template == "offers" or campaign is not None
    return Mail(
        kind=MailKind.OFFERS if offers else MailKind.TEST,
        address="customer@example.org",
        name="Ada Example",
        licenses=(
            MailLicense(license_id="1", item_number="EDITOR", expires_at=utc_now() + timedelta(days=30)),
            MailLicense(license_id="2", item_number="PLUGIN"),
        ),
        offers=(
            Offer(
                campaign=campaign or "example",
                item_number="EDITOR-PRO",
                title="Editor Pro",
                text="At half the price.",
                url="https://example.com/pro",
            ),
        )
        if offers
        else (),
        reason="The maintenance contract has ended." if template in {"refused", "withdrawn"} else None,
    )


@app.command("send-test")
def send_test(language: LanguageOption = None, config: ConfigOption = None) -> None:
    """Send a mail now, to see that mails arrive. The address is asked for, or read from standard input."""
    from server.outbox.mail import hand_over  # noqa: PLC0415  the other verbs send nothing
    from server.outbox.posting import composer, smtp_server  # noqa: PLC0415  as above

    address = _asked()
    settings = load_settings(config)
    server = smtp_server(settings)

    async def run(core: Core) -> str | None:
        mail = Mail(kind=MailKind.TEST, address=address, language=language)
        composed = composer(settings, core).compose(mail, message_id=f"test-{utc_now():%Y%m%dT%H%M%S%f}")
        outcome = await hand_over(server, composed)
        return getattr(outcome, "reason", None)

    reason = with_core(settings, run)
    if reason is not None:
        raise SettingsError(f"the mail was not taken: {reason}; look at mail_server and what belongs to it")
    typer.echo("the SMTP server has taken the mail")


@app.command()
def bounces(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A mailbox file, a Maildir or one message; - for one on standard input."),
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  as above
) -> None:
    """Suppress the addresses that notices report: mails that did not arrive, and complaints."""
    from server.mail.bounces import Outcome, read_message, stored_messages, take_notices  # noqa: PLC0415  as above
    from server.outbox.posting import message_ids  # noqa: PLC0415  as above

    settings = load_settings(config)
    messages = [read_message(sys.stdin.buffer.read())] if str(file) == "-" else stored_messages(file)

    async def run(core: Core) -> dict[str, int]:
        counts = await take_notices(messages, book=core.addresses, ids=message_ids(settings, core.vault))
        return {outcome.value: counts.get(outcome, 0) for outcome in Outcome}

    counts = with_core(settings, run)
    if as_json:
        print_json(counts)
        return
    typer.echo(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))


@consent.command("add")
def consent_add(
    source: Annotated[str, typer.Option(help="Where it was given, such as 'form in the shop'. Name no person.")],
    given_at: GivenOption = None,
    group: Annotated[
        str | None, typer.Option(help="The customer's group, for the rules of campaigns.", show_default=False)
    ] = None,
    actor: Annotated[str, typer.Option("--by", help="Who says so.")] = ACTOR,
    config: ConfigOption = None,
) -> None:
    """Write down that somebody agreed to get offers. The address is asked for, or read from standard input."""
    address = _asked()
    moment = None if given_at is None else given_at.replace(tzinfo=UTC)
    recorded = with_config(
        config,
        lambda core: core.addresses.record_consent(
            address, source=source, actor=actor, given_at=moment, customer_group=group
        ),
    )
    typer.echo("recorded" if recorded else "not recorded: a newer consent or a later unsubscribing is known")


@consent.command("list")
def consent_list(
    limit: Annotated[int, typer.Option(min=1, help="Most consents.")] = 1000,
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  as above
) -> None:
    """List the consents, with their addresses."""
    found = with_config(config, lambda core: core.addresses.consents(limit=limit))
    print_rows(
        found,
        as_json=as_json,
        described=_described,
        line=lambda each: f"{each.address}  {each.given_at:%Y-%m-%d %H:%M:%S}  {each.source}  by {each.recorded_by}",
    )


@consent.command("show")
def consent_show(config: ConfigOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002  as above
    """Show what is known of an address, which is asked for, or read from standard input."""
    address = _asked()

    async def run(core: Core) -> tuple[AddressView, KnownConsent | None]:
        view = await core.addresses.view(address)
        return view, None if view.consent is None else core.addresses.opened(view.consent)

    view, known = with_config(config, run)
    if as_json:
        suppressed = [
            {"reason": row.reason, "at": row.at.isoformat(), "source": row.source} for row in view.suppressions
        ]
        print_json({"consent": None if known is None else _described(known), "suppressions": suppressed})
        return
    given = "no consent" if known is None else f"consent of {known.given_at:%Y-%m-%d}: {known.source}"
    typer.echo(given)
    for row in view.suppressions:
        typer.echo(f"suppressed by {row.reason} since {row.at:%Y-%m-%d}: {row.source}")


@app.command()
def suppress(
    reason: Annotated[Suppression, typer.Option(help="Why; a bounce stops every mail, the others stop offers.")],
    config: ConfigOption = None,
) -> None:
    """Send no more to an address, which is asked for, or read from standard input."""
    address = _asked()
    new = with_config(
        config,
        lambda core: core.addresses.suppress(core.addresses.lookup(address), reason, source=ACTOR, actor=ACTOR),
    )
    typer.echo("suppressed" if new else "it was suppressed before")


@app.command()
def lift(config: ConfigOption = None) -> None:
    """Let an address get mail again, which is asked for, or read from standard input. Offers need a new consent."""
    address = _asked()
    count = with_config(config, lambda core: core.addresses.lift(address, actor=ACTOR))
    typer.echo(f"{count} suppressions lifted")


@app.command()
def forget(config: ConfigOption = None) -> None:
    """Take away all that is known of an address, which is asked for, or read from standard input."""
    address = _asked()
    count = with_config(config, lambda core: core.addresses.forget(address, actor=ACTOR))
    typer.echo("forgotten" if count else "nothing was known of it")


def _asked() -> str:
    return str(typer.prompt("Address", err=True))


def _described(known: KnownConsent) -> dict[str, object]:
    return {
        "address": known.address,
        "customer_group": known.customer_group,
        "given_at": known.given_at.isoformat(),
        "source": known.source,
        "recorded_by": known.recorded_by,
    }
