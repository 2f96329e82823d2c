"""The table of faults is total: every error there is has its row, and whatever is not in it is withheld."""

import pytest

from containers import ContainerError
from licensing.errors import LicensingError, TicketUnknown
from server.errors import ServerError
from server.faults import CATALOGUE, fault_for
from server.faults.access import ACCESS
from server.faults.administering import ADMINISTERING
from server.faults.collecting import COLLECTING
from server.faults.ordering import ORDERING
from server.faults.serving import SERVING
from server.handlers import REGISTRY, handlers_of
from soap import ENGINE_FAULTS, Blame, ContractError, SoapError, load_contract
from storage.errors import StorageBusy, StorageCorrupt, StorageError

LOCAL_ONLY = {
    "AdministratorUnknown",
    "OptionInvalid",
    "RuleInvalid",
    "VaultError",
    "AuditHeadInvalid",
    "MessageUnknown",
    "AddressInvalid",
    "TokenInvalid",
    "CampaignInvalid",
    "CampaignUnknown",
    "CustomerUnknown",
    "JournalDamaged",
    "ContainerNotMarked",
    "ContextOld",
    "ApprovalUnknown",
    "ApprovalClosed",
    "ReasonRequired",
}
"""Refusals of the command line, and a broken key: none of them can be mended by a caller of the services."""


def subclasses(kind: type[BaseException]) -> set[type[BaseException]]:
    return {inner for direct in kind.__subclasses__() for inner in {direct, *subclasses(direct)}}


def test_every_refusal_of_the_rules_and_of_the_process_has_a_row() -> None:
    for kind in subclasses(LicensingError) | subclasses(ServerError):
        assert kind.code in CATALOGUE or kind.code in LOCAL_ONLY, kind  # type: ignore[attr-defined]


def test_a_code_stands_in_one_file_of_the_table() -> None:
    assert len(CATALOGUE) == sum(map(len, (ENGINE_FAULTS, ACCESS, ORDERING, COLLECTING, ADMINISTERING, SERVING)))


def test_retry_agrees_between_errors_and_table() -> None:
    for kind in subclasses(LicensingError) | subclasses(StorageError):
        if kind.code in CATALOGUE:  # type: ignore[attr-defined]
            assert CATALOGUE[kind.code].retry == kind.retry, kind  # type: ignore[attr-defined]


def test_every_retryable_error_of_storage_has_a_row() -> None:
    for kind in subclasses(StorageError):
        if kind.retry:  # type: ignore[attr-defined]
            assert kind.code in CATALOGUE, kind  # type: ignore[attr-defined]


def test_every_element_of_the_table_is_a_fault_of_every_service() -> None:
    for path in ("v1/sales.wsdl", "v1/depot.wsdl", "v1/admin.wsdl", "v1/ozomm.wsdl"):
        elements = set(load_contract(path).schema.elements)
        assert {kind.element for kind in CATALOGUE.values()} <= elements


def test_texts_say_what_it_means_and_what_to_do() -> None:
    for code, kind in CATALOGUE.items():
        assert kind.meaning.endswith("."), code
        assert kind.mend, code
        assert "|" not in kind.meaning + kind.mend


def test_errors_keep_code_message_and_path() -> None:
    fault = fault_for(TicketUnknown("no such ticket", path="ticket"), reference="r")
    assert (fault.code, fault.message, fault.path, fault.reference) == (
        "TicketUnknown",
        "no such ticket",
        "ticket",
        "r",
    )
    fault = fault_for(SoapError("Malformed", "bad", line=3), reference="r")
    assert (fault.code, fault.message) == ("Malformed", "line 3: bad")
    assert fault_for(StorageBusy("full"), reference="r").kind.retry


@pytest.mark.parametrize(
    "error", [RuntimeError("secret"), StorageCorrupt("secret"), ContainerError("X", "secret"), KeyError("secret")]
)
def test_whatever_the_table_does_not_have_is_internal_and_withheld(error: Exception) -> None:
    fault = fault_for(error, reference="r")
    assert (fault.code, fault.kind.blame, fault.path) == ("Internal", Blame.RECEIVER, None)
    assert "secret" not in fault.message


def test_registry_and_contract_are_equal_or_the_server_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    contract = load_contract("v1/sales.wsdl")
    assert set(handlers_of(contract)) == set(contract.operations)
    monkeypatch.setitem(REGISTRY["Sales"], "Extra", None)  # type: ignore[index]
    with pytest.raises(ContractError, match="Extra"):
        handlers_of(contract)
