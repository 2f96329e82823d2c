"""Error codes of what the server itself cannot do now."""

from collections.abc import Mapping

from server.faults.again import AGAIN
from soap import Blame, FaultKind

SERVING: Mapping[str, FaultKind] = {
    "BodyTooSlow": FaultKind(
        element="RequestFault", status=408, meaning="The body did not arrive in time.", mend=AGAIN, retry=True
    ),
    "CentralUnavailable": FaultKind(
        element="ServerFault",
        blame=Blame.RECEIVER,
        meaning="OZOMM and the licence central cannot reach each other.",
        mend=AGAIN,
        retry=True,
    ),
    "Contended": FaultKind(
        element="ServerFault",
        blame=Blame.RECEIVER,
        meaning="Too many requests changed the same licences at once.",
        mend=AGAIN,
        retry=True,
    ),
    "JournalUnwritable": FaultKind(
        element="ServerFault",
        blame=Blame.RECEIVER,
        meaning="The journal of steps cannot be written, so no update may leave the server.",
        mend=AGAIN,
        retry=True,
    ),
    "QuantityExceeded": FaultKind(
        element="ServerFault",
        blame=Blame.RECEIVER,
        meaning="Another request took the pieces while this one was decided; nothing was written.",
        mend=AGAIN,
        retry=True,
    ),
    "StorageBusy": FaultKind(
        element="ServerFault", blame=Blame.RECEIVER, meaning="The database has too much to do.", mend=AGAIN, retry=True
    ),
    "StorageUnavailable": FaultKind(
        element="ServerFault",
        blame=Blame.RECEIVER,
        meaning="The database cannot be written or read now.",
        mend=AGAIN,
        retry=True,
    ),
    "StorageClosed": FaultKind(
        element="ServerFault",
        blame=Blame.RECEIVER,
        meaning="The server is on its way out.",
        mend=AGAIN,
        retry=True,
    ),
    "DeadlinePassed": FaultKind(
        element="ServerFault",
        blame=Blame.RECEIVER,
        meaning="The exchange took too long; it may have been carried out.",
        mend=AGAIN,
        retry=True,
    ),
    "Internal": FaultKind(
        element="ServerFault",
        blame=Blame.RECEIVER,
        meaning="A bug of the server, logged under the reference.",
        mend="Tell the reference to support.",
    ),
}
