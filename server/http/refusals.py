"""What is refused before it is a request that anybody could answer."""


class HttpRefused(Exception):
    """Bytes that are no request, or none that is read here. The connection ends with a generic answer.

    `status` is the HTTP status; `reason` is for the operator's log, from a closed set, and echoes nothing.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status
        self.reason = reason


class BodyTooLarge(Exception):
    """The body grows beyond what was admitted."""
