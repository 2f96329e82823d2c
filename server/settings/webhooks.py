"""Settings of messages to other systems."""

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from licensing.announcing import Kind
from server.settings.kinds import Group


class WebhookSettings(Group):
    """Webhooks."""

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

    @model_validator(mode="after")
    def _webhook_is_whole(self) -> Self:
        if (self.webhook_url is None) != (self.webhook_secret_file is None):
            raise ValueError("webhook_url and webhook_secret_file belong together")
        return self
