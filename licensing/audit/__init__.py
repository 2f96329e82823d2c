"""The audit trail: its rows are chained and the head of the chain is signed, so that a change shows.

chain.py      digests, links and signed heads, pure
sealing.py    appends what was written since
verifying.py  walks the chain and says what is not as it was sealed
"""

from licensing.audit.chain import ERASE, SealingKey, read_head, render_head
from licensing.audit.sealing import Sealed, Sealer
from licensing.audit.verifying import Problem, Verification, verify_audit

__all__ = [
    "ERASE",
    "Problem",
    "Sealed",
    "Sealer",
    "SealingKey",
    "Verification",
    "read_head",
    "render_head",
    "verify_audit",
]
