"""THE table: every error code there is, and how it looks on the wire. `docs/reference/fault-codes.md` is made of it.

Each file has the codes of one interface. A code stands once in all of them.
"""

from collections.abc import Mapping

from licensing.errors import LicensingError
from server.errors import ServerError
from server.faults.access import ACCESS
from server.faults.administering import ADMINISTERING
from server.faults.collecting import COLLECTING
from server.faults.ordering import ORDERING
from server.faults.serving import SERVING
from soap import ENGINE_FAULTS, Fault, FaultKind, SoapError
from storage.errors import StorageError

CATALOGUE: Mapping[str, FaultKind] = {
    **ENGINE_FAULTS,
    **ACCESS,
    **ORDERING,
    **COLLECTING,
    **ADMINISTERING,
    **SERVING,
}

_INTERNAL = "the server failed at this request; tell support the reference"


def fault_for(error: BaseException, *, reference: str) -> Fault:
    """Give the fault that an error is answered with. What the table does not have is Internal, its text withheld."""
    path: str | None = None
    not_understood: tuple[tuple[str, str], ...] = ()
    problem: tuple[str, str] | None = None
    match error:
        case SoapError():
            problem = error.problem
            code, message, path, not_understood = error.code, error.message, error.path, error.not_understood
        case LicensingError():
            code, message, path = error.code, error.message, error.path
        case ServerError():
            code, message = error.code, error.message
        case StorageError():
            code, message = error.code, str(error)
        case _:
            code, message = "Internal", _INTERNAL
    kind = CATALOGUE.get(code)
    if kind is None:
        code, kind, message, path = "Internal", CATALOGUE["Internal"], _INTERNAL, None
    return Fault(
        code=code,
        kind=kind,
        message=message,
        reference=reference,
        path=path,
        not_understood=not_understood,
        problem=problem,
    )
