"""The page of situations is complete: every state, every fault of the rules about containers, tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "situations-depot.txt").read_text()
STATES = {
    "Done",
    "NothingNew",
    "ExportAgain",
    "Marked",
    "Healing",
    "Lost",
    "Blocked",
    "Confirmed",
    "Open",
    "UpdateWaiting",
    "ApprovalNeeded",
    "Denied",
}
FAULTS = {
    "NothingFree",
    "ReturnRefused",
    "MixedFirmCodes",
    "ContextRefused",
    "ContainerUnregistered",
    "ContainerUnknown",
    "Contended",
    "QuantityExceeded",
    "JournalUnwritable",
}


def test_every_state_and_fault_has_a_row() -> None:
    assert {name for name in STATES | FAULTS if f"`{name}`" not in PAGE} == set()


def test_every_state_that_the_contract_names_is_known_here() -> None:
    contract = (ROOT / "wsdl" / "v1" / "depot.xsd").read_text()
    named = set(re.findall(r"\b([A-Z][A-Za-z]+)(?:: |, [A-Z][A-Za-z]+: )", contract))
    assert {name for name in named if name in STATES} >= STATES - {"Confirmed"} - {
        "Healing",
        "Marked",
        "Lost",
        "Blocked",
    }


def test_every_row_names_a_test_that_exists_and_every_trace_has_one() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "situation" not in line]
    known = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for row in rows:
        (test,) = re.findall(r"`(test_[a-z0-9_]+)`", row)
        assert f"def {test}(" in known, test
    traces = set(map(int, re.findall(r"def test_trace_([0-9]+)_", known)))
    assert set(range(1, 19)) <= traces


def test_the_page_of_what_can_become_of_a_licence_has_it_all() -> None:
    assert PAGE in (ROOT / "docs" / "reference" / "lifecycle.md").read_text()
