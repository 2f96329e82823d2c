"""Settings of what is served, at which addresses, and by how many processes."""

from datetime import timedelta
from enum import StrEnum
from typing import Self

from pydantic import Field, field_validator, model_validator

from observe import LogFormat
from server.settings.kinds import BaseUrl, Group


class ServiceName(StrEnum):
    """A SOAP service that may be served."""

    SALES = "sales"
    DEPOT = "depot"
    OZOMM = "ozomm"


class ServingSettings(Group):
    """Addresses, services and processes."""

    services: tuple[ServiceName, ...] = Field(
        default=tuple(ServiceName),
        min_length=1,
        description="What is served at the SOAP address: sales, depot, ozomm. For OZOMM on a computer of its own: "
        '["ozomm"].',
    )
    host: str = Field(default="127.0.0.1", description="Address that the SOAP services listen on.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port of the SOAP services; 0 takes a free one.")
    public_url: BaseUrl | None = Field(
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
    admin_host: str = Field(
        default="127.0.0.1", description="Address of the admin listener: /healthz, /readyz, /metrics. Keep it inside."
    )
    admin_port: int = Field(default=8081, ge=0, le=65535, description="Port of the admin listener; 0 takes a free one.")
    admin_soap_host: str = Field(
        default="127.0.0.1", description="Address that the Admin interface (SOAP) listens on. Keep it inside."
    )
    admin_soap_port: int | None = Field(
        default=None, ge=0, le=65535, description="Port of the Admin interface; 0 takes a free one. Left out: none."
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
    validate_answers: bool = Field(
        default=False, description="Check every answer against the schema before it leaves. For tests and debugging."
    )
    remembered_shapes: int = Field(
        default=256,
        ge=0,
        le=10_000,
        description="How many shapes of messages each service remembers: a message that differs from one that was read "
        "before in plain values alone is then read in a fifth of the time. 0: every message goes the whole way.",
    )
    log_format: LogFormat = Field(default=LogFormat.JSON, description="json: one object a line; text: for people.")

    @field_validator("collect_url")
    @classmethod
    def _collect_url_holds_the_ticket(cls, value: str | None) -> str | None:
        if value is not None and value.count("{ticket}") != 1:
            raise ValueError("must hold {ticket} once, such as https://shop.example.com/collect#{ticket}")
        return value

    @model_validator(mode="after")
    def _listeners_differ(self) -> Self:
        if self.port == self.admin_port != 0 and self.host == self.admin_host:
            raise ValueError("admin_port must differ from port")
        return self

    @property
    def update_link_lifetime(self) -> timedelta | None:
        """How long links to update files hold; None: none are made."""
        return None if self.update_link_seconds is None else timedelta(seconds=self.update_link_seconds)
