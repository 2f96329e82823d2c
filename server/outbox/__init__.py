"""Messages on their way out: a dispatcher that takes them from the database, and the channels that deliver them."""

from server.outbox.channels import Channel, Delivered, Delivery, Failed, Withheld
from server.outbox.dispatcher import Backoff, Dispatcher

__all__ = [
    "Backoff",
    "Channel",
    "Delivered",
    "Delivery",
    "Dispatcher",
    "Failed",
    "Withheld",
]
