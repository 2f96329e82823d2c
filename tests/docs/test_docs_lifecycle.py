"""The page of what can become of a licence is complete: every refusal of the rules, with a test that is there."""

import re
import tomllib
from pathlib import Path

from licensing.errors import LicensingError
from server.faults import CATALOGUE

ROOT = Path(__file__).parents[2]
SITUATIONS = tomllib.loads((ROOT / "docs" / "situations.toml").read_text())["situation"]

NOT_OF_LICENCES = {
    *("Erased", "OrderNumberExists", "OrderUnknown", "OrderNameRequired", "OriginalOrderUnknown", "ItemUnknown"),
    *("PageTokenInvalid", "StateUnknown", "TicketUnknown", "LicenseRepeated", "MixedFirmCodes", "ContextRefused"),
    *("ContainerUnregistered", "Contended", "ShopUnknown"),
    *("NameInvalid", "NameTaken", "RightUnknown", "RoleUnknown", "PolicyInvalid", "OverlapInvalid"),
    *("CertificateInvalid", "CredentialExists", "CredentialUnknown"),
}
"""Refusals that say a request is wrong, or come again later, and nothing of what became of a licence."""


def test_every_situation_names_a_test_that_is_there() -> None:
    tests = {
        name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    }
    assert {row["test"] for row in SITUATIONS} <= tests


def test_every_code_of_a_situation_is_a_fault_and_every_refusal_of_licences_has_a_situation() -> None:
    told = {row["code"] for row in SITUATIONS if "code" in row}
    assert told <= set(CATALOGUE)
    refusals = {kind.code for kind in LicensingError.__subclasses__() if kind.code in CATALOGUE}
    assert refusals - NOT_OF_LICENCES <= told


def test_a_situation_says_what_the_server_or_the_fault_says() -> None:
    for row in SITUATIONS:
        assert ("code" in row) != ("server" in row), row["what"]
        assert row["mend"].endswith("."), row["what"]
