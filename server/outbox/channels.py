"""What a channel is: something that delivers one message and says whether it arrived."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """A message that is to be delivered now: its id, the same at every try, and its content, JSON in UTF-8."""

    message_id: str
    kind: str
    content: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivered:
    """The receiver has the message."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Failed:
    """The receiver may not have the message.

    `reason` names the kind of failure and nothing that the receiver sent; `final`: another try would be in vain;
    `after`: the receiver asks to be left alone for so long.
    """

    reason: str
    final: bool = False
    after: timedelta | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Withheld:
    """The message must not be sent any more, such as to a customer who has unsubscribed: it goes unsent."""

    reason: str


class Channel(Protocol):
    """Delivers messages of the outbox's channel `name`."""

    name: str

    @property
    def seconds(self) -> float:
        """How long a try takes at most."""
        ...

    async def deliver(self, delivery: Delivery) -> Delivered | Failed | Withheld:
        """Try once, and have ended with it when this returns or is cancelled. Raises nothing of the network's."""
        ...
