"""What holds for the whole server: its epoch and the fingerprint of its keys, as commands and queries."""

from dataclasses import dataclass
from datetime import datetime

from storage.records import AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class InitialiseServer:
    """Set the server's first epoch and the fingerprint of its keys, once.

    Answered with the `ServerRow` that stands afterwards: where one was set before, it stays as it is, so that workers
    that start together agree. Transfers are refused (`NotInitialised`) until then.
    """

    epoch: int
    key_fingerprint: bytes
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class RaiseEpoch:
    """Begin a new epoch of the whole server. Answered with the `ServerRow` afterwards; an epoch never falls."""

    epoch: int
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadServer:
    """The `ServerRow`, or None before `InitialiseServer`."""


ServerQuery = LoadServer
