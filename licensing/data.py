"""Protected, hidden and secret data of items and licences: sealed at rest, made into blocks for one container.

An item or a licence keeps the fields of each kind sealed, inside its options. Only here are they opened, and what is
hidden or secret leaves as a block that one container can read (`containers.blocks`).
"""

import hashlib
import json
import tomllib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from containers.blocks import KINDS, MOST_FIELD_BYTES, MOST_FIELDS, PROTECTED, encrypt_block, pack_fields, unpack_fields
from licensing.errors import DataInvalid, OptionInvalid
from licensing.vault import Vault, head_of

OPTIONS: Mapping[str, str] = {f"{kind}Data": f"{kind}_data" for kind in KINDS}
"""The names of the options, and the field that an item keeps each in."""

DATA_MARK = '_data"'
"""What stands in every text of options that has data in it."""

_PURPOSE = "item-data"
_BASE64 = "base64:"
_HOW = 'number = "text" or number = "base64:...", under [protected], [hidden] or [secret]'

Data = Mapping[str, Mapping[int, bytes]]
"""The fields by kind and number."""

NO_DATA: Data = {}


@dataclass(frozen=True, kw_only=True, slots=True)
class DataField:
    """One field that an order line brings. `kind`: protected, hidden, secret; never shown."""

    kind: str
    number: int
    value: bytes


def parse_data(text: str) -> Data:
    """Read TOML: a table for each kind, in it a text for each number, `base64:` before what is no text.

    Raises OptionInvalid, which names kind and number and never a value.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        # Its own message would show the line.
        raise OptionInvalid(f"the data is no TOML; write {_HOW}", path="data") from None
    if not found.keys() <= set(KINDS) or not all(isinstance(table, dict) for table in found.values()):
        raise OptionInvalid(f"write the data as {_HOW}", path="data")
    return {
        kind: {_number(kind, name): _value(kind, name, value) for name, value in table.items()}
        for kind, table in found.items()
    }


def data_of_fields(fields: Iterable[DataField], *, path: str) -> Data:
    """Give the fields of an order line by kind and number. Raises DataInvalid."""
    found: dict[str, dict[int, bytes]] = {}
    for place, field in enumerate(fields, start=1):
        there = f"{path}/data[{place}]"
        if field.number in found.setdefault(field.kind, {}):
            raise DataInvalid("the field is given twice; give it once", path=there)
        if not 0 <= field.number < MOST_FIELDS or not 1 <= len(field.value) <= MOST_FIELD_BYTES:
            raise DataInvalid(
                f"a field has a number from 0 to {MOST_FIELDS - 1} and 1 to {MOST_FIELD_BYTES} bytes", path=there
            )
        found[field.kind][field.number] = field.value
    return found


def with_data(options: str, data: Data, *, vault: Vault) -> str:
    """Give options (JSON text) with fields beside those that are there, or in their place; sealed."""
    if not data:
        return options
    found = json.loads(options)
    for kind, fields in data.items():
        name = f"{kind}_data"
        old = unpack_fields(_opened(vault, found[name])) if name in found else {}
        found[name] = b64encode(vault.seal(_PURPOSE, pack_fields({**old, **fields}))).decode("ascii")
    return json.dumps(found, sort_keys=True)


def shown_data(options: str, *, vault: Vault) -> tuple[str, ...]:
    """Say which fields an item has, such as `hiddenData=0,7`; never what they hold."""
    found = json.loads(options)
    return tuple(
        f"{option}={','.join(map(str, unpack_fields(_opened(vault, found[name]))))}"
        for option, name in OPTIONS.items()
        if name in found
    )


def with_data_renewed(options: str, *, vault: Vault) -> str:
    """Give options with what is sealed in them sealed by the key in use. Raises VaultError."""
    found = json.loads(options)
    old = {name: sealed for name in OPTIONS.values() if name in found and (sealed := b64decode(found[name]))}
    newer = {
        name: b64encode(vault.seal(_PURPOSE, vault.open(_PURPOSE, sealed))).decode("ascii")
        for name, sealed in old.items()
        if head_of(sealed) != vault.seal_head
    }
    return json.dumps({**found, **newer}, sort_keys=True) if newer else options


def open_data(options: str, *, vault: Vault) -> None:
    """Open everything sealed in options. Raises VaultError."""
    found = json.loads(options)
    for name in OPTIONS.values():
        if name in found:
            _opened(vault, found[name])


def data_heads(options: str) -> tuple[bytes, ...]:
    """Say which keys have sealed what is in options: the beginnings of the sealed values."""
    found = json.loads(options)
    return tuple(head_of(b64decode(found[name])) for name in OPTIONS.values() if name in found)


def without_data(options: Mapping[str, Any]) -> dict[str, Any]:
    """Give options without what is sealed in them."""
    return {name: value for name, value in options.items() if name not in OPTIONS.values()}


def blocks_for(options: str, *, license_id: str, public_key: bytes, vault: Vault) -> dict[str, bytes]:
    """Give the blocks of a licence for the container of a public key, by the names of the options' fields.

    The same data makes the same blocks, so that a licence that has not changed needs no step. Raises VaultError.
    """
    if DATA_MARK not in options:
        return {}
    found = json.loads(options)
    return {
        f"{kind}_data": _block(_opened(vault, found[f"{kind}_data"]), kind, license_id, public_key, vault)
        for kind in KINDS
        if f"{kind}_data" in found
    }


def _block(plain: bytes, kind: str, license_id: str, public_key: bytes, vault: Vault) -> bytes:
    if kind == PROTECTED:
        return plain
    own = f"{kind} {license_id} {public_key.hex()} {hashlib.sha256(plain).hexdigest()}"
    return encrypt_block(plain, kind=kind, public_key=public_key, secret=vault.index("container-data", own))


def _opened(vault: Vault, sealed: str) -> bytes:
    return vault.open(_PURPOSE, b64decode(sealed))


def _number(kind: str, name: str) -> int:
    number = int(name) if name.isascii() and name.isdigit() and len(name) < 4 else MOST_FIELDS
    if number >= MOST_FIELDS:
        raise OptionInvalid(f"{kind} data has fields 0 to {MOST_FIELDS - 1}; write {_HOW}", path="data")
    return number


def _value(kind: str, name: str, value: object) -> bytes:
    try:
        text = value if isinstance(value, str) else ""
        octets = b64decode(text.removeprefix(_BASE64), validate=True) if text.startswith(_BASE64) else text.encode()
    except ValueError:
        raise OptionInvalid(f"{kind} field {name} is neither text nor base64:...; write {_HOW}", path="data") from None
    if not 1 <= len(octets) <= MOST_FIELD_BYTES:
        raise OptionInvalid(f"{kind} field {name} must have 1 to {MOST_FIELD_BYTES} bytes", path="data")
    return octets
