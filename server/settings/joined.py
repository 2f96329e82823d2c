"""All settings of a server, joined from their groups."""

from typing import Self

from pydantic import model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from server.settings.callers import CallerSettings
from server.settings.database import DatabaseSettings
from server.settings.limits import LimitSettings
from server.settings.mail import MailSettings, ReminderTarget
from server.settings.ozomm import OzommSettings
from server.settings.proxies import ProxySettings
from server.settings.serving import ServingSettings
from server.settings.sources import ENVIRONMENT_PREFIX, TOML, service_credentials
from server.settings.tls import TlsSettings
from server.settings.webhooks import WebhookSettings


class Settings(
    ServingSettings,
    DatabaseSettings,
    TlsSettings,
    ProxySettings,
    CallerSettings,
    LimitSettings,
    WebhookSettings,
    MailSettings,
    OzommSettings,
):
    """The options of one server process. Here stands what holds between the groups."""

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT_PREFIX, extra="forbid", frozen=True, defer_build=False)

    @model_validator(mode="after")
    def _proxies_end_tls(self) -> Self:
        if self.tls_certificate_file is not None and self.proxy_protocol_from:
            raise ValueError("proxy_protocol_from is for plain listeners only; put TLS at the proxy")
        return self

    @model_validator(mode="after")
    def _mails_know_the_page_to_unsubscribe(self) -> Self:
        if self.mail_server is not None and self.public_url is None:
            raise ValueError("mail_server needs public_url: mails hold the address of the page to unsubscribe")
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
        toml = given.pop(TOML, {})
        return (
            InitSettingsSource(settings_cls, given),
            env_settings,
            InitSettingsSource(settings_cls, service_credentials(settings_cls.model_fields)),
            InitSettingsSource(settings_cls, toml),
        )
