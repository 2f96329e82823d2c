"""What a container remembers of its exports."""

from containers import Seen
from containers.memory import FirmMemory


def test_only_an_own_export_number_with_its_own_nonce_was_exported() -> None:
    nonces = [bytes([number]) * 16 for number in (1, 2, 3)]
    memory = FirmMemory(nonces=b"".join(nonces))
    for export in range(-3, 6):
        for number, nonce in enumerate(nonces, start=1):
            assert memory.exported(Seen(export=export, nonce=nonce)) == (export == number)
