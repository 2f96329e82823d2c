"""The dispatcher of mails, put together from the settings."""

import ssl
from pathlib import Path
from secrets import SystemRandom

from licensing.vault import Vault
from server.app import Application
from server.core import Core, utc_now
from server.errors import SettingsError
from server.mail.composing import Composer, MessageIds
from server.mail.templates import MailTemplates
from server.outbox.dispatcher import Backoff, Dispatcher
from server.outbox.mail import MailChannel, SmtpServer
from server.private_files import open_to_others
from server.settings import MailSecurity, Settings, mailbox

PORTS = {MailSecurity.STARTTLS: 587, MailSecurity.TLS: 465, MailSecurity.NONE: 25}
MOST_PASSWORD = 1024


def mails(settings: Settings, core: Core, application: Application) -> Dispatcher:
    """Give what delivers mails. Raises SettingsError."""
    channel = MailChannel(
        server=smtp_server(settings),
        composer=composer(settings, core),
        book=core.addresses,
        storage=core.storage,
        clock=utc_now,
        events=application.events,
        metrics=application.metrics,
    )
    return Dispatcher(
        storage=core.storage,
        vault=core.vault,
        channel=channel,
        backoff=Backoff(attempts=settings.mail_attempts, random=SystemRandom().random),
        clock=utc_now,
        owner=core.owner,
        events=application.events,
        metrics=application.metrics,
    )


def smtp_server(settings: Settings) -> SmtpServer:
    """Give the server that mails are handed to. Raises SettingsError."""
    if settings.mail_server is None or settings.mail_from is None:
        raise SettingsError("mail_server, mail_from: name the SMTP server and the sender to send mails")
    return SmtpServer(
        host=settings.mail_server,
        port=settings.mail_port or PORTS[settings.mail_security],
        security=settings.mail_security,
        tls=_tls(settings.mail_authorities_file),
        user=settings.mail_user,
        password=None if settings.mail_password_file is None else read_password(settings.mail_password_file),
        return_path=mailbox(settings.mail_return_path or settings.mail_from).addr_spec,
        seconds=settings.mail_seconds,
    )


def composer(settings: Settings, core: Core) -> Composer:
    """Give what composes mails. Raises SettingsError."""
    if settings.mail_from is None or settings.public_url is None:
        raise SettingsError("mail_from, public_url: set them to compose mails")
    if settings.mail_templates is not None and not settings.mail_templates.is_dir():
        raise SettingsError(f"mail_templates: {settings.mail_templates} is no folder; make it, or leave it out")
    return Composer(
        sender=mailbox(settings.mail_from),
        reply_to=None if settings.mail_reply_to is None else mailbox(settings.mail_reply_to),
        public_url=settings.public_url,
        templates=MailTemplates(settings.mail_templates),
        book=core.addresses,
        ids=message_ids(settings, core.vault),
        clock=utc_now,
    )


def message_ids(settings: Settings, vault: Vault) -> MessageIds:
    """Give what makes and knows Message-IDs. Raises SettingsError."""
    if settings.mail_from is None:
        raise SettingsError("mail_from: set it; its domain stands in the Message-IDs of mails")
    return MessageIds(vault, domain=mailbox(settings.mail_from).domain)


def read_password(path: Path) -> str:
    """Read a password, one line. Raises SettingsError."""
    setting = "mail_password_file"
    try:
        if open_to_others(path):
            raise SettingsError(f"{setting}: {path} can be read by others; chmod 600 it")
        password = path.read_text(encoding="utf-8").rstrip("\n")
    except OSError as error:
        raise SettingsError(f"{setting}: cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        password = ""
    if not password or not password.isprintable() or len(password) > MOST_PASSWORD:
        raise SettingsError(f"{setting}: {path} must hold one line with the password")
    return password


def _tls(authorities: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=None if authorities is None else str(authorities))
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"mail_authorities_file: cannot use {authorities}: {error.strerror or error}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
