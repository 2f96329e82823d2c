"""Error codes of the Depot interface and OZOMM: tickets, licences, containers."""

from collections.abc import Mapping

from soap import FaultKind

COLLECTING: Mapping[str, FaultKind] = {
    "SelectionRequired": FaultKind(
        element="RequestFault",
        meaning="Not exactly one choice of containers was given.",
        mend="Send one of ticket, customerNumber, firm.",
    ),
    "PositionInvalid": FaultKind(
        element="RequestFault",
        meaning="The position in after is none that an answer gave.",
        mend="Send the position of the last update that arrived as it was, or start again without one.",
    ),
    "TicketUnknown": FaultKind(
        element="NotFoundFault",
        meaning="There is no such ticket.",
        mend="Compare it symbol by symbol with the order's.",
    ),
    "ExtensionUnknown": FaultKind(
        element="NotFoundFault",
        meaning="No extension of this ticket was asked for under this transactionId.",
        mend="Send ExtendLicense, or the transactionId and the ticket that it was sent with.",
    ),
    "LicenseUnknown": FaultKind(
        element="NotFoundFault",
        meaning="The ticket, or the shop, has no such licence.",
        mend="GetTicket and GetOrder list licences.",
    ),
    "LicenseRepeated": FaultKind(
        element="RequestFault", meaning="A licence is named twice in one request.", mend="Name it once."
    ),
    "MixedFirmCodes": FaultKind(
        element="RuleFault",
        meaning="A licence is for another firm code than the context.",
        mend="Export one context for each firm code, and ask once for each.",
    ),
    "NothingFree": FaultKind(
        element="RuleFault",
        meaning="The licence has fewer pieces free than were asked for.",
        mend="GetTicket says how many are free; return one from another container first.",
    ),
    "ContainerUnknown": FaultKind(
        element="NotFoundFault",
        meaning="There is no such container, or it holds no licence of the ticket.",
        mend="Compare serial and firm code with what `opendepot container show` prints.",
    ),
    "ReturnRefused": FaultKind(
        element="RuleFault",
        meaning="The item's rules do not allow to give the licence back now.",
        mend="Wait until the time that the message names, or ask the vendor.",
    ),
    "ContainerKindRefused": FaultKind(
        element="RuleFault",
        meaning="The licence may not go into a container of this kind.",
        mend="Collect it into a container of a kind that the message names.",
    ),
    "DedicatedElsewhere": FaultKind(
        element="RuleFault",
        meaning="The licence is for another container, which was named when it was ordered.",
        mend="Use that container; if it is lost, ask the vendor.",
    ),
    "TicketExpired": FaultKind(
        element="RuleFault",
        meaning="The time in which the licence could be collected is over.",
        mend="Ask the vendor.",
    ),
    "SplitRefused": FaultKind(
        element="RuleFault",
        meaning="The licence is collected whole or not at all.",
        mend="Ask for the quantity that the message names, or leave target out.",
    ),
    "TicketInseparable": FaultKind(
        element="RuleFault",
        meaning="The licences of the ticket are collected together into one container or not at all.",
        mend="Leave the licences out, so that all of them are collected.",
    ),
    "ContextRefused": FaultKind(
        element="RuleFault",
        meaning="The context or receipt is not a valid file of a container.",
        mend="Export it again and send the file unchanged.",
    ),
    "ContainerUnregistered": FaultKind(
        element="RuleFault",
        meaning="The container is not of a kind that proves its own serial, and is not registered.",
        mend="Ask the vendor.",
    ),
}
