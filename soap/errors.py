"""What the engine refuses: one exception with a code; `soap.faults.ENGINE_FAULTS` says how each looks on the wire."""

from typing import TYPE_CHECKING

from soap.names import Version

if TYPE_CHECKING:
    from soap.addressing import Addressing


class ContractError(Exception):
    """A WSDL or XSD file uses something that the contract rules exclude; the service must not start."""


class SoapError(Exception):
    """A message that the engine refuses.

    `code` is a key of `soap.faults.ENGINE_FAULTS`; `message` says what was wrong and how to mend it, never with values
    of the message; `path` and `line` name the place; `version` is the SOAP version to answer in. `problem` is what
    WS-Addressing tells beside its faults, an element's name and its text; `addressing` is what the answer goes by.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        path: str | None = None,
        line: int | None = None,
        version: Version | None = None,
        not_understood: tuple[tuple[str, str], ...] = (),
        problem: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message if line is None else f"line {line}: {message}"
        self.path = path
        self.line = line
        self.version = version
        self.not_understood = not_understood
        self.problem = problem
        self.addressing: Addressing | None = None


class AnswerInvalid(Exception):
    """What came back is no answer of this service: not SOAP, or not valid against the contract."""
