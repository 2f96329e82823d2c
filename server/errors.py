"""What the process itself refuses, apart from SOAP (`soap.errors`), the rules (`licensing.errors`) and storage."""

from typing import ClassVar


class ServerError(Exception):
    """A refusal of the process. `code` is a key of `server.faults.CATALOGUE`."""

    code: ClassVar[str]

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotIdentified(ServerError):
    """No credential, or one that belongs to no active shop."""

    code = "NotIdentified"


class FrontRefused(ServerError):
    """OnBehalfOf from somebody without the right `front`."""

    code = "FrontRefused"


class DeadlinePassed(ServerError):
    """The exchange took longer than the setting `exchange_seconds`."""

    code = "DeadlinePassed"


class BodyTooSlow(ServerError):
    """The body did not arrive within the setting `body_seconds`."""

    code = "BodyTooSlow"


class SettingsError(Exception):
    """The settings do not fit together, or a file that they name cannot be used. The message names setting and mend."""
