"""Messages of `urn:opendepot:ozomm:1`, made from wsdl/v1/ozomm.xsd by `python -m soap.generate`."""

from dataclasses import dataclass
from datetime import datetime

from frozen import quickly_made


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class ExtendedLicense:
    """A licence that shall run longer.

    license_id: Its name, as GetTicket gives it.
    """

    license_id: str


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerContext:
    """What a container says about itself.

    file: The context file, as it was exported.
    """

    file: bytes


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class WishedPeriod:
    """A period that is wished for; whether there is one of that length is the vendor's decision.

    days: In days.
    """

    days: int


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class WishedPieces:
    """A number of pieces that is wished for. More than before become a licence of their own on the same
    ticket.

    quantity: How many.
    """

    quantity: int


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class ExtendLicenseRequest:
    """Asks that licences of a ticket run longer.

    transaction_id: Made by the caller for this extension and kept: the same one with the same ticket and
        wishes acts once, however often it is sent.
    ticket: The ticket that the licences are on.
    license: The licences; left out: all of the ticket that expire.
    context: The context file of the container that shall hold the longer licence; left out: it is collected
        later.
    language: The language that the customer reads, such as de or pt-BR; left out: English.
    period: How long the customer wants it to run; left out: as the vendor offers it.
    pieces: How many pieces the customer wants from now on; left out: as many as before.
    """

    transaction_id: str
    ticket: str
    license: tuple[ExtendedLicense, ...] = ()
    context: ContainerContext | None = None
    language: str | None = None
    period: WishedPeriod | None = None
    pieces: WishedPieces | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class RetryAfter:
    """A time to wait.

    seconds: In seconds.
    """

    seconds: int


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class LicenseExpiration:
    """When a licence ends.

    time: The time.
    """

    time: datetime


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class LicenseExtension:
    """A licence of the extension.

    license_id: Its name.
    item_number: The article that it is now.
    expiration: When it ends; left out: never.
    """

    license_id: str
    item_number: str
    expiration: LicenseExpiration | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class ExtensionUpdate:
    """An update file, or why there is none.

    state: As the Depot answers GetLicenseUpdate: Done, NothingNew, ExportAgain, Healing, Lost, Marked,
        Blocked; or a fault code where it refused.
    file: The update file, to be imported into the container.
    """

    state: str
    file: bytes | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """An offer to the customer.

    offer_id: The campaign that it is of.
    item_number: The article that is offered.
    title: Its title, in the customer's language as far as there is one.
    text: What is offered, in the same language.
    url: Where to take it.
    """

    offer_id: str
    item_number: str
    title: str
    text: str
    url: str | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class Extension:
    """An extension as it stands.

    state: Extended: the licences run longer. Pending: it is not decided yet; ask GetExtension after
        retryAfter. Refused: they do not run longer. More states may come.
    reason: The case, for programs: Approved, Waiting, Provisional, NotEligible, NotOffered, NothingToExtend,
        NotPossible, NoAnswer; more may come.
    text: The same for the customer, in the customer's language as far as there is one.
    retry_after: When to ask again, while it is Pending.
    license: The licences, and when they end now.
    update: What the container is to import, where a context was sent and there is something to collect.
    offer: What the vendor offers besides.
    """

    state: str
    reason: str
    text: str
    retry_after: RetryAfter | None = None
    license: tuple[LicenseExtension, ...] = ()
    update: ExtensionUpdate | None = None
    offer: tuple[Offer, ...] = ()


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class ExtendLicenseAnswer:
    """The answer to ExtendLicense.

    extension: What has become of the request so far.
    """

    extension: Extension


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class GetExtensionRequest:
    """Asks what has become of an extension.

    transaction_id: That of ExtendLicense.
    ticket: That of ExtendLicense.
    context: A fresh context file of the container; left out: nothing is collected.
    language: The language that the customer reads; left out: that of ExtendLicense.
    """

    transaction_id: str
    ticket: str
    context: ContainerContext | None = None
    language: str | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class GetExtensionAnswer:
    """The answer to GetExtension.

    extension: What has become of the request so far.
    """

    extension: Extension


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class FaultDetail:
    """What went wrong, where, and whether sending the same request again can help.

    code: A stable name of the case, listed with its meaning and mend in the reference of fault codes.
    message: What was wrong and how to mend it, in English, for people.
    reference: The name of this exchange in the log of the server; quote it to support.
    retry: Never, or Later: the same request may succeed if it is sent again after a while.
    path: The element that the fault is about, such as CreateOrder/orderLine[2]/quantity.
    """

    code: str
    message: str
    reference: str
    retry: str
    path: str | None = None
