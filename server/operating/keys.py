"""What is wrong with keys: missing, not everywhere, not finished; and rows that none of them opens.

`opendepot keys check` and `opendepot doctor` ask the same.
"""

from collections.abc import AsyncIterator, Iterator

from licensing.vault import Vault
from server.errors import SettingsError
from server.keys.counting import Counts, count_dependents, find_unopened, load_view
from server.keys.files import key_file, open_box
from server.keys.keeper import ALIVE, IN_FORCE, in_use, open_kept
from server.keys.rotating import ring_of
from server.operating.installation import Installation
from server.operating.report import Finding, Level, ok, problem, warning
from storage.errors import StorageError
from storage.keys import KeyKind, KeyState, KeysView
from storage.maintenance.links import Link, open_link

ROWS = "key_rows"


async def key_findings(here: Installation, link: Link, *, thorough: bool = False) -> AsyncIterator[Finding]:
    """Look at the keys that the database names, and at what its rows begin with.

    Every row is looked at where a key was ever replaced, or with `thorough`: on large databases that takes its time.
    """
    vault = here.vault()
    if vault is None:
        yield Finding(check=ROWS, level=Level.NOT_APPLICABLE, message="the keys cannot be read")
        return
    view = await load_view(link)
    counts = await count_dependents(link) if view.keys or thorough else {}
    bad = [
        *_missing(here, vault, view),
        *_unknown(here, vault, counts),
        *_unfinished(here, view),
        *_not_everywhere(here, view),
        *_left_over(here, vault, view),
        *_box(here, vault, view),
    ]
    for finding in bad:
        yield finding
    if not bad:
        yield ok(ROWS, "every row is of a key that is at hand, and no rotation waits")


async def unopened_finding(here: Installation) -> Finding:
    """Open every sealed value of the database."""
    vault = here.vault()
    if vault is None:
        return Finding(check="sealed_values", level=Level.NOT_APPLICABLE, message="the keys cannot be read")
    mend = (
        "put back the key that sealed them, from where you keep your keys; values that somebody has changed come back "
        "with " + here.command("restore BACKUP --replace")
    )
    try:
        link = await open_link(here.settings.database)
        try:
            for row in (await load_view(link)).keys:
                open_kept(vault, row)
            found = await find_unopened(link, vault)
        finally:
            await link.close()
    except StorageError as error:
        return problem("sealed_values", f"the sealed values cannot be read: {error}", mend=mend)
    if not found.unopened:
        return ok("sealed_values", "every sealed value opens")
    return Finding(
        check="sealed_values",
        level=Level.PROBLEM,
        message=f"{found.unopened} sealed values open with no key: {', '.join(found.named)}",
        mend=mend,
        count=found.unopened,
        subjects=tuple(found.named),
    )


def _missing(here: Installation, vault: Vault, view: KeysView) -> Iterator[Finding]:
    for key in view.keys:
        setting, path = key_file(here.settings, key.kind)
        if key.state in IN_FORCE and ring_of(vault, key.kind).find(bytes.fromhex(key.key_id)) is None:
            mend = f"copy {path} from a node that has it, or put back the copy that you keep"
            yield problem(setting, f"the key {key.key_id} is in force, but not in {path}", mend=mend)


def _unknown(here: Installation, vault: Vault, counts: Counts) -> Iterator[Finding]:
    for (kind, key_id), found in counts.items():
        ring = ring_of(vault, kind)
        at_hand = ring.first is not None if key_id == "" else ring.find(bytes.fromhex(key_id)) is not None
        if not at_hand:
            setting, path = key_file(here.settings, kind)
            mend = f"put back the copy of {path} that you keep; the key went too early"
            name = f"the key {key_id}" if key_id else "the first key"
            yield problem(setting, f"{name} is not at hand, and was used for {found.told()}", mend=mend)


def _unfinished(here: Installation, view: KeysView) -> Iterator[Finding]:
    for kind in KeyKind:
        mend = here.command(f"keys rotate {kind.value}")
        for key in view.keys:
            if key.kind is kind and key.state is KeyState.ADDED:
                yield warning(ROWS, f"the new key {key.key_id} is not in use yet", mend=mend)
        key_in_use = in_use(view, kind)
        if key_in_use is not None and not key_in_use.is_first and key_in_use.finished_at is None:
            yield warning(ROWS, f"what older keys made was not all renewed for {key_in_use.key_id}", mend=mend)


def _not_everywhere(here: Installation, view: KeysView) -> Iterator[Finding]:
    named = {key.key_id: key.kind for key in view.keys if key.state is not KeyState.RETIRED}
    for holder in view.holders:
        if here.now - holder.seen_at >= ALIVE:
            continue
        for key_id in sorted(named.keys() - set(holder.holds)):
            _, path = key_file(here.settings, named[key_id])
            mend = f"copy {path} to {holder.node}; then restart it if a service manager makes a copy of its own"
            yield warning(ROWS, f"node {holder.node} does not have the key {key_id}", mend=mend)


def _left_over(here: Installation, vault: Vault, view: KeysView) -> Iterator[Finding]:
    for key in view.keys:
        setting, path = key_file(here.settings, key.kind)
        if key.state is KeyState.RETIRED and ring_of(vault, key.kind).find(bytes.fromhex(key.key_id)) is not None:
            mend = here.command(f"keys retire {key.key_id}")
            yield warning(setting, f"the key {key.key_id} was retired, but is still in {path}", mend=mend)


def _box(here: Installation, vault: Vault, view: KeysView) -> Iterator[Finding]:
    newest = in_use(view, KeyKind.SEALING_KEY)
    if newest is None or newest.finished_at is None:
        return
    path = here.settings.firm_security_box_file
    try:
        sealed_with = open_box(path, vault.sealing_keys)[1].name
    except SettingsError:
        return  # the check of the files tells of it
    if sealed_with != newest.key_id:
        mend = f"copy {path} from a node where the rotation has sealed it anew"
        yield warning("firm_security_box_file", f"{path} is still sealed with the key {sealed_with}", mend=mend)
