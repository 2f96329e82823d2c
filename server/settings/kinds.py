"""What groups of settings have in common: their base, and kinds of values that several of them have."""

from email.headerregistry import Address
from email.utils import parseaddr
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator
from pydantic_settings import BaseSettings, SettingsConfigDict

from licensing.errors import AddressInvalid
from licensing.marketing.addresses import read_address


class Group(BaseSettings):
    """Settings of one subject. Its docstring is their heading in docs/reference/settings.md."""

    # Nobody makes a group of its own: what pydantic builds, it builds for them joined.
    model_config = SettingsConfigDict(defer_build=True)


def mailbox(value: str) -> Address:
    """Read a sender such as `Example Ltd <licences@example.com>`. Raises ValueError."""
    name, address = parseaddr(value)
    try:
        return Address(display_name=name, addr_spec=read_address(address))
    except AddressInvalid as error:
        raise ValueError(error.message) from None


def is_address(database: str) -> bool:
    """Say whether the setting `database` is an address, and not the path of a file."""
    return "://" in database


def _checked_mailbox(value: str) -> str:
    mailbox(value)
    return value


def _checked_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be http:// or https:// with a host, without query, such as https://licences.example.com")
    return value.rstrip("/")


BaseUrl = Annotated[str, AfterValidator(_checked_url)]
"""Where a server is reached; kept without a last slash."""

Mailbox = Annotated[str, AfterValidator(_checked_mailbox)]
"""An address of mail, with or without a name before it."""

HeaderName = Annotated[str, AfterValidator(str.lower)]
"""A field of an HTTP head; kept in small letters."""
