from collections.abc import Callable, Mapping

import pytest

import wsdl
from soap import ContractError, load_contract

Publish = Callable[..., None]

ORIGINAL = wsdl.read


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Publish:
    """Let the package hold sales.wsdl with some texts replaced."""

    def put(replaced: Mapping[str, str]) -> None:
        def read(path: str) -> bytes:
            text = ORIGINAL(path).decode()
            if path == "v1/sales.wsdl":
                for old, new in replaced.items():
                    assert old in text
                    text = text.replace(old, new)
            return text.encode()

        monkeypatch.setattr(wsdl, "read", read)

    return put


@pytest.mark.parametrize(
    ("path", "operations"),
    [
        (
            "v1/sales.wsdl",
            [
                "CreateOrder",
                "CreateOrders",
                "GetOrder",
                "FindOrders",
                "CancelOrder",
                "WithdrawLicense",
                "ReplaceLicense",
                "ListItems",
            ],
        ),
        (
            "v1/depot.wsdl",
            [
                *("GetTicket", "GetLicenseUpdate", "ConfirmLicenseUpdate", "ReturnLicense", "RestoreLicense"),
                *("CheckForUpdates", "GetAutoUpdate", "GetLicenseUpdates", "GetOpenTransfers"),
                *("ExtendLicense", "GetExtension"),
            ],
        ),
    ],
)
def test_a_contract_is_its_operation_table(path: str, operations: list[str]) -> None:
    contract = load_contract(path)

    assert list(contract.operations) == operations
    assert list(contract.schemas) == [contract.namespace, "urn:opendepot:header:1"]
    assert contract.schema.namespace == contract.namespace
    assert contract.header_schema.elements.keys() == {"OnBehalfOf"}
    for name, operation in contract.operations.items():
        assert operation.name == name
        assert operation.action == f"{contract.namespace}/{name}"
        assert operation.request_tag == f"{{{contract.namespace}}}{name}"
        assert operation.answer_tag == f"{{{contract.namespace}}}{name}Response"
        assert (operation.request.name, operation.answer.name) == (f"{name}Request", f"{name}Answer")
        assert operation.faults >= {"RequestFault", "AccessFault", "ServerFault"}


def test_the_name_is_the_services_own() -> None:
    assert load_contract("v1/depot.wsdl").name == "Depot"


def test_a_file_that_the_package_does_not_have_is_not_found() -> None:
    with pytest.raises(FileNotFoundError):
        load_contract("v1/nothing.wsdl")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            '<xs:import namespace="urn:opendepot:header:1" schemaLocation="header.xsd"/>',
            "",
            "must import the schemas of urn:opendepot:sales:1 and of urn:opendepot:header:1",
        ),
        ('<xs:import namespace="urn:opendepot:sales:1" schemaLocation="sales.xsd"/>', "", "must import the schemas"),
        (
            '<wsdl:part name="parameters" element="sales:GetOrder"/>',
            '<wsdl:part name="a" element="sales:GetOrder"/><wsdl:part name="b" element="sales:ListItems"/>',
            "operation GetOrder: input must be one message of one part",
        ),
        (
            '<wsdl:output message="sales:GetOrderResponse"/>',
            '<wsdl:output message="sales:Nothing"/>',
            "operation GetOrder: output must be one message of one part",
        ),
        (
            '<wsdl:part name="parameters" element="sales:GetOrder"/>',
            '<wsdl:part name="parameters" element="sales:ListItems"/>',
            "operation GetOrder is not document/literal wrapped",
        ),
        (
            '<wsdl:part name="parameters" element="sales:GetOrder"/>',
            '<wsdl:part name="parameters" type="sales:GetOrderRequest"/>',
            "operation GetOrder is not document/literal wrapped",
        ),
        (
            '<wsdl:part name="parameters" element="sales:GetOrderResponse"/>',
            '<wsdl:part name="parameters" element="sales:Nothing"/>',
            "operation GetOrder is not document/literal wrapped",
        ),
        (
            '<soap:operation soapAction="urn:opendepot:sales:1/GetOrder" style="document"/>',
            "",
            "operation GetOrder is not in a SOAP 1.1 binding",
        ),
    ],
)
def test_a_wsdl_that_is_not_document_literal_wrapped_is_a_contract_error(
    old: str, new: str, reason: str, publish: Publish
) -> None:
    publish({old: new})

    with pytest.raises(ContractError, match=reason):
        load_contract("v1/sales.wsdl")
