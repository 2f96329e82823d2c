"""Messages of `urn:opendepot:depot:1`, made from wsdl/v1/depot.xsd by `python -m soap.generate`."""

from dataclasses import dataclass
from datetime import datetime

from frozen import quickly_made


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class GetTicketRequest:
    """Which tickets to look at.

    ticket: The tickets, 1 to 20.
    """

    ticket: tuple[str, ...]


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class LicenseExpiration:
    """When a licence ends.

    time: The time.
    """

    time: datetime


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class TicketLicense:
    """A licence, how far it is collected and what may be done with it.

    license_id: The name of the licence.
    item_number: The article.
    firm_code: The firm code that its update files are signed for.
    product_code: The product code.
    quantity: How many were bought.
    state: NotCollected, PartlyCollected or WhollyCollected; more states may come.
    collected: How many are in containers or on the way there.
    confirmed: How many are in containers for certain, confirmed by a receipt.
    free: How many can be collected now.
    action: What may be done, such as Collect; more actions may come.
    expiration: When it ends; left out: never.
    """

    license_id: str
    item_number: str
    firm_code: int
    product_code: int
    quantity: int
    state: str
    collected: int
    confirmed: int
    free: int
    action: tuple[str, ...] = ()
    expiration: LicenseExpiration | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class TicketOverview:
    """The licences of one or several tickets.

    state: NotCollected, PartlyCollected or WhollyCollected, over all licences; more states may come.
    license: The licences, in the order in which they were bought.
    """

    state: str
    license: tuple[TicketLicense, ...] = ()


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class GetTicketAnswer:
    """The answer to GetTicket.

    overview: The licences of the tickets.
    """

    overview: TicketOverview


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class TargetQuantity:
    """A quantity that a container shall hold.

    quantity: How many, 1 to 1000000. Never lowers what the container holds.
    """

    quantity: int


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class LicenseTarget:
    """A licence and how many of it the container shall hold.

    license_id: The licence.
    target: How many the container shall hold afterwards; left out: what is there and all that is free.
    """

    license_id: str
    target: TargetQuantity | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class GetLicenseUpdateRequest:
    """Asks for an update file that puts licences of a ticket into a container.

    ticket: The ticket.
    license: Which licences; left out: all licences of the ticket for the firm code of the context.
    context: The context file that the container has just exported.
    user: The staff member that collects, for the history that the manager sees.
    """

    ticket: str
    context: bytes
    license: tuple[LicenseTarget, ...] = ()
    user: str | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateResult:
    """An update file, or why there is none.

    state: Done: import the update, then send the receipt. NothingNew: the container holds it already.
        ExportAgain: import the update if there is one, then ask again with a new context. Healing, Lost: the
        same, with the update that brings the container back. Marked, Blocked: support has to decide about
        this container. More states may come.
    update: The update file, to be imported into the container.
    update_url: Where the same file can be fetched by HTTP GET for a while, in parts too. Whoever has this
        address has the file.
    """

    state: str
    update: bytes | None = None
    update_url: str | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class GetLicenseUpdateAnswer:
    """The answer to GetLicenseUpdate.

    result: The update file, or why there is none.
    """

    result: UpdateResult


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class ConfirmLicenseUpdateRequest:
    """Confirms that an update file was imported.

    receipt: The receipt: the context file that the container exported after the import.
    """

    receipt: bytes


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class Confirmation:
    """What a receipt confirmed.

    state: Confirmed: all that was sent has arrived. Open: a step that was sent has not arrived yet; ask with
        GetLicenseUpdate. ExportAgain: the receipt is older than one that came before; export again. Healing,
        Lost: the step that brings the container back has not arrived yet; ask with GetLicenseUpdate. Marked:
        support has to decide about this container. More states may come.
    serial: The container that the receipt came from.
    """

    state: str
    serial: str


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class ConfirmLicenseUpdateAnswer:
    """The answer to ConfirmLicenseUpdate.

    confirmation: What the receipt confirmed.
    """

    confirmation: Confirmation


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class RemainingQuantity:
    """A quantity that shall remain in a container.

    quantity: How many, 0 to 1000000. Never raises what the container holds.
    """

    quantity: int


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class LicenseRemainder:
    """A licence and how many of it shall remain in the container.

    license_id: The licence.
    remainder: How many shall remain; left out: none.
    """

    license_id: str
    remainder: RemainingQuantity | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class ReturnLicenseRequest:
    """Asks for an update file that takes licences out of a container.

    ticket: The ticket.
    license: Which licences; left out: all licences of the ticket for the firm code of the context.
    context: The context file that the container has just exported.
    user: The staff member that returns, for the history that the manager sees.
    """

    ticket: str
    context: bytes
    license: tuple[LicenseRemainder, ...] = ()
    user: str | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class ReturnLicenseAnswer:
    """The answer to ReturnLicense.

    result: The update file, or why there is none. The pieces are free when the receipt has arrived.
    """

    result: UpdateResult


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class RestoreLicenseRequest:
    """Reports that a container which holds licences of a ticket is lost or broken. Sending it again changes
    nothing.

    ticket: The ticket.
    serial: The serial of the container.
    firm_code: The firm code of the licences; report it once for each.
    reason: What happened, for whoever has to approve it.
    """

    ticket: str
    serial: str
    firm_code: int
    reason: str | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class LossDecision:
    """What became of a reported loss.

    state: Lost: the pieces are free. ApprovalNeeded: support has to decide; send the same request again to
        learn. Denied: support has refused. More states may come.
    approval_id: The name of the decision, to quote to support.
    """

    state: str
    approval_id: str | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class RestoreLicenseAnswer:
    """The answer to RestoreLicense.

    decision: What became of the report.
    """

    decision: LossDecision


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class WaitingTime:
    """A time to wait for something.

    seconds: 0 to 50. The connection has to stay open for so long.
    """

    seconds: int


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class CheckForUpdatesRequest:
    """Asks whether something is waiting for a container.

    statement: The context file that the container has just exported, or a poll file, which changes nothing in
        the container.
    wait: How long to wait for something; left out: not at all.
    """

    statement: bytes
    wait: WaitingTime | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateCheck:
    """What is waiting for a container.

    state: UpdateWaiting: ask with GetAutoUpdate. NothingNew: nothing is waiting. ExportAgain, Healing, Lost:
        ask with GetAutoUpdate and a new context. Marked, Blocked: support has to decide about this container.
        More states may come.
    serial: The container that asked.
    """

    state: str
    serial: str


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class CheckForUpdatesAnswer:
    """The answer to CheckForUpdates.

    check: What is waiting.
    """

    check: UpdateCheck


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class GetAutoUpdateRequest:
    """Asks for what is waiting for a container.

    statement: The context file that the container has just exported, or a poll file, which changes nothing in
        the container.
    """

    statement: bytes


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class GetAutoUpdateAnswer:
    """The answer to GetAutoUpdate.

    result: The update file, or why there is none.
    """

    result: UpdateResult


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class FirmChoice:
    """A firm code.

    firm_code: The firm code.
    """

    firm_code: int


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateLimit:
    """A number of updates.

    updates: 1 to 1000000.
    """

    updates: int


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class GetLicenseUpdatesRequest:
    """Asks for what is waiting for many containers. Exactly one of ticket, customerNumber and firm chooses
    them.

    ticket: All containers that hold licences of this ticket, or held them.
    customer_number: All containers with licences that the calling shop has sold to this customer. Needs the
        right bulk.
    firm: All containers of a firm code. Needs the right bulk.
    after: The position of the last update that arrived, to go on behind it; left out: from the start.
    limit: How many updates at most; left out: all of them.
    """

    ticket: str | None = None
    customer_number: str | None = None
    firm: FirmChoice | None = None
    after: str | None = None
    limit: UpdateLimit | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerUpdate:
    """What is waiting for one container and firm code.

    serial: The container.
    firm_code: The firm code.
    state: Done: the update is here. ExportAgain, Healing: the container has to ask itself, with a new
        context. Marked, Lost, Blocked: support has to decide about this container. More states may come.
    position: Where this update stands among all: send it in after to go on behind it.
    update: The update file; import it, then send the receipt with ConfirmLicenseUpdate.
    """

    serial: str
    firm_code: int
    state: str
    position: str
    update: bytes | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class LicenseUpdates:
    """Updates of many containers. Containers for which nothing is waiting are left out.

    update: The updates, each container and firm code once.
    has_more: Whether there may be more: send the request again with the last position in after.
    """

    has_more: bool
    update: tuple[ContainerUpdate, ...] = ()


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class GetLicenseUpdatesAnswer:
    """The answer to GetLicenseUpdates.

    updates: The updates, in the order of their positions.
    """

    updates: LicenseUpdates


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class GetOpenTransfersRequest:
    """Asks for what a container has not confirmed yet.

    statement: The context file that the container has just exported, or a poll file, which changes nothing in
        the container.
    """

    statement: bytes


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class OpenStep:
    """A step that is not confirmed yet.

    epoch: The epoch of the counter that it leads to.
    number: The number of that counter.
    kind: Delta or Reset.
    issued_at: When it was made.
    """

    epoch: int
    number: int
    kind: str
    issued_at: datetime


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class OpenTransfers:
    """The steps that were made for a container and are not confirmed yet.

    state: None: all is confirmed. Open: the steps are not confirmed; ask with GetAutoUpdate, import, send the
        receipt. Marked, Healing, Lost as in other answers. More states may come.
    step: The steps, in order.
    """

    state: str
    step: tuple[OpenStep, ...] = ()


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class GetOpenTransfersAnswer:
    """The answer to GetOpenTransfers.

    transfers: What is not confirmed yet.
    """

    transfers: OpenTransfers


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
