"""Files that licences travel in, their signatures, and the reference container (design, section 6; transfer protocol).

The words are in `model`, frozen: `Entry` and `State`, `Step`, `SignedStep`, `Update`, `Context`, `Counter`, and
`ContainerError`, the one error of this package. What can be done with them:

- A state: `render_state`, `parse_state`, `state_digest`, `apply_step`, `diff_states` (`states`).
- A step, made once: `render_step`, `parse_step`, `sign_step`, `read_signed_step`, `verify_step` (`steps`).
- Files: `render_update`, `read_update` (`updates`), `render_context`, `read_context` (`contexts`), `render_poll`,
  `read_poll` (`polls`).
- Data of licences, protected, hidden and secret: `blocks`.
- Who signs: `FirmSecurityBox`, `SoftwareBox` (`box`); who is believed: `load_trust` (`certificates`).
- Who is who: `software_serial`, `kind_of` (`serials`).
- The other end: `Container`, `ImportResult` (`container`), on `importing` (the rules, pure), `memory` (what it
  remembers) and `store` (the file).

Underneath, `canonical` turns values into text, `signatures` has the one form of signature, and `reading` is the only
way in: gate, schema (`wsdl/v1/container.xsd`), and the comparison with what our own templates make of the values read.
"""

from containers.box import FirmSecurityBox, SoftwareBox
from containers.certificates import load_trust
from containers.container import Container, ImportResult
from containers.contexts import read_context, render_context
from containers.model import (
    START,
    ContainerError,
    Context,
    Counter,
    Entry,
    Options,
    Poll,
    Seen,
    SignedStep,
    State,
    Step,
    StepKind,
    Update,
)
from containers.polls import is_poll, read_poll, render_poll
from containers.serials import kind_of, software_serial
from containers.states import apply_step, diff_states, parse_state, render_state, state_digest
from containers.steps import parse_step, read_signed_step, render_step, sign_step, verify_step
from containers.updates import read_update, render_update

__all__ = [
    "START",
    "Container",
    "ContainerError",
    "Context",
    "Counter",
    "Entry",
    "FirmSecurityBox",
    "ImportResult",
    "Options",
    "Poll",
    "Seen",
    "SignedStep",
    "SoftwareBox",
    "State",
    "Step",
    "StepKind",
    "Update",
    "apply_step",
    "diff_states",
    "is_poll",
    "kind_of",
    "load_trust",
    "parse_state",
    "parse_step",
    "read_context",
    "read_poll",
    "read_signed_step",
    "read_update",
    "render_context",
    "render_poll",
    "render_state",
    "render_step",
    "render_update",
    "sign_step",
    "software_serial",
    "state_digest",
    "verify_step",
]
