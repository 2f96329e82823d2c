"""Every field of every operation that names something, and what comes of it when shop A names what is shop B's.

The contract says which fields there are. Each leaf of a request must stand in one of the tables here, so that a new
operation, or a new field that names something, is a red test until somebody has thought about it.
"""

from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from wire import FIRM_CODE

from soap import load_contract
from soap.schema import ComplexType

SERVICES = ("Sales", "Depot", "Ozomm", "Admin")
NAMES = frozenset(
    {
        "ticket",
        "originalTicket",
        "orderId",
        "orderNumber",
        "originalOrderNumber",
        "transactionId",
        "licenseId",
        "extendsLicenseId",
        "serial",
        "containerSerial",
        "customerNumber",
        "context",
        "file",
        "receipt",
        "statement",
        "pageToken",
        "after",
        "shopName",
        "credentialId",
        "userName",
        "certificate",
    }
)
"""Leaves that name what belongs to somebody: a shop, its customer, a licensee's container."""
OF_ALL = frozenset(
    {
        "itemNumber",
        "firmCode",
    }
)
"""Leaves that name what is the vendor's: every shop may know it. By firm code the right `bulk` shows all containers."""
NO_NAMES = frozenset(
    {
        "quantity",
        "name",
        "company",
        "email",
        "language",
        "kind",
        "number",
        "value",
        "licenseState",
        "time",
        "reason",
        "user",
        "seconds",
        "updates",
        "days",
        "version",
        "policy",
        "effect",
        "network",
        "endpoint",
        "mode",
        "owner",
        "comment",
        "confirmed",
        "address",
        "forwarded",
        "right",
        "depotPolicy",
        "active",
        "label",
        "hours",
    }
)
"""Leaves that name nothing."""


@dataclass(frozen=True)
class Holding:
    """What a shop has."""

    shop: str
    api_key: str
    transaction_id: str
    order_number: str
    spare_number: str
    order_id: str
    ticket: str
    license_id: str
    customer: str
    serial: str
    context: bytes
    credential_id: str
    username: str
    certificate: str
    extension: str
    other_extension: str
    page_token: str

    def secrets(self) -> tuple[str, ...]:
        """What nobody else may be told."""
        return (self.order_id, self.ticket, self.license_id, self.customer, self.serial, self.credential_id)


@dataclass(frozen=True)
class Case:
    """The content of a request in which A, whose is the first holding, names what is B's, and what comes of it.

    `said`: codes of faults, `ok` where it is answered as if it were nobody's, or `Refused` inside an answer.
    `by` speaks: the shop A by its key, nobody (a ticket proves itself), or an administrator.
    """

    content: Callable[[Holding, Holding], str]
    said: str
    by: str = "shop"


def leaves(service: str) -> Iterator[tuple[str, str]]:
    """Each operation of a service with the path of each leaf of its request."""
    for operation in load_contract(f"v1/{service.lower()}.wsdl").operations.values():
        for path in _below(operation.request):
            yield operation.name, path


def _below(of: ComplexType) -> Iterator[str]:
    for field in of.fields:
        if isinstance(field.type, ComplexType):
            yield from (f"{field.name}/{path}" for path in _below(field.type))
        else:
            yield field.name


def forged(a: Holding, b: Holding) -> str:
    """What A's own container has signed, with B's container named in it."""
    assert a.serial.encode() in a.context
    return b64encode(a.context.replace(a.serial.encode(), b.serial.encode())).decode()


def near(b: Holding) -> str:
    """B's ticket with two symbols exchanged: what somebody guesses who has seen it over a shoulder."""
    text = b.ticket
    place = next(at for at in range(20, 28) if "-" not in text[at : at + 2] and text[at] != text[at + 1])
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


def one(name: str, text: str) -> str:
    return f"<{name}>{text}</{name}>"


LINE = "<orderLine><itemNumber>EDITOR</itemNumber><quantity>1</quantity>{}</orderLine>"
WHY = "<reason>r</reason>"


def _orders() -> Iterator[tuple[str, Case]]:
    """What CreateOrder can name; CreateOrders says the same for each of its orders."""

    def key(path: str) -> str:
        return one("transactionId", f"x-{path}")

    yield "transactionId", Case(lambda _, b: one("transactionId", b.transaction_id) + LINE.format(""), "ok")
    yield "orderNumber", Case(lambda _, b: key("on") + one("orderNumber", b.spare_number) + LINE.format(""), "ok")
    yield (
        "originalOrderNumber",
        Case(
            lambda _, b: key("oon") + one("originalOrderNumber", b.order_number) + LINE.format(""),
            "OriginalOrderUnknown",
        ),
    )
    yield (
        "originalTicket",
        Case(lambda _, b: key("ot") + one("originalTicket", b.ticket) + LINE.format(""), "RightMissing"),
    )
    yield (
        "customer/customerNumber",
        Case(
            lambda _, b: (
                key("cn") + one("customer", one("name", "n") + one("customerNumber", b.customer)) + LINE.format("")
            ),
            "ok",
        ),
    )
    yield (
        "orderLine/extendsLicenseId",
        Case(
            lambda a, b: (
                key("el")
                + one("originalOrderNumber", a.order_number)
                + LINE.format(one("extendsLicenseId", b.license_id))
            ),
            "LicenseUnknown",
        ),
    )
    yield (
        "orderLine/containerSerial",
        Case(lambda _, b: key("cs") + LINE.format(one("containerSerial", b.serial)), "ok"),
    )


def _of_depot(operation: str, targets: str = "") -> Iterator[tuple[str, Case]]:
    """What asks for an update: nobody is asked who they are, a ticket reaches its own licences and no others."""
    wanted = "<license><licenseId>{}</licenseId>" + targets + "</license>"

    def asked(ticket: str, license_id: str, context: str) -> str:
        return one("ticket", ticket) + wanted.format(license_id) + one("context", context)

    def own(a: Holding) -> str:
        return b64encode(a.context).decode()

    yield f"{operation}/ticket", Case(lambda a, b: asked(b.ticket, a.license_id, own(a)), "LicenseUnknown", "nobody")
    yield (
        f"{operation}/license/licenseId",
        Case(lambda a, b: asked(a.ticket, b.license_id, own(a)), "LicenseUnknown", "nobody"),
    )
    yield (
        f"{operation}/context",
        Case(lambda a, b: asked(a.ticket, a.license_id, forged(a, b)), "ContextRefused", "nobody"),
    )


def _extensions(service: str) -> Iterator[tuple[str, Case]]:
    def wished(name: str, ticket: str, license_id: str, context: str = "") -> str:
        return (
            one("transactionId", name)
            + one("ticket", ticket)
            + f"<license><licenseId>{license_id}</licenseId></license>"
            + (f"<context><file>{context}</file></context>" if context else "")
        )

    def asked(name: str, ticket: str, context: str = "") -> str:
        named = one("transactionId", name) + one("ticket", ticket)
        return named + (f"<context><file>{context}</file></context>" if context else "")

    extend, get = f"{service}.ExtendLicense", f"{service}.GetExtension"
    yield f"{extend}/transactionId", Case(lambda a, b: wished(b.extension, a.ticket, a.license_id), "ok", "nobody")
    yield f"{extend}/ticket", Case(lambda a, b: wished("x-1", b.ticket, a.license_id), "LicenseUnknown", "nobody")
    yield (
        f"{extend}/license/licenseId",
        Case(lambda a, b: wished("x-2", a.ticket, b.license_id), "LicenseUnknown", "nobody"),
    )
    yield (
        f"{extend}/context/file",
        Case(lambda a, b: wished("x-3", a.ticket, a.license_id, forged(a, b)), "Refused ContextRefused", "nobody"),
    )
    yield f"{get}/transactionId", Case(lambda a, b: asked(b.other_extension, a.ticket), "ExtensionUnknown", "nobody")
    yield f"{get}/ticket", Case(lambda a, b: asked(a.extension, b.ticket), "ExtensionUnknown", "nobody")
    yield (
        f"{get}/context/file",
        Case(lambda a, b: asked(a.extension, a.ticket, forged(a, b)), "Refused ContextRefused", "nobody"),
    )


CASES: dict[str, Case] = {
    **{f"Sales.CreateOrder/{path}": case for path, case in _orders()},
    **{
        f"Sales.CreateOrders/order/{path}": Case(
            lambda a, b, case=case: one("order", case.content(a, b).replace(">x-", ">xs-").replace("-spare", "-other")),  # type: ignore[misc]
            "ok" if case.said == "ok" else f"Refused {case.said}",
        )
        for path, case in _orders()
    },
    "Sales.GetOrder/orderId": Case(lambda _, b: one("orderId", b.order_id), "OrderUnknown"),
    "Sales.GetOrder/orderNumber": Case(lambda _, b: one("orderNumber", b.order_number), "OrderUnknown"),
    "Sales.GetOrder/transactionId": Case(lambda _, b: one("transactionId", b.extension), "OrderUnknown"),
    "Sales.FindOrders/orderNumber": Case(lambda _, b: one("orderNumber", b.order_number), "ok"),
    "Sales.FindOrders/customerNumber": Case(lambda _, b: one("customerNumber", b.customer), "ok"),
    "Sales.FindOrders/pageToken": Case(lambda _, b: one("pageToken", b.page_token), "PageTokenInvalid"),
    "Sales.CancelOrder/transactionId": Case(
        lambda _, b: one("transactionId", b.transaction_id) + one("orderNumber", "A-spare") + WHY, "ok"
    ),
    "Sales.CancelOrder/orderId": Case(
        lambda _, b: one("transactionId", "x-c1") + one("orderId", b.order_id) + WHY, "OrderUnknown"
    ),
    "Sales.CancelOrder/orderNumber": Case(
        lambda _, b: one("transactionId", "x-c2") + one("orderNumber", b.order_number) + WHY, "OrderUnknown"
    ),
    "Sales.WithdrawLicense/transactionId": Case(
        lambda _, b: one("transactionId", b.transaction_id) + one("licenseId", b.license_id) + WHY, "LicenseUnknown"
    ),
    "Sales.WithdrawLicense/licenseId": Case(
        lambda _, b: one("transactionId", "x-w") + one("licenseId", b.license_id) + WHY, "LicenseUnknown"
    ),
    "Sales.ReplaceLicense/transactionId": Case(
        lambda _, b: (
            one("transactionId", b.transaction_id) + one("licenseId", b.license_id) + one("itemNumber", "PLUGIN") + WHY
        ),
        "LicenseUnknown",
    ),
    "Sales.ReplaceLicense/licenseId": Case(
        lambda _, b: one("transactionId", "x-r") + one("licenseId", b.license_id) + one("itemNumber", "PLUGIN") + WHY,
        "LicenseUnknown",
    ),
    "Sales.ListItems/pageToken": Case(lambda _, b: one("pageToken", b.page_token), "PageTokenInvalid"),
    "Depot.GetTicket/ticket": Case(lambda a, b: one("ticket", a.ticket) + one("ticket", near(b)), "TicketUnknown"),
    **dict(_of_depot("Depot.GetLicenseUpdate")),
    **dict(_of_depot("Depot.ReturnLicense")),
    "Depot.ConfirmLicenseUpdate/receipt": Case(lambda a, b: one("receipt", forged(a, b)), "ContextRefused", "nobody"),
    "Depot.RestoreLicense/ticket": Case(
        lambda _, b: one("ticket", near(b)) + one("serial", b.serial) + one("firmCode", str(FIRM_CODE)),
        "TicketUnknown",
        "nobody",
    ),
    "Depot.RestoreLicense/serial": Case(
        lambda a, b: one("ticket", a.ticket) + one("serial", b.serial) + one("firmCode", str(FIRM_CODE)),
        "ContainerUnknown",
        "nobody",
    ),
    **{
        f"Depot.{operation}/statement": Case(lambda a, b: one("statement", forged(a, b)), "ContextRefused", "nobody")
        for operation in ("CheckForUpdates", "GetAutoUpdate", "GetOpenTransfers")
    },
    "Depot.GetLicenseUpdates/ticket": Case(lambda _, b: one("ticket", near(b)), "TicketUnknown"),
    "Depot.GetLicenseUpdates/customerNumber": Case(lambda _, b: one("customerNumber", b.customer), "ok"),
    "Depot.GetLicenseUpdates/after": Case(
        lambda a, b: one("ticket", a.ticket) + one("after", f"{b.serial}/{FIRM_CODE}"), "ok"
    ),
    **dict(_extensions("Depot")),
    **dict(_extensions("Ozomm")),
    # Administrators are the vendor's and see all shops. A shop is none, whichever shop it names.
    **{
        f"Admin.{operation}/{path}": Case(lambda _a, _b: "", "NotIdentified")
        for operation, path in leaves("Admin")
        if path.rpartition("/")[2] in NAMES
    },
    "Admin.AddCredential/userName": Case(
        lambda a, b: one("shopName", a.shop) + one("kind", "username") + one("userName", b.username),
        "CredentialExists",
        "administrator",
    ),
    "Admin.AddCredential/certificate": Case(
        lambda a, b: one("shopName", a.shop) + one("kind", "certificate") + one("certificate", b.certificate),
        "CredentialExists",
        "administrator",
    ),
    "Admin.RevokeCredential/credentialId": Case(
        lambda a, b: one("shopName", a.shop) + one("credentialId", b.credential_id),
        "CredentialUnknown",
        "administrator",
    ),
}
