"""Files of keys: a pepper or sealing key of 32 bytes, or a ring of them; and the Firm Security Box, which is sealed."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from containers import ContainerError, SoftwareBox
from licensing.keyring import Key, KeyRing, KeyRingInvalid, parse_ring, render_ring
from server.errors import SettingsError
from server.private_files import open_to_others
from server.settings import Settings
from storage.keys import KeyKind

PEPPER = "pepper_file"
SEALING_KEY = "sealing_key_file"


def key_file(settings: Settings, kind: KeyKind) -> tuple[str, Path]:
    """Give the setting of a kind of keys, and its file."""
    if kind is KeyKind.PEPPER:
        return PEPPER, settings.pepper_file
    return SEALING_KEY, settings.sealing_key_file


def read_ring(path: Path, *, setting: str) -> KeyRing:
    """Read a file of keys. Raises SettingsError when it is missing, open to others, or no keys are in it."""
    try:
        if open_to_others(path):
            raise SettingsError(f"{setting}: {path} can be read by others; chmod 600 it")
        return parse_ring(path.read_bytes())
    except OSError as error:
        raise SettingsError(
            f"{setting}: cannot read {path}: {error.strerror}; `opendepot init DIR` makes one"
        ) from None
    except KeyRingInvalid as error:
        raise SettingsError(f"{setting}: {path} {error}; put back the copy that you keep") from None


def read_rings(settings: Settings) -> dict[KeyKind, KeyRing]:
    """Read the peppers and the sealing keys. Raises SettingsError."""
    rings = {}
    for kind in KeyKind:
        setting, path = key_file(settings, kind)
        rings[kind] = read_ring(path, setting=setting)
    if rings[KeyKind.PEPPER].first is None:
        raise SettingsError(f"{PEPPER}: the first pepper is missing in {settings.pepper_file}; put back the copy")
    return rings


def write_ring(path: Path, ring: KeyRing, *, setting: str) -> None:
    """Write a file of keys, whole or not at all, durable when it returns. Raises SettingsError."""
    write_secret(path, render_ring(ring), setting=setting)


def write_secret(path: Path, content: bytes, *, setting: str) -> None:
    """Put a secret in the place of a file, for the same owner and nobody else. Raises SettingsError."""
    draft = path.with_name(path.name + ".new")
    try:
        owner = path.stat()
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR)
        with os.fdopen(descriptor, "wb") as file:
            if os.geteuid() == 0:
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise SettingsError(
            f"{setting}: cannot write {path}: {error.strerror}; run this where the file itself stands, by somebody who "
            "may write it, and not on a copy that the service manager made"
        ) from None


def open_box(path: Path, ring: KeyRing) -> tuple[SoftwareBox, Key]:
    """Open the Firm Security Box with whichever key it was sealed with, and give that key. Raises SettingsError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"firm_security_box_file: cannot read {path}: {error.strerror}; `opendepot init DIR` makes one"
        ) from None
    refused: ContainerError | None = None
    for key in reversed(ring.keys):
        try:
            return SoftwareBox.open(content, sealing_key=key.material), key
        except ContainerError as error:
            refused = error
    raise SettingsError(f"firm_security_box_file: {path}: {refused}") from None


def reseal_box(path: Path, ring: KeyRing, key: Key, *, random: Callable[[int], bytes]) -> bool:
    """Seal the Firm Security Box with another key of the ring; False when it is so already. Raises SettingsError."""
    box, sealed_with = open_box(path, ring)
    if sealed_with == key:
        return False
    write_secret(path, box.seal(key.material, random=random), setting="firm_security_box_file")
    return True
