"""Every option of the server, declared once: name, type, default, meaning. `docs/reference/settings.md` is made of it.

A value comes from the first of: the command line, the environment (`OPENDEPOT_...`), the TOML file, the default.
A secret is given by a file: `pepper_file` in TOML or `OPENDEPOT_PEPPER_FILE`. What systemd hands over by
LoadCredential, such as `pepper` or `sealing-key`, is found in $CREDENTIALS_DIRECTORY and goes before the TOML file.
Relative paths in the TOML file start at its folder.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from email.headerregistry import Address
from email.utils import parseaddr
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from ipfilters import AddressRefused, Severity, lint_proxies, parse_network
from licensing.announcing import Kind
from licensing.errors import AddressInvalid
from licensing.marketing.addresses import read_address
from observe import LogFormat
from server.errors import SettingsError
from server.http.head import HeadLimits
from server.http.keeper import ConnectionLimits
from server.security.wssecurity.answers import SignAnswers
from storage.records import AccessPolicy
from xmlgate import Limits

ENVIRONMENT_PREFIX = "OPENDEPOT_"
OF_CLIENTS = frozenset({"OPENDEPOT_CONFIG", "OPENDEPOT_URL", "OPENDEPOT_API_KEY", "OPENDEPOT_API_KEY_FILE"})
"""Names with that prefix that say where a client finds a server; they may stand in the same shell."""
_TOML = "toml_values"
_FILES = (Path, Path | None)

LINGERING_SECONDS = 2.0
"""How long the rest of a refused body is read, so that the client sees the fault and not a reset connection."""


class ServiceName(StrEnum):
    """A SOAP service that may be served."""

    SALES = "sales"
    DEPOT = "depot"
    OZOMM = "ozomm"


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


class Settings(BaseSettings):
    """The options of one server process."""

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT_PREFIX, extra="forbid", frozen=True)

    database: str = Field(
        default="opendepot.sqlite3",
        description="The SQLite file, or a PostgreSQL database such as "
        "postgresql://opendepot@db.example.com/opendepot?sslmode=verify-full. Its password stands in a file: "
        "add passfile=/path/to/pgpass to the address.",
    )
    pepper_file: Path = Field(
        default=Path("secrets/pepper"),
        description="File with 32 random bytes that keyed hashes of tickets and API keys are made with. "
        "Losing it makes every ticket and key unknown.",
    )
    sealing_key_file: Path = Field(
        default=Path("secrets/sealing-key"),
        description="File with 32 random bytes that tickets, answers and the Firm Security Box are encrypted with.",
    )
    firm_security_box_file: Path = Field(
        default=Path("secrets/firm-security-box"),
        description="File with the sealed keys that sign update files.",
    )
    journal: Path | None = Field(
        default=None,
        description="File on another disk than the database's, to which what containers are told is appended before "
        "it is sent, so that `opendepot journal replay` can bring it back after a restore. Left out: none is kept.",
    )
    host: str = Field(default="127.0.0.1", description="Address that the SOAP services listen on.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port of the SOAP services; 0 takes a free one.")
    admin_host: str = Field(
        default="127.0.0.1", description="Address of the admin listener: /healthz, /readyz, /metrics. Keep it inside."
    )
    admin_port: int = Field(default=8081, ge=0, le=65535, description="Port of the admin listener; 0 takes a free one.")
    public_url: str | None = Field(
        default=None,
        description="Where clients reach the SOAP services, such as https://licences.example.com; it stands in the "
        "WSDL. Left out: http:// with host and port.",
    )
    collect_url: str | None = Field(
        default=None,
        description="The page where licensees collect, with {ticket} where the ticket goes; it stands in the answers "
        "to orders. Put it behind a # so that no proxy logs it.",
    )
    page_sends: bool = Field(
        default=False,
        description="Let the page for people, which a browser shows at the address of a service, send messages. For "
        "sandboxes.",
    )
    update_link_seconds: int | None = Field(
        default=None,
        ge=60,
        le=30 * 24 * 3600,
        description="For how long an update file can also be fetched by GET, under an address that answers of "
        "GetLicenseUpdate then hold. Left out: they hold none.",
    )
    max_body_bytes: int = Field(default=256 * 1024, ge=1024, description="Greatest body of a request, in bytes.")
    max_orders_body_bytes: int = Field(
        default=4 * 1024 * 1024,
        ge=1024,
        description="Greatest body of CreateOrders, in bytes. One that is larger than max_body_bytes is read only from "
        "whom its HTTP head identifies: an API key, a client certificate or, where that is enough, the address.",
    )
    max_orders_elements: int = Field(
        default=100_000, ge=100, description="Most elements in a message of CreateOrders, and most attributes."
    )
    max_depth: int = Field(default=32, ge=8, le=255, description="Greatest depth of elements.")
    max_elements: int = Field(default=20_000, ge=100, description="Most elements in a message, and most attributes.")
    max_attributes: int = Field(default=64, ge=8, description="Most attributes on one element.")
    max_namespaces: int = Field(default=64, ge=8, description="Most namespace declarations in scope.")
    max_name_bytes: int = Field(default=256, ge=64, description="Longest name of an element or attribute, in bytes.")
    max_head_bytes: int = Field(
        default=16 * 1024, ge=1024, le=1024 * 1024, description="Greatest head of an HTTP request, in bytes."
    )
    max_head_fields: int = Field(default=64, ge=8, le=1000, description="Most fields in the head of an HTTP request.")
    max_connections: int = Field(default=10_000, ge=1, description="Most connections of a worker at a time.")
    max_connections_per_address: int = Field(
        default=1_000,
        ge=1,
        description="Most connections of one client address at a time (IPv6: of one /64), in each worker. Proxies "
        "that do not send PROXY protocol count as one client.",
    )
    max_requests_per_connection: int = Field(
        default=100_000, ge=1, description="Most requests on one connection; the last answer closes it."
    )
    header_seconds: float = Field(
        default=5.0, gt=0, description="Time for a request's head to arrive, and for the first one of a connection."
    )
    body_seconds: float = Field(
        default=10.0,
        gt=0,
        description="Time for a request's body to arrive, in seconds. What arrives at the minimum rate gets longer.",
    )
    minimum_rate: int = Field(
        default=1024,
        ge=1,
        description="Bytes a second that a body must arrive with, and an answer be taken with, once their time is up.",
    )
    exchange_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Time from a request's first byte until its answer is ready; after it the caller is told to retry.",
    )
    idle_seconds: float = Field(default=30.0, gt=0, description="Time that a connection may be idle, in seconds.")
    message_seconds: float = Field(
        default=300.0,
        gt=0,
        le=86_400,
        description="How old a message with a WS-Security header block may be, by its Created, in seconds.",
    )
    message_skew_seconds: float = Field(
        default=60.0,
        ge=0,
        le=3_600,
        description="How far the clock of who sends such a message may differ from the server's, in seconds.",
    )
    signing_certificate_file: Path | None = Field(
        default=None,
        description="PEM file with the certificate that clients verify signed answers with; RSA of 2048 bits or more, "
        "or P-256. Left out: answers are not signed.",
    )
    signing_key_file: Path | None = Field(default=None, description="PEM file with the key of that certificate.")
    sign_answers: SignAnswers = Field(
        default=SignAnswers.SIGNED,
        description="Which answers and faults are signed: signed (those to signed requests) or all. Answers that are "
        "streamed never are; what is in them is signed itself.",
    )
    tls_certificate_file: Path | None = Field(
        default=None,
        description="PEM file with the server's certificate and those that lead to its root. With it the SOAP "
        "services speak TLS 1.2 or later, and nothing else.",
    )
    tls_key_file: Path | None = Field(default=None, description="PEM file with the key of that certificate.")
    tls_client_authorities_file: Path | None = Field(
        default=None,
        description="PEM file with the certificates of those who may certify clients. With it a client certificate is "
        "asked for and, if one is sent, verified.",
    )
    tls_ask_client_certificate: bool = Field(
        default=False,
        description="Ask for a client certificate, so that shops can prove themselves by one that they have "
        "registered (`opendepot shop add-certificate`).",
    )
    tls_client_certificate_required: bool = Field(
        default=False, description="Let nobody in without a client certificate."
    )
    client_certificate_header: str | None = Field(
        default=None,
        description="Header in which a trusted proxy that ends TLS tells the client certificate it has verified, such "
        "as Client-Cert (RFC 9440); Base64 of DER, or PEM with percent signs. Left out: none is believed.",
    )
    handshake_seconds: float = Field(default=5.0, gt=0, description="Time for a TLS handshake, in seconds.")
    proxy_protocol_from: tuple[str, ...] = Field(
        default=(),
        description="Networks, such as 10.0.0.0/28, of proxies that send PROXY protocol version 2. With it nobody "
        "else can connect. For plain listeners only: put TLS at the proxy.",
    )
    trusted_proxies: tuple[str, ...] = Field(
        default=(),
        description="Networks, such as 10.0.0.0/28, of proxies whose forwarding header is believed.",
    )
    trust_every_proxy: bool = Field(
        default=False,
        description="Confirms trusted_proxies that take in everybody: any client can then say to be anyone.",
    )
    forwarded_header: str = Field(
        default="x-forwarded-for",
        pattern=r"^[A-Za-z0-9-]+$",
        description="The one header in which a trusted proxy names the client: Forwarded is read by RFC 7239, any "
        "other as a list of addresses. No other header is ever looked at.",
    )
    filter_files: tuple[Path, ...] = Field(
        default=(),
        description="TOML files with IP filter rules, beside those in the database; docs/explanation/ip-filters.md has "
        "the format. A change is taken up by itself.",
    )
    guess_limit: int = Field(
        default=10,
        ge=1,
        description="Wrong tickets or credentials that one address (IPv6: one /64) may send in guess_period_seconds, "
        "over all workers and nodes; after that its requests are heard one at a time, slowly.",
    )
    guess_period_seconds: float = Field(
        default=600.0, ge=1, le=86_400, description="Time in which so many guesses are forgotten, in seconds."
    )
    guess_delay_seconds: float = Field(
        default=2.0, ge=0, le=30, description="How long a request waits that comes after too many guesses, in seconds."
    )
    admin_soap_host: str = Field(
        default="127.0.0.1", description="Address that the Admin interface (SOAP) listens on. Keep it inside."
    )
    admin_soap_port: int | None = Field(
        default=None, ge=0, le=65535, description="Port of the Admin interface; 0 takes a free one. Left out: none."
    )
    admin_policy: AccessPolicy = Field(
        default=AccessPolicy.CREDENTIAL,
        description="What lets somebody use the Admin interface: credential, or ip AND credential.",
    )
    workers: int = Field(
        default=1,
        ge=0,
        le=256,
        description="Worker processes under a supervisor that replaces dead ones. One for each core that the server "
        "may use is right. 0: serve in one process, without a supervisor.",
    )
    hang_seconds: float = Field(
        default=30.0, gt=1, description="A worker that is stuck for so long is killed and replaced, in seconds."
    )
    drain_seconds: float = Field(
        default=10.0, gt=0, description="Time that running exchanges get when the server is asked to stop, in seconds."
    )
    writer_queue: int = Field(
        default=1024,
        ge=1,
        description="Most commands that may wait for the database; beyond it callers are told to retry.",
    )
    reader_count: int = Field(
        default=4, ge=1, le=256, description="Most queries that a worker has running in the database at the same time."
    )
    busy_seconds: float = Field(
        default=5.0,
        gt=0,
        description="Time that a transaction waits for what another process or node holds, in seconds; beyond it "
        "callers are told to retry.",
    )
    statement_cache_size: int = Field(
        default=256,
        ge=0,
        description="Prepared statements that a connection to PostgreSQL keeps. Set it to 0 behind a pooler that lends "
        "connections for single transactions and does not follow prepared statements.",
    )
    webhook_url: str | None = Field(
        default=None,
        description="Where orders placed and licences collected are told to, by HTTP POST in the form of Standard "
        "Webhooks, such as https://erp.example.com/opendepot. It holds no secret. Left out: nowhere.",
    )
    webhook_secret_file: Path | None = Field(
        default=None,
        description="File with the secret that signs webhooks: whsec_ and the Base64 of 24 to 64 random bytes.",
    )
    webhook_events: tuple[Kind, ...] = Field(
        default=tuple(Kind),
        description="What is told: order.placed, order.cancelled, license.collected, license.withdrawn, "
        "license.replaced, license.expiring (see reminder_days).",
    )
    webhook_seconds: float = Field(
        default=15.0, gt=0, le=300, description="Time for the receiver to take a webhook, in seconds."
    )
    webhook_attempts: int = Field(
        default=20,
        ge=1,
        le=100,
        description="How often a webhook is tried before it is given up; 20 tries take two to three days.",
    )
    services: tuple[ServiceName, ...] = Field(
        default=tuple(ServiceName),
        min_length=1,
        description="What is served at the SOAP address: sales, depot, ozomm. For OZOMM on a computer of its own: "
        '["ozomm"].',
    )
    ozomm_file: Path | None = Field(
        default=None,
        description="TOML file that says which CRM or ERP system decides about extensions of which items; "
        "docs/how-to/connect-your-crm.md has the format. Left out: no item is extended.",
    )
    ozomm_url: str | None = Field(
        default=None,
        description="Where OZOMM runs on another computer, such as https://ozomm.example.com; extensions that are "
        "asked of this server are passed on to it. Left out: it runs here.",
    )
    ozomm_central_url: str | None = Field(
        default=None,
        description="For OZOMM on a computer of its own: the server whose Sales and Depot it uses. Left out: this one.",
    )
    ozomm_api_key_file: Path | None = Field(
        default=None,
        description="File with the API key of OZOMM's shop at that server, which needs the rights order and "
        "extend-any.",
    )
    ozomm_authorities_file: Path | None = Field(
        default=None,
        description="PEM file with the certificates of those who certify the server that ozomm_url or "
        "ozomm_central_url names. Left out: the system's.",
    )
    ozomm_certificate_file: Path | None = Field(
        default=None,
        description="PEM file with the certificate by which this server proves itself there. With it OnBehalfOf tells "
        "there who asks, which needs the right front.",
    )
    ozomm_key_file: Path | None = Field(default=None, description="PEM file with the key of that certificate.")
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
    mail_from: str | None = Field(
        default=None, description="Who mails come from, such as `Example Ltd <licences@example.com>`."
    )
    mail_reply_to: str | None = Field(default=None, description="Where answers to mails go. Left out: to mail_from.")
    mail_return_path: str | None = Field(
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
    retention_days: int | None = Field(
        default=None,
        ge=1,
        description="Days after which the personal data of an order is erased; a repetition of its transactionId is "
        "then answered Erased. Left out: never.",
    )
    validate_answers: bool = Field(
        default=False, description="Check every answer against the schema before it leaves. For tests and debugging."
    )
    log_format: LogFormat = Field(default=LogFormat.JSON, description="json: one object a line; text: for people.")

    @field_validator("public_url", "ozomm_url", "ozomm_central_url")
    @classmethod
    def _public_url_is_an_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(
                "must be http:// or https:// with a host, without query, such as https://licences.example.com"
            )
        return value.rstrip("/")

    @field_validator("webhook_url")
    @classmethod
    def _webhook_url_is_an_address(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)
            wrong = parts.query or parts.fragment or "@" in parts.netloc
            if parts.scheme not in {"http", "https"} or not parts.hostname or wrong:
                # Settings are shown to workers, and so to whoever lists the processes of the machine.
                raise ValueError(
                    "must be http:// or https:// with a host, without query and password; "
                    "the signature tells the receiver who sends"
                )
        return value

    @field_validator("database")
    @classmethod
    def _database_tells_no_password(cls, value: str) -> str:
        if _is_address(value):
            address = urlsplit(value)
            if address.password is not None or "password=" in address.query:
                # Settings are shown to workers, and so to whoever lists the processes of the machine.
                raise ValueError("must not hold a password; put it into a file and add ?passfile=/path/to/pgpass")
        return value

    @field_validator("collect_url")
    @classmethod
    def _collect_url_holds_the_ticket(cls, value: str | None) -> str | None:
        if value is not None and value.count("{ticket}") != 1:
            raise ValueError("must hold {ticket} once, such as https://shop.example.com/collect#{ticket}")
        return value

    @field_validator("proxy_protocol_from")
    @classmethod
    def _proxies_are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            try:
                ip_network(text)
            except ValueError as error:
                raise ValueError(f"{error}; write a network such as 10.0.0.0/28 or an address") from None
        return value

    @field_validator("admin_policy")
    @classmethod
    def _administrators_have_a_credential(cls, value: AccessPolicy) -> AccessPolicy:
        if value not in {AccessPolicy.CREDENTIAL, AccessPolicy.IP_AND_CREDENTIAL}:
            raise ValueError("must be credential or ip AND credential: an address does not say who it is")
        return value

    @field_validator("forwarded_header", "client_certificate_header")
    @classmethod
    def _header_in_small_letters(cls, value: str | None) -> str | None:
        return None if value is None else value.lower()

    @model_validator(mode="after")
    def _proxies_are_not_everybody(self) -> Self:
        try:
            networks = [parse_network(text) for text in self.trusted_proxies]
        except AddressRefused as refused:
            raise ValueError(f"trusted_proxies: {refused.message}") from None
        errors = [finding.message for finding in lint_proxies(networks) if finding.severity is Severity.ERROR]
        if errors and not self.trust_every_proxy:
            raise ValueError(
                f"trusted_proxies: {errors[0]}; list the proxies alone, or confirm with trust_every_proxy = true"
            )
        return self

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise ValueError("tls_certificate_file and tls_key_file belong together")
        if self.tls_certificate_file is None and self.tls_client_authorities_file is not None:
            raise ValueError("tls_client_authorities_file needs tls_certificate_file")
        if self.tls_ask_client_certificate and self.tls_certificate_file is None:
            raise ValueError("tls_ask_client_certificate needs tls_certificate_file")
        asked = self.tls_ask_client_certificate or self.tls_client_authorities_file is not None
        if self.tls_client_certificate_required and not asked:
            raise ValueError(
                "tls_client_certificate_required needs tls_client_authorities_file or tls_ask_client_certificate"
            )
        if self.tls_certificate_file is not None and self.proxy_protocol_from:
            raise ValueError("proxy_protocol_from is for plain listeners only; put TLS at the proxy")
        return self

    @model_validator(mode="after")
    def _webhook_is_whole(self) -> Self:
        if (self.webhook_url is None) != (self.webhook_secret_file is None):
            raise ValueError("webhook_url and webhook_secret_file belong together")
        return self

    @field_validator("mail_from", "mail_reply_to", "mail_return_path")
    @classmethod
    def _mail_addresses_are_addresses(cls, value: str | None) -> str | None:
        if value is not None:
            mailbox(value)
        return value

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
        if self.mail_server is not None and self.public_url is None:
            raise ValueError("mail_server needs public_url: mails hold the address of the page to unsubscribe")
        if (self.mail_user is None) != (self.mail_password_file is None):
            raise ValueError("mail_user and mail_password_file belong together")
        if self.mail_user is not None and self.mail_security is MailSecurity.NONE:
            raise ValueError("mail_user needs mail_security starttls or tls, or the password could be read on the way")
        return self

    @model_validator(mode="after")
    def _reminders_reach_somebody(self) -> Self:
        to_customer = self.reminder_to is not ReminderTarget.CRM
        to_crm = self.reminder_to is not ReminderTarget.CUSTOMER
        if self.reminder_days and to_customer and self.mail_server is None:
            raise ValueError("reminder_days needs mail_server, or reminder_to = 'crm'")
        if self.reminder_days and to_crm and self.webhook_url is None:
            raise ValueError("reminder_to = 'crm' needs webhook_url")
        return self

    @model_validator(mode="after")
    def _ozomm_is_whole(self) -> Self:
        if (self.ozomm_central_url is None) != (self.ozomm_api_key_file is None):
            raise ValueError("ozomm_central_url and ozomm_api_key_file belong together")
        if (self.ozomm_certificate_file is None) != (self.ozomm_key_file is None):
            raise ValueError("ozomm_certificate_file and ozomm_key_file belong together")
        known_by = self.ozomm_authorities_file or self.ozomm_certificate_file
        if known_by is not None and self.ozomm_url is None and self.ozomm_central_url is None:
            raise ValueError(
                "ozomm_authorities_file and ozomm_certificate_file are for another computer: name it by ozomm_url or "
                "ozomm_central_url"
            )
        if self.ozomm_url is not None and (self.ozomm_file is not None or self.ozomm_central_url is not None):
            raise ValueError("ozomm_url names another computer: ozomm_file and ozomm_central_url belong there")
        return self

    @model_validator(mode="after")
    def _listeners_differ(self) -> Self:
        if self.port == self.admin_port != 0 and self.host == self.admin_host:
            raise ValueError("admin_port must differ from port")
        return self

    @property
    def xml_limits(self) -> Limits:
        """The limits of one message (design section 10)."""
        return Limits(
            max_bytes=self.max_body_bytes,
            depth=self.max_depth,
            elements=self.max_elements,
            attributes=self.max_attributes,
            namespaces=self.max_namespaces,
            name_bytes=self.max_name_bytes,
        )

    @property
    def update_link_lifetime(self) -> timedelta | None:
        """How long links to update files hold; None: none are made."""
        return None if self.update_link_seconds is None else timedelta(seconds=self.update_link_seconds)

    @property
    def own_limits(self) -> Mapping[str, Limits]:
        """The limits of messages that may be larger than others, by operation."""
        limits = self.xml_limits
        return {
            "CreateOrders": replace(
                limits,
                max_bytes=max(self.max_orders_body_bytes, limits.max_bytes),
                elements=max(self.max_orders_elements, limits.elements),
            )
        }

    @property
    def connection_limits(self) -> ConnectionLimits:
        """The limits of connections (design section 10)."""
        return ConnectionLimits(
            head=HeadLimits(head_bytes=self.max_head_bytes, fields=self.max_head_fields),
            header_seconds=self.header_seconds,
            body_seconds=self.body_seconds,
            idle_seconds=self.idle_seconds,
            exchange_seconds=self.exchange_seconds,
            linger_seconds=min(LINGERING_SECONDS, self.body_seconds),
            bytes_a_second=self.minimum_rate,
            requests=self.max_requests_per_connection,
            connections=self.max_connections,
            connections_an_address=self.max_connections_per_address,
        )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: command line, environment, then the TOML file that `load_settings` has read."""
        assert isinstance(init_settings, InitSettingsSource)  # noqa: S101  tells the type checker
        given = dict(init_settings.init_kwargs)
        toml = given.pop(_TOML, {})
        return (
            InitSettingsSource(settings_cls, given),
            env_settings,
            InitSettingsSource(settings_cls, _service_credentials()),
            InitSettingsSource(settings_cls, toml),
        )


def load_settings(config: Path | None, **command_line: Any) -> Settings:
    """Read the settings; `command_line` values that are None were not given.

    Raises SettingsError, which names every wrong setting, where it stands and what is allowed.
    """
    given = {name: value for name, value in command_line.items() if value is not None}
    unknown = sorted(
        name
        for name in os.environ
        if name.startswith(ENVIRONMENT_PREFIX)
        and name not in OF_CLIENTS
        and name.removeprefix(ENVIRONMENT_PREFIX).lower() not in Settings.model_fields
    )
    if unknown:
        raise SettingsError(f"no such setting: {', '.join(unknown)}; see docs/reference/settings.md")
    toml = {} if config is None else _read_toml(config)
    try:
        values: dict[str, Any] = {**given, _TOML: toml}
        return Settings(**values)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'settings'}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise SettingsError(f"{config or 'environment'}: {problems}") from None


def _service_credentials() -> dict[str, Any]:
    """Give the files that the service manager hands over (systemd.exec(5), LoadCredential): pepper, sealing-key, ..."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return {}
    files = {
        name: Path(folder) / name.removesuffix("_file").replace("_", "-")
        for name, field in Settings.model_fields.items()
        if name.endswith("_file") and field.annotation in _FILES
    }
    return {name: path for name, path in files.items() if path.is_file()}


def _read_toml(config: Path) -> Mapping[str, Any]:
    try:
        found = tomllib.loads(config.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read {config}: {error.strerror}; `opendepot init DIR` makes one") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{config}: {error}") from None
    for name, field in Settings.model_fields.items():
        value = found.get(name)
        is_file = field.annotation in _FILES or (name == "database" and not _is_address(str(value)))
        if is_file and isinstance(value, str):
            found[name] = str(config.parent / value)
        if field.annotation == tuple[Path, ...] and isinstance(value, list):
            found[name] = [str(config.parent / path) if isinstance(path, str) else path for path in value]
    return found


def mailbox(value: str) -> Address:
    """Read a sender such as `Example Ltd <licences@example.com>`. Raises ValueError."""
    name, address = parseaddr(value)
    try:
        return Address(display_name=name, addr_spec=read_address(address))
    except AddressInvalid as error:
        raise ValueError(error.message) from None


def _is_address(database: str) -> bool:
    return "://" in database
