"""All families of attacks, by name."""

from collections.abc import Callable, Iterator, Mapping

import attacks_arrays
import attacks_bulk
import attacks_canonical
import attacks_charsets
import attacks_collisions
import attacks_depth
import attacks_doctypes
import attacks_encodings
import attacks_entities
import attacks_floods
import attacks_inclusion
import attacks_largest
import attacks_multipart
import attacks_names
import attacks_slow
import attacks_smuggling
import attacks_spoofing
import attacks_values
import attacks_xop
from attack_cases import Attack

FAMILIES: Mapping[str, Callable[[], Iterator[Attack]]] = {
    "arrays": attacks_arrays.attacks,
    "bulk": attacks_bulk.attacks,
    "canonicalisation": attacks_canonical.attacks,
    "charsets": attacks_charsets.attacks,
    "collisions": attacks_collisions.attacks,
    "content encodings": attacks_encodings.attacks,
    "depth": attacks_depth.attacks,
    "doctypes": attacks_doctypes.attacks,
    "entities": attacks_entities.attacks,
    "floods": attacks_floods.attacks,
    "inclusion": attacks_inclusion.attacks,
    "largest": attacks_largest.attacks,
    "multipart": attacks_multipart.attacks,
    "names": attacks_names.attacks,
    "slow sockets": attacks_slow.attacks,
    "smuggling": attacks_smuggling.attacks,
    "spoofing": attacks_spoofing.attacks,
    "values": attacks_values.attacks,
    "XOP": attacks_xop.attacks,
}
