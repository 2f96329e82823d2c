"""Settings of mails to customers, and of reminders."""

from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator

from server.settings.kinds import Group, Mailbox


class MailSecurity(StrEnum):
    """How the connection to the SMTP server is kept secret."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


class ReminderTarget(StrEnum):
    """Who is told of licences that expire."""

    CUSTOMER = "customer"
    CRM = "crm"
    BOTH = "both"


class MailSettings(Group):
    """Mails and reminders."""

    mail_server: str | None = Field(
        default=None, description="The SMTP server that mails to customers are handed to. Left out: no mail is sent."
    )
    mail_port: int | None = Field(
        default=None, ge=1, le=65535, description="Its port. Left out: 587 for starttls, 465 for tls, 25 for none."
    )
    mail_security: MailSecurity = Field(
        default=MailSecurity.STARTTLS,
        description="starttls: TLS is begun on a plain connection, and nothing is sent where the server has none; tls: "
        "the connection is TLS from its first byte; none: plain, for a server on this machine.",
    )
    mail_authorities_file: Path | None = Field(
        default=None,
        description="PEM file with the certificates of those who certify the SMTP server. Left out: the system's.",
    )
    mail_user: str | None = Field(default=None, description="The name to log in with at the SMTP server.")
    mail_password_file: Path | None = Field(
        default=None, description="File with the password to log in with at the SMTP server."
    )
    mail_from: Mailbox | None = Field(
        default=None, description="Who mails come from, such as `Example Ltd <licences@example.com>`."
    )
    mail_reply_to: Mailbox | None = Field(
        default=None, description="Where answers to mails go. Left out: to mail_from."
    )
    mail_return_path: Mailbox | None = Field(
        default=None, description="Where bounces go, an address. Left out: that of mail_from."
    )
    mail_templates: Path | None = Field(
        default=None,
        description="Folder with templates of mails that take the place of those that are shipped, file by file.",
    )
    mail_seconds: float = Field(
        default=30.0, gt=0, le=300, description="Time for the SMTP server to take a mail, in seconds."
    )
    mail_attempts: int = Field(
        default=20, ge=1, le=100, description="How often a mail is tried before it is given up, as webhook_attempts."
    )
    reminder_days: tuple[int, ...] = Field(
        default=(),
        description="Days before the expiry of a licence at which it is told, such as [30, 7]; once each. Left out: "
        "never.",
    )
    reminder_to: ReminderTarget = Field(
        default=ReminderTarget.CUSTOMER,
        description="Who is reminded of what expires: customer (by mail), crm (by webhook), or both.",
    )

    @field_validator("reminder_days")
    @classmethod
    def _reminder_days_are_days(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 1 <= days <= 3650 for days in value) or len(set(value)) != len(value):
            raise ValueError("must be different numbers of days from 1 to 3650, such as [30, 7]")
        return value

    @model_validator(mode="after")
    def _mail_is_whole(self) -> Self:
        if (self.mail_server is None) != (self.mail_from is None):
            raise ValueError("mail_server and mail_from belong together")
        if (self.mail_user is None) != (self.mail_password_file is None):
            raise ValueError("mail_user and mail_password_file belong together")
        if self.mail_user is not None and self.mail_security is MailSecurity.NONE:
            raise ValueError("mail_user needs mail_security starttls or tls, or the password could be read on the way")
        return self
