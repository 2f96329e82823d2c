"""Links to update files: a random token of its own for each, which is forgotten after a while.

Nothing is stored but where the file's steps are: a step is signed once, for ever, so the same file can be made again.
"""

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from containers import read_update, render_update
from licensing.vault import Vault
from storage import Storage
from storage.commands import FindLinkedSteps, LinkUpdate

TOKEN_BYTES = 16
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkedUpdate:
    """A file that a token leads to."""

    serial: str
    firm_code: int
    data: bytes


class UpdateLinks:
    """Makes links and follows them. `lifetime` None: none are made."""

    def __init__(
        self,
        *,
        storage: Storage,
        vault: Vault,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        lifetime: timedelta | None,
    ) -> None:
        self._storage = storage
        self._vault = vault
        self._clock = clock
        self._random = random
        self._lifetime = lifetime

    async def link(self, update: bytes | None) -> str | None:
        """Give a new token for an update file that was made here; None without a file, or where links are off."""
        if update is None or self._lifetime is None:
            return None
        token = urlsafe_b64encode(self._random(TOKEN_BYTES)).decode("ascii").rstrip("=")
        made, now = read_update(update), self._clock()
        first, last = made.steps[0].step.to_counter, made.steps[-1].step.to_counter
        await self._storage.execute(
            LinkUpdate(
                lookup=self._vault.index("update-link", token),
                serial=made.serial,
                firm_code=made.firm_code,
                first=(first.epoch, first.number),
                last=(last.epoch, last.number),
                expires_at=now + self._lifetime,
                at=now,
            )
        )
        return token

    async def follow(self, token: str) -> LinkedUpdate | None:
        """Give the file of a token; None for one that is unknown or expired, after the same work."""
        known = _TOKEN.fullmatch(token) is not None
        lookup = self._vault.index("update-link", token if known else "")
        steps = await self._storage.query(FindLinkedSteps(lookup=lookup, at=self._clock()))
        signed = [step.signed for step in steps if step.signed is not None]
        if not known or not signed:
            return None
        serial, firm_code = steps[0].serial, steps[0].firm_code
        data = render_update(serial=serial, firm_code=firm_code, signed_steps=signed)
        return LinkedUpdate(serial=serial, firm_code=firm_code, data=data)
