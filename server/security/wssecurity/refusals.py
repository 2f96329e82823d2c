"""How a Security header block is refused. What a message says of secrets and keys is one and the same."""

from server.errors import ServerError


class SecurityInvalid(ServerError):
    """The block has not the one form that is read. The message names the place and the mend."""


class SecurityUnsupported(ServerError):
    """An algorithm, token or reference that is not on the fixed list."""


class SecurityFailed(ServerError):
    """No registered key or secret made this. Which part was wrong is told to the log alone, as `detail`."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(
            "the Security header block proves nothing: no active key or secret that is registered here fits "
            "its signature or password over this very message"
        )


class SecurityExpired(ServerError):
    """The message is too old or from the future. The message tells by how much, and how much is allowed."""


class SecurityReplayed(ServerError):
    """The same signature or nonce was seen before."""

    def __init__(self) -> None:
        super().__init__(
            "this very Security header block was used before; make a new one, with a new time and nonce, "
            "around the same request"
        )


class SecurityUnencrypted(ServerError):
    """A password in plain text came over a connection that others can read."""

    def __init__(self) -> None:
        super().__init__("a password in plain text is taken over TLS only; use https, or PasswordDigest")


SecurityRefused = (
    SecurityInvalid | SecurityUnsupported | SecurityFailed | SecurityExpired | SecurityReplayed | SecurityUnencrypted
)
"""Any refusal of a Security header block."""
