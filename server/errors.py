"""What the process itself refuses, apart from SOAP (`soap.errors`), the rules (`licensing.errors`) and storage."""

from collections.abc import Mapping
from typing import ClassVar


class ServerError(Exception):
    """A refusal of the process. Its code is the name of its class, a key of `server.faults.CATALOGUE`.

    `denial` explains, for the log and never for the caller, why an address was not let in; None where that was not
    the reason.
    """

    code: ClassVar[str]

    def __init_subclass__(cls) -> None:
        cls.code = cls.__name__

    def __init__(self, message: str, *, denial: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.denial = denial


class NotIdentified(ServerError):
    """No credential, or one that belongs to no active shop."""


class AddressDenied(ServerError):
    """The caller's address is not let in."""


class ClientUnknown(ServerError):
    """Who the client is cannot be told from what a trusted proxy wrote."""


class FiltersStale(ServerError):
    """Nobody knows whether the filters at hand are still the newest, so nobody is let in."""


class FilterMoved(ServerError):
    """The rules are not those any more that an edit was made for."""


class FilterUnconfirmed(ServerError):
    """An edit of the rules would do something dangerous, and was not confirmed."""


class NetworkInvalid(ServerError):
    """A text is no network or address in the form that is read."""


class FrontRefused(ServerError):
    """OnBehalfOf from somebody without the right `front`."""


class TooManyGuesses(ServerError):
    """Too many wrong tickets or credentials came from the caller's address, and another request of it is waiting."""


class RoleMissing(ServerError):
    """The administrator has no role that the operation is for."""


class DeadlinePassed(ServerError):
    """The exchange took longer than the setting `exchange_seconds`."""


class BodyTooSlow(ServerError):
    """The body did not arrive within the setting `body_seconds`."""


class SettingsError(Exception):
    """The settings do not fit together, or a file that they name cannot be used. The message names setting and mend."""
