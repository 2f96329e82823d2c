"""What a transactionId was answered: looked up before any rule, the same for ever (design section 4)."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from licensing.errors import Erased, TransactionConflict
from licensing.vault import Vault
from storage.records import Shop, StoredAnswer

_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=True).encode
"""`json.dumps` would make an encoder for each request."""


class Answers:
    """Seals answers under their transactionId and opens them again."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def request_hash(self, values: Mapping[str, Any]) -> bytes:
        """Give the keyed hash of a request's decoded values, in canonical form."""
        return self.text_hash(_CANONICAL(values))

    def text_hash(self, canonical: str) -> bytes:
        """Give the keyed hash of a request's decoded values, of their canonical form: JSON with sorted names."""
        return self._vault.index("request", canonical)

    def stored(
        self,
        *,
        shop: Shop,
        operation: str,
        transaction_id: str,
        request_hash: bytes,
        answer: str,
        at: datetime,
    ) -> StoredAnswer:
        """Give the row that remembers an answer, which is a JSON object."""
        return StoredAnswer(
            shop_id=shop.shop_id,
            operation=operation,
            transaction_id=transaction_id,
            request_hash=request_hash,
            answer_sealed=self._vault.seal("answer", answer.encode()),
            created_at=at,
        )

    def opened(self, answer: StoredAnswer, request_hash: bytes) -> dict[str, Any]:
        """Give what the same request was answered before. Raises Erased and TransactionConflict."""
        if answer.answer_sealed is None:
            raise Erased(
                "the answer to this transactionId was erased; take a new one if this is a new request",
                path="transactionId",
            )
        if answer.request_hash != request_hash:
            raise TransactionConflict(
                "this transactionId was used with other values; take a new one for a new request",
                path="transactionId",
            )
        found: dict[str, Any] = json.loads(self._vault.open("answer", answer.answer_sealed))
        return found
